/** What every hook point would hold for one prompt, from the model's description: nothing runs. */
import {
  DTYPES,
  type Dtype,
  type ErrorBody,
  type ErrorCode,
  type ModelDescription,
  nearest,
  type PortDescription,
  printTree,
  type Sizes,
  sizedDim,
  sizedDims,
  sizesOfPass,
  TracewireError,
} from '@tracewire/protocol';
import type { Link } from './channel.ts';
import { type StartInput, type TraceFeeds, type TraceInput, toInput } from './input.ts';
import { literalTensor } from './literal.ts';
import { INSPECT } from './tensor.ts';

/** One value. Axes are numbers; a name is one that the prompt doesn't tell, `?` one that the data decides. */
export interface ScannedValue {
  /** The ONNX value. */
  readonly name: string;
  readonly dtype: Dtype;
  readonly dims: readonly (number | string)[];
  /** Undefined where an axis isn't known. */
  readonly bytes: number | undefined;
}

/** What a module takes and gives for the prompt. */
export interface ScannedModule {
  readonly inputs: readonly ScannedValue[];
  readonly outputs: readonly ScannedValue[];
  /** What it makes on its way. */
  readonly sources: readonly ScannedValue[];
  /** Why it has no hook point. */
  readonly missing: string | undefined;
}

/** Dims and dtypes of a whole model for one prompt. `String(scan)` is the tree. */
export class Scan {
  /** Of the prompt; undefined for feeds without a sequence. */
  readonly tokens: number | undefined;
  /** By path, in the order in which the modules end; '' is the whole model. */
  readonly modules: ReadonlyMap<string, ScannedModule>;
  readonly #description: ModelDescription;

  /** For `model.scan`. */
  constructor(description: ModelDescription, sizes: Sizes) {
    this.tokens = sizes.get('sequence');
    this.#description = sized(description, sizes);
    this.modules = new Map(
      this.#description.modules.map(({ path, inputs, outputs, sources = [], missing }) => [
        path,
        {
          inputs: inputs.map(scanned),
          outputs: outputs.map(scanned),
          sources: sources.map(scanned),
          missing,
        },
      ]),
    );
  }

  toString(): string {
    return printTree(this.#description, { sources: true, color: false });
  }

  [INSPECT](): string {
    return this.toString();
  }
}

/** Tokens of a text are counted by the server's tokenizer; nothing else is asked. Rejects as `trace` does. */
export async function scan(
  { conversation, model }: Link,
  description: ModelDescription,
  input: TraceInput,
): Promise<Scan> {
  const start = toInput(input);
  if ('literals' in start) return new Scan(description, sizesOfFeeds(description, start.literals));
  const ids = await idsOf(start, async (text) => (await conversation.tokenize(model, text)).ids);
  const { contextLength, name } = description;
  if (ids.length === 0) throw refusal('empty_input', 'The input has no tokens, so nothing could run.');
  if (contextLength !== undefined && ids.length > contextLength) {
    throw refusal(
      'input_too_long',
      `The input has ${ids.length} tokens; ${name} takes at most ${contextLength}.`,
      { wanted: `at most ${contextLength}`, got: String(ids.length) },
    );
  }
  return new Scan(description, sizesOfPass(ids.length));
}

export async function idsOf(
  input: Exclude<StartInput, { readonly literals: TraceFeeds }>,
  encode: (text: string) => Promise<readonly number[]>,
): Promise<readonly number[]> {
  return 'text' in input ? encode(input.text) : input.ids;
}

/** What the feeds' dims say of the names in the description of the feeds. Throws `unknown_feed` and `wrong_dims`. */
function sizesOfFeeds(description: ModelDescription, feeds: TraceFeeds): Sizes {
  const sizes = new Map<string, number>([['past', 0]]);
  for (const [name, literal] of Object.entries(feeds)) {
    const feed = description.feeds?.find((candidate) => candidate.name === name);
    if (!feed) {
      const has = (description.feeds ?? []).map((each) => each.name).join(', ') || 'none by name';
      throw refusal(
        'unknown_feed',
        `${description.name} has no feed ${JSON.stringify(name)}; it takes ${has}.`,
        {
          path: name,
          nearest: nearest(
            name,
            (description.feeds ?? []).map((each) => each.name),
          ),
        },
      );
    }
    const tensor = literalTensor(literal, feed.dtype);
    if ('fault' in tensor) throw refusal(tensor.code, `The feed ${name}: ${tensor.fault}`, { path: name });
    for (const [axis, size] of tensor.dims.entries()) {
      const dim = feed.dims[axis];
      const known = dim === undefined ? undefined : sizedDim(dim, sizes);
      const fits = tensor.dims.length === feed.dims.length && (known === undefined || known === size);
      if (!fits) {
        const [wanted, got] = [feed.dims, tensor.dims].map((dims) => `[${dims.join(', ')}]`);
        const message = `The feed ${name} has dims ${got}; wanted ${wanted}, the same sizes for the same names.`;
        throw refusal('wrong_dims', message, { path: name, wanted, got });
      }
      if (typeof dim === 'string' && dim !== '?') sizes.set(dim, size);
    }
  }
  return sizes;
}

function sized(description: ModelDescription, sizes: Sizes): ModelDescription {
  const port = <P extends PortDescription>(value: P): P => ({ ...value, dims: sizedDims(value.dims, sizes) });
  return {
    ...description,
    modules: description.modules.map((module) => ({
      ...module,
      inputs: module.inputs.map(port),
      outputs: module.outputs.map(port),
      ...(module.sources ? { sources: module.sources.map(port) } : {}),
    })),
  };
}

function scanned({ name, dtype, dims }: PortDescription): ScannedValue {
  const bytes = dims.reduce<number | undefined>(
    (product, dim) => (product === undefined || typeof dim === 'string' ? undefined : product * dim),
    DTYPES[dtype].size,
  );
  return { name, dtype, dims, bytes };
}

/** It is known after the call, whose line it gets there. */
function refusal(
  code: ErrorCode,
  message: string,
  facts: Omit<ErrorBody, 'code' | 'message'> = {},
): TracewireError {
  return new TracewireError({ code, message, ...facts });
}
