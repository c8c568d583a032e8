/** What a language model is fed for token ids: ids, mask, positions, and a cache of chosen length. */
import {
  DTYPES,
  type Dtype,
  elementCount,
  type TensorData,
  type TensorLike,
  TracewireError,
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

/** Makes the feeds of one model; built once, it refuses a model that wants something else by name. */
export class FeedMaker {
  readonly #inputs: readonly { name: string; dtype: Dtype; dims: readonly (number | string)[] }[];

  constructor(graph: ModelGraph) {
    this.#inputs = graph.model.graph.input.map(describeInput);
    for (const { name } of this.#inputs) {
      if (!Object.hasOwn(MAKERS, name) && !isCacheName(name)) {
        throw new TracewireError({
          code: 'model_unsupported',
          message: `The model wants the feed ${name}, which is none that a language model’s tokens give (${Object.keys(MAKERS).join(', ')}, past_key_values.*).`,
          path: name,
        });
      }
    }
  }

  get hasCache(): boolean {
    return this.#inputs.some(({ name }) => isCacheName(name));
  }

  make(ids: readonly number[], sizes: FeedSizes): Map<string, TensorLike> {
    return new Map(
      this.#inputs.map(({ name, dtype, dims }) => {
        const maker = Object.hasOwn(MAKERS, name) ? MAKERS[name] : undefined;
        return [name, maker ? maker(dtype, ids, sizes) : emptyCache(dtype, dims, sizes)];
      }),
    );
  }
}

type Maker = (dtype: Dtype, ids: readonly number[], sizes: FeedSizes) => TensorLike;

/** One maker a feed, by the name that Hugging Face's models give it. */
const MAKERS: Readonly<Record<string, Maker>> = {
  input_ids: (dtype, ids, { batch, sequence }) =>
    integers(dtype, [batch, sequence], (index) => ids[index] ?? 0),
  attention_mask: (dtype, _, { batch, sequence, past, lengths }) => {
    const width = past + sequence;
    const isOwn = (index: number): boolean =>
      index % width < past + (lengths?.[Math.floor(index / width)] ?? sequence);
    return integers(dtype, [batch, width], (index) => Number(isOwn(index)));
  },
  position_ids: (dtype, _, { batch, sequence, past }) =>
    integers(dtype, [batch, sequence], (index) => past + (index % sequence)),
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

function describeInput(input: ValueInfoProto): { name: string; dtype: Dtype; dims: (number | string)[] } {
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

function isCacheName(name: string): boolean {
  return name.startsWith('past_key_values');
}
