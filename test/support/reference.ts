/** Reads the reference data that `test/reference/nnsight_reference.py` wrote: a safetensors file. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './server.ts';

export interface ReferenceTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

export interface ReferencePrompt {
  /** Names of the feeds, stored as `p<N>/feed/<name>`, where the input is no text. */
  readonly feeds?: readonly string[];
  readonly text: string;
  readonly ids: readonly number[];
  readonly tokens: readonly string[];
  readonly top: readonly { readonly id: number; readonly token: string; readonly probability: number }[];
}

export interface ReferenceModule {
  readonly path: string;
  readonly class: string;
  /** Whether the forward pass called it; lists of modules are never called. */
  readonly called: boolean;
  /** Whether it gave its input on unchanged, as dropout does when a model isn't trained. */
  readonly identity: boolean;
  /** Other paths of the same module, such as those of a tied embedding. */
  readonly also?: readonly string[];
}

/** What nnsight changed or computed; the logits after it are the tensor `i<index>/logits`. */
export interface ReferenceIntervention {
  readonly name: string;
  readonly prompt: string;
  readonly module: string;
  /** In Python. */
  readonly does: string;
}

export interface Reference {
  readonly prompts: readonly ReferencePrompt[];
  readonly modules: readonly ReferenceModule[];
  readonly interventions: readonly ReferenceIntervention[];
  readonly versions: Readonly<Record<string, string>>;
  /** Names of all tensors, aliases included. */
  readonly names: readonly string[];
  tensor(name: string): ReferenceTensor | undefined;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

export function readReference(name: string): Reference {
  return readReferenceFile(path.join(ROOT, 'test/reference/data', `${name}.safetensors`));
}

export function readReferenceFile(where: string): Reference {
  const file = readFileSync(where);
  const headerLength = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerLength)) as Record<string, Entry> & {
    __metadata__: Record<string, string>;
  };
  const { __metadata__: metadata, ...entries } = header;
  const parse = <T>(key: string): T => JSON.parse(metadata[key] ?? 'null') as T;
  const aliases = parse<Record<string, string>>('aliases');
  const resolve = (tensor: string): string => {
    const alias = aliases[tensor];
    return Object.hasOwn(entries, tensor) || alias === undefined ? tensor : resolve(alias);
  };
  return {
    prompts: parse('prompts'),
    modules: parse('modules'),
    interventions: parse('interventions'),
    versions: parse('versions'),
    names: [...Object.keys(entries), ...Object.keys(aliases)],
    tensor(tensor) {
      const entry = entries[resolve(tensor)];
      if (!entry) return undefined;
      const [begin, end] = entry.data_offsets;
      const bytes = Uint8Array.from(file.subarray(8 + headerLength + begin, 8 + headerLength + end));
      if (entry.dtype === 'F32') return { dims: entry.shape, data: new Float32Array(bytes.buffer) };
      if (entry.dtype === 'I64') return { dims: entry.shape, data: new BigInt64Array(bytes.buffer) };
      throw new Error(`${tensor} has dtype ${entry.dtype}.`);
    },
  };
}

/** Largest difference, divided by the RMS of the wanted value; infinite where dims differ or a number is none. */
export function relativeError(
  wanted: ReferenceTensor,
  dims: readonly number[],
  data: ArrayLike<number | bigint>,
): number {
  if (wanted.dims.join() !== dims.join()) return Number.POSITIVE_INFINITY;
  let square = 0;
  let largest = 0;
  for (let index = 0; index < wanted.data.length; index++) {
    const value = Number(wanted.data[index]);
    const difference = Math.abs(value - Number(data[index]));
    square += value * value;
    largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(largest, difference);
  }
  const rms = Math.sqrt(square / wanted.data.length);
  return largest === 0 ? 0 : largest / rms;
}
