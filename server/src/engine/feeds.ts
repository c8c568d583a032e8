/** What a model is fed: for token ids also mask, positions, and a cache of chosen length; others by name. */
import {
  DTYPES,
  type Dtype,
  elementCount,
  type TensorData,
  type TensorLike,
  TracewireError,
  zeros,
} from '@tracewire/protocol';
import type { ModelGraph } from './onnx/graph.ts';
import { toNumber, type ValueInfoProto } from './onnx/schema.ts';
import { dtypeOf } from './onnx/tensors.ts';

/** Sizes that a pass is fed with: `ids` is row-major `[batch, sequence]`. */
export interface FeedSizes {
  readonly batch: number;
  readonly sequence: number;
  /** Tokens that the cache already holds. */
  readonly past: number;
  /** Each row's own tokens, where they differ: behind them it is padded. */
  readonly lengths?: readonly number[];
  /** What of the cache is each row's own, where that differs. */
  readonly cached?: Cached | undefined;
}

/** The tokens of each row that the cache holds, and on which side of them it is padded to the longest. */
export interface Cached {
  readonly own: readonly number[];
  readonly padded: Padded;
}

export type Padded = 'left' | 'right';

/** Where a row's own tokens begin in the cache. */
export function cacheStart({ own, padded }: Cached, row: number): number {
  return padded === 'left' ? Math.max(...own) - (own[row] ?? 0) : 0;
}

/** Formulas that an axis of a value may follow, simplest first; an axis is named by its formula. */
export const AXES: readonly { readonly name: string; readonly size: (sizes: FeedSizes) => number }[] = [
  { name: 'batch', size: ({ batch }) => batch },
  { name: 'sequence', size: ({ sequence }) => sequence },
  { name: 'past + sequence', size: ({ sequence, past }) => past + sequence },
  { name: 'past', size: ({ past }) => past },
  { name: 'batch * sequence', size: ({ batch, sequence }) => batch * sequence },
];

/** The size of an axis in a pass, or `?` where it follows no formula. */
export function sizeOf(dim: number | string, sizes: FeedSizes): number | '?' {
  if (typeof dim === 'number') return dim;
  return AXES.find(({ name }) => name === dim)?.size(sizes) ?? '?';
}

/** A feed as the model declares it: what the file says of its axes is a hint, for names mean nothing. */
interface DeclaredFeed {
  readonly name: string;
  readonly dtype: Dtype;
  readonly dims: readonly (number | string)[];
}

/** Makes the feeds of one model, as far as tokens or other feeds tell what they are. */
export class FeedMaker {
  readonly declared: readonly DeclaredFeed[];
  readonly #config: Readonly<Record<string, unknown>>;

  /** Throws `model_unsupported` for a feed that is no tensor. */
  constructor(graph: ModelGraph, config: Readonly<Record<string, unknown>>) {
    this.declared = graph.model.graph.input.map(describeInput);
    this.#config = config;
  }

  get hasCache(): boolean {
    return this.cacheNames.length > 0;
  }

  /** The feeds that hold the keys and values of earlier tokens. */
  get cacheNames(): readonly string[] {
    return this.declared.map(({ name }) => name).filter(isCacheName);
  }

  /** Whether an input may leave a feed out. */
  isOptional(name: string): boolean {
    return isCacheName(name) || (Object.hasOwn(MAKERS, name) && name !== 'input_ids');
  }

  /** All feeds: those given, and the others made to their sizes. */
  make(
    ids: readonly number[],
    sizes: FeedSizes,
    given: ReadonlyMap<string, TensorLike> = new Map(),
  ): Map<string, TensorLike> {
    return new Map(
      this.declared.map(({ name, dtype, dims }) => {
        const maker = Object.hasOwn(MAKERS, name) ? MAKERS[name] : undefined;
        return [
          name,
          given.get(name) ??
            maker?.(dtype, ids, sizes) ??
            (isCacheName(name) ? emptyCache(dtype, dims, sizes) : this.#zeros(name, dtype, dims, sizes)),
        ];
      }),
    );
  }

  /** For a feed that only the user knows, to learn the dims that follow from it. */
  #zeros(name: string, dtype: Dtype, dims: readonly (number | string)[], sizes: FeedSizes): TensorLike {
    const image = name === 'pixel_values' ? imageDims(this.#config, sizes) : undefined;
    const sized =
      image ??
      dims.map((dim, axis) => (typeof dim === 'number' ? dim : axis === 0 ? sizes.batch : sizes.sequence));
    return zeros(dtype, sized);
  }
}

/** `[batch, channels, height, width]`, where exporters leave all four open and the model has one size. */
function imageDims(config: Readonly<Record<string, unknown>>, { batch }: FeedSizes): number[] | undefined {
  const size = config['image_size'];
  const [height, width] = Array.isArray(size) ? size : [size, size];
  if (typeof height !== 'number' || typeof width !== 'number') return undefined;
  return [batch, Number(config['num_channels'] ?? 3), height, width];
}

/** The sizes that given feeds have, by the dims that the model's description names. */
export function sizesOf(
  given: ReadonlyMap<string, TensorLike>,
  types: ReadonlyMap<string, { readonly dims: readonly (number | string)[] }>,
): FeedSizes {
  const sizes = { batch: 1, sequence: 1, past: 0 };
  for (const [name, { dims }] of given) {
    for (const [axis, dim] of (types.get(name)?.dims ?? []).entries()) {
      if (dim === 'batch' || dim === 'sequence' || dim === 'past') sizes[dim] = dims[axis] ?? 0;
    }
  }
  return sizes;
}

type Maker = (dtype: Dtype, ids: readonly number[], sizes: FeedSizes) => TensorLike;

/** One maker a feed, by the name that Hugging Face's models give it. */
const MAKERS: Readonly<Record<string, Maker>> = {
  input_ids: (dtype, ids, { batch, sequence }) =>
    integers(dtype, [batch, sequence], (index) => ids[index] ?? 0),
  attention_mask: (dtype, _, { batch, sequence, past, lengths, cached }) => {
    const width = past + sequence;
    const rows = Array.from({ length: batch }, (_, row) => {
      const start = cached ? cacheStart(cached, row) : 0;
      return { start, end: start + (cached?.own[row] ?? past) + (lengths?.[row] ?? sequence) };
    });
    return integers(dtype, [batch, width], (index) => {
      const { start = 0, end = 0 } = rows[Math.floor(index / width)] ?? {};
      return Number(index % width >= start && index % width < end);
    });
  },
  position_ids: (dtype, _, { batch, sequence, past, cached }) =>
    integers(
      dtype,
      [batch, sequence],
      (index) => (cached?.own[Math.floor(index / sequence)] ?? past) + (index % sequence),
    ),
  token_type_ids: (dtype, _, { batch, sequence }) => integers(dtype, [batch, sequence], () => 0),
};

function integers(dtype: Dtype, dims: readonly number[], at: (index: number) => number): TensorLike {
  const data: TensorData = new DTYPES[dtype].array(elementCount(dims));
  for (let index = 0; index < data.length; index++) {
    const value = at(index);
    data[index] = (
      data instanceof BigInt64Array || data instanceof BigUint64Array ? BigInt(value) : value
    ) as never;
  }
  return { dtype, dims, data };
}

/** `[batch, heads, past, head size]`: the first named axis is the batch, the second the past. */
function emptyCache(
  dtype: Dtype,
  dims: readonly (number | string)[],
  { batch, past }: FeedSizes,
): TensorLike {
  const named = dims.map((dim, axis) => ({ dim, axis })).filter(({ dim }) => typeof dim === 'string');
  const sized = dims.map((dim, axis) =>
    typeof dim === 'number' ? dim : axis === named[0]?.axis ? batch : past,
  );
  return { dtype, dims: sized, data: new DTYPES[dtype].array(elementCount(sized)) };
}

function describeInput(input: ValueInfoProto): DeclaredFeed {
  const type = input.type?.tensor_type;
  const dtype = type && dtypeOf(type.elem_type);
  if (!type || !dtype) {
    throw new TracewireError({
      code: 'model_unsupported',
      message: `The model’s feed ${input.name} is no tensor.`,
      path: input.name,
    });
  }
  const dims = (type.shape?.dim ?? []).map(({ dim_value, dim_param }) => {
    const size = dim_value === undefined || dim_value === null ? 0 : toNumber(dim_value);
    return size > 0 ? size : (dim_param ?? '?');
  });
  return { name: input.name, dtype, dims };
}

const CACHE = 'past_key_values';

function isCacheName(name: string): boolean {
  return name.startsWith(CACHE);
}

/** The model's output that a cache feed of the next pass is: `present.0.key` for `past_key_values.0.key`. */
export function presentOf(cacheName: string): string {
  return `present${cacheName.slice(CACHE.length)}`;
}
