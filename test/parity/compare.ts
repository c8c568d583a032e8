/** Runs one model of the matrix through the engine and compares every module with what PyTorch gave there. */
import { LanguageModel, type ModelDescription, type Saved, Tensor, type Trace } from '@tracewire/client';
import { float16ToBits } from '@tracewire/protocol';
import {
  type Reference,
  type ReferenceTensor,
  readReferenceFile,
  relativeError,
} from '../support/reference.ts';
import { runWhole } from './whole.ts';

/** What became of one of PyTorch's modules. */
export interface ModuleResult {
  readonly path: string;
  readonly class: string;
  /** It gives something else than it takes; lists of modules and dropout don't. */
  readonly computes: boolean;
  readonly hooked: boolean;
  /** Largest error over all passes, divided by the value's RMS. */
  readonly error: number | undefined;
  /** Of its first input; some exports take another value first. */
  readonly inputError: number | undefined;
  /** Why it has no hook point, or why it isn't compared. */
  readonly reason: string | undefined;
}

export interface Comparison {
  readonly modules: readonly ModuleResult[];
  /** Hook points that PyTorch has no module for. */
  readonly others: readonly string[];
  /** Values that were changed in one element, and how many of these changes were seen as errors. */
  readonly corrupted: number;
  readonly noticed: number;
  /** Against the unsplit model in bare ONNX Runtime: how many values, the largest difference, changes seen. */
  readonly whole: {
    readonly compared: number;
    readonly error: number;
    readonly at: string;
    readonly disagreeing: number;
    readonly noticed: number;
  };
  /** Whether a change in the pass itself, at the first block, was seen in what comes after. */
  readonly noticedInPass: boolean;
}

/** Share of a value's RMS by which a corruption changes one element. */
const CORRUPTION = 0.02;

export async function compareModel(
  folder: string,
  reference: string,
  tolerance: number,
  cutTolerance: number,
): Promise<Comparison> {
  const wanted = readReferenceFile(reference);
  const model = new LanguageModel(folder, { remote: false });
  try {
    const description = await model.describe();
    const errors = new Map<string, number>();
    const inputs = new Map<string, number>();
    let corrupted = 0;
    let noticed = 0;
    for (const pass of wanted.prompts.keys()) {
      for (const [key, value] of await tracePass(model, description, wanted, pass)) {
        const [, path = '', port] = /^(.*)\/(input|output)$/.exec(key) ?? [];
        const owner = wanted.modules.find(({ also }) => also?.includes(path))?.path ?? path;
        const expected = wanted.tensor(`p${pass}/${owner}/${port}`);
        if (!expected) continue;
        const into = port === 'input' ? inputs : errors;
        const order = /\.experts\.\d+/.test(path) ? sortedRows : asGiven;
        const error = errorOf(order(expected), value, order);
        into.set(path, Math.max(into.get(path) ?? 0, error));
        if (port === 'input' || !(error <= tolerance)) continue;
        corrupted += 1;
        if (errorOf(order(expected), changed(value), order) > tolerance) noticed += 1;
      }
    }
    return {
      modules: resultsOf(wanted, description, errors, inputs),
      others: othersOf(wanted, description),
      corrupted,
      noticed,
      whole: await compareWhole(model, description, wanted, folder, cutTolerance),
      noticedInPass: await corruptPass(model, description, wanted, cutTolerance),
    };
  } finally {
    await model.close();
  }
}

async function compareWhole(
  model: LanguageModel,
  description: ModelDescription,
  reference: Reference,
  folder: string,
  tolerance: number,
): Promise<Comparison['whole']> {
  const values = await runWhole(folder, description, namedFeeds(reference, 0, description));
  const got = await tracePass(model, description, reference, 0);
  const counts = { compared: 0, error: 0, at: '', noticed: 0, disagreeing: 0 };
  for (const { path, outputs } of description.modules) {
    const value = got.get(`${path}/output`);
    const whole = values.get(outputs[0]?.name ?? '');
    if (!whole || !value || value.size === 0) continue;
    const wanted = asReference(whole);
    const error = errorOf(wanted, value);
    counts.compared += 1;
    if (errorOf(wanted, changed(value)) > tolerance) counts.noticed += 1;
    if (!(error <= tolerance)) counts.disagreeing += 1;
    if (!(error <= counts.error)) Object.assign(counts, { error, at: path });
  }
  return counts;
}

function asReference(tensor: Tensor): ReferenceTensor {
  const { dims, dtype } = tensor;
  return {
    dims,
    data: dtype === 'float16' ? Float32Array.from(numbersOf(tensor)) : (tensor.data as Float32Array),
  };
}

type Corrupt = (m: Trace) => void;

/** Every module's first output and input in one pass, as `<path>/output` and `<path>/input`. */
async function tracePass(
  model: LanguageModel,
  description: ModelDescription,
  reference: Reference,
  pass: number,
  corrupt: Corrupt = () => undefined,
): Promise<Map<string, Tensor>> {
  const handles = await model.trace(feedsOf(reference, pass, description), (m) => {
    corrupt(m);
    const saved = new Map<string, Saved<unknown>>();
    for (const { path, inputs, outputs } of description.modules) {
      const module = path === '' ? m : m.get(path);
      if (inputs.length > 0) saved.set(`${path}/input`, module.input.save());
      if (outputs.length > 0) saved.set(`${path}/output`, module.output[0].save());
    }
    return saved;
  });
  return new Map(
    [...handles].flatMap(([key, { value }]): [string, Tensor][] =>
      value instanceof Tensor ? [[key, value]] : [],
    ),
  );
}

/** Token ids alone go as ids, all else as feeds. */
function feedsOf(
  reference: Reference,
  pass: number,
  description: ModelDescription,
): Tensor | Readonly<Record<string, Tensor>> {
  const feeds = namedFeeds(reference, pass, description);
  const ids = feeds['input_ids'];
  return ids && Object.keys(feeds).length === 1 ? ids : feeds;
}

/** In the dtypes that the model wants. */
function namedFeeds(
  reference: Reference,
  pass: number,
  { feeds = [] }: ModelDescription,
): Record<string, Tensor> {
  const names = reference.prompts[pass]?.feeds ?? [];
  return Object.fromEntries(
    names.map((name) => {
      const tensor = reference.tensor(`p${pass}/feed/${name}`);
      if (!tensor) throw new Error(`The reference has no feed ${name}.`);
      if (feeds.some((feed) => feed.name === name && feed.dtype === 'float16')) {
        const bits = Uint16Array.from(Array.from(tensor.data, Number), float16ToBits);
        return [name, new Tensor('float16', tensor.dims, bits)] as const;
      }
      const dtype = tensor.data instanceof Float32Array ? 'float32' : 'int64';
      return [name, new Tensor(dtype, tensor.dims, tensor.data)] as const;
    }),
  );
}

/** An export may keep an axis of size 1, or run rows and positions together: the elements in their order are what counts. */
function errorOf(wanted: ReferenceTensor, got: Tensor, order: Order = asGiven): number {
  const sameShape = size(wanted.dims) === got.size;
  const data = got.dtype === 'float16' ? Float32Array.from(numbersOf(got)) : (got.data as Float32Array);
  const dims = sameShape ? wanted.dims : got.dims;
  return relativeError(wanted, dims, order({ dims, data }).data);
}

type Order = (tensor: ReferenceTensor) => ReferenceTensor;

const asGiven: Order = (tensor) => tensor;

/** An expert's tokens come in an order that is the export's own. */
function sortedRows({ dims, data }: ReferenceTensor): ReferenceTensor {
  const width = dims.at(-1) ?? 1;
  const numbers = Array.from(data, Number);
  const rows = Array.from({ length: numbers.length / width }, (_, row) =>
    numbers.slice(row * width, (row + 1) * width),
  );
  rows.sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
  return { dims, data: Float32Array.from(rows.flat()) };
}

const numbersOf = (value: Tensor): number[] => [value.toArray()].flat(16).map(Number);

const size = (dims: readonly number[]): number => dims.reduce((product, dim) => product * dim, 1);

function changed(value: Tensor): Tensor {
  const data = Float64Array.from(numbersOf(value));
  const rms = Math.sqrt(data.reduce((sum, element) => sum + element * element, 0) / data.length);
  data[data.length - 1] = (data.at(-1) ?? 0) + CORRUPTION * rms;
  return new Tensor('float64', value.dims, data);
}

/** One element of the first block's output is changed as it passes; the last block must not give the same any more. */
async function corruptPass(
  model: LanguageModel,
  description: ModelDescription,
  reference: Reference,
  tolerance: number,
): Promise<boolean> {
  const { blocks } = description;
  const [first] = blocks;
  const last = blocks.at(-1);
  if (first === undefined || last === undefined || first === last) return false;
  const sound = (await tracePass(model, description, reference, 0)).get(`${last}/output`);
  const got = await tracePass(model, description, reference, 0, (m) => {
    const hidden = m.get(first).output[0];
    const rank = description.modules.find(({ path }) => path === first)?.outputs[0]?.dims.length ?? 0;
    const one = hidden.slice(...Array.from({ length: rank }, () => 0));
    one.set(one.mul(2).add(2));
  });
  const value = got.get(`${last}/output`);
  return value !== undefined && sound !== undefined && errorOf(asReference(sound), value) > tolerance;
}

function resultsOf(
  reference: Reference,
  description: ModelDescription,
  errors: ReadonlyMap<string, number>,
  inputs: ReadonlyMap<string, number>,
): ModuleResult[] {
  const described = new Map(description.modules.map((module) => [module.path, module]));
  return reference.modules.map(({ path: first, also = [], class: name, called, identity }): ModuleResult => {
    // A module of several paths has its hook point at the one that the forward pass calls it by.
    const path = [first, ...also].find((one) => described.has(one)) ?? first;
    const module = described.get(path);
    const hooked = (module?.outputs.length ?? 0) > 0;
    const computes = called && !identity;
    const error = errors.get(path);
    return {
      path,
      class: name,
      computes,
      hooked,
      error,
      inputError: inputs.get(path),
      reason: hooked ? undefined : reasonOf(called, identity, module?.missing),
    };
  });
}

function reasonOf(called: boolean, identity: boolean, missing: string | undefined): string {
  if (!called) return 'never called: it holds modules, or is unused';
  if (identity) return 'gives on what it takes, and exporters leave that out';
  return missing ?? 'the export has no trace of it';
}

function othersOf(reference: Reference, description: ModelDescription): string[] {
  const known = new Set(reference.modules.map(({ path }) => path));
  return description.modules
    .filter(({ path, outputs }) => outputs.length > 0 && !known.has(path))
    .map(({ path }) => path);
}
