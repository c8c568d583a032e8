/**
 * Learns the dtype and dims of every value by running the whole model on a few small inputs of different
 * sizes: an axis that follows the batch, the sequence or the cache is named so. Measured rather than inferred,
 * it holds for every operator that the runtime has.
 */
import type { TensorLike } from '@tracewire/protocol';
import { AXES, FeedMaker, type FeedSizes } from '../feeds.ts';
import type { ModelGraph } from '../onnx/graph.ts';
import { encodeModel } from '../onnx/schema.ts';
import type { Runtime, ValueType } from '../runtime/runtime.ts';
import { findMixed } from './probe-batch.ts';

/** Sizes that no two of which, nor their sums and products, are alike. */
const PROBES: readonly FeedSizes[] = [
  { batch: 2, sequence: 5, past: 0 },
  { batch: 3, sequence: 5, past: 0 },
  { batch: 2, sequence: 7, past: 0 },
];
/** Fused attention takes several new tokens after a cache for one row only. */
const CACHE_PROBE: FeedSizes = { batch: 1, sequence: 5, past: 3 };
/** Where dims follow from what the values are, such as how many tokens an expert gets, more and longer inputs tell. */
const VALUE_PROBES: readonly FeedSizes[] = [
  { batch: 1, sequence: 11, past: 0 },
  { batch: 3, sequence: 13, past: 0 },
];
const BY_VALUE = new Set(['NonZero', 'Unique', 'Compress']);

export async function probeTypes(
  graph: ModelGraph,
  runtime: Runtime,
  config: Readonly<Record<string, unknown>>,
): Promise<Map<string, ValueType>> {
  const feedMaker = new FeedMaker(graph, config);
  const byValue = valuesByValue(graph);
  const probes = [
    ...PROBES,
    ...(feedMaker.hasCache ? [CACHE_PROBE] : []),
    ...(byValue.size > 0 ? VALUE_PROBES : []),
  ];
  // Where dims don't follow from values, any token will do.
  const vocabulary = byValue.size > 0 ? Number(config['vocab_size'] ?? 2) : 1;
  const values = [...graph.values()];
  const model = encodeModel({
    ...graph.model,
    graph: { ...graph.model.graph, output: values.map((name) => ({ name })), value_info: [] },
  });
  const segment = await runtime.createSegment(model, { optimize: false });
  try {
    const seen: ReadonlyMap<string, TensorLike>[] = [];
    for (const sizes of probes) {
      const feeds = feedMaker.make(idsFor(sizes, vocabulary), sizes);
      seen.push(new Map([...feeds, ...(await segment.run(feeds, values))]));
    }
    const types = new Map(
      [...(seen[0]?.entries() ?? [])].map(([name, { dtype }]): [string, ValueType] => [
        name,
        { dtype, dims: dimsOf(name, seen, probes, byValue.has(name)) },
      ]),
    );
    const mixed = await findMixed(segment, feedMaker, types, values);
    return new Map(
      [...types].map(([name, type]) => [name, mixed.has(name) ? { ...type, mixed: true } : type]),
    );
  } finally {
    await segment.release();
  }
}

/** Values whose dims follow from other values, and all that is computed of them. */
function valuesByValue(graph: ModelGraph): Set<string> {
  const found = new Set<string>();
  for (const { op_type, input, output } of graph.nodes) {
    if (BY_VALUE.has(op_type) || input.some((value) => found.has(value)))
      for (const value of output) found.add(value);
  }
  return found;
}

/** Token ids that are not alike, always the same ones (a linear congruential generator's). */
function idsFor({ batch, sequence, past }: FeedSizes, vocabulary: number): number[] {
  let state = batch * 1009 + sequence * 31 + past;
  return Array.from({ length: batch * sequence }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * vocabulary);
  });
}

function dimsOf(
  name: string,
  seen: readonly ReadonlyMap<string, TensorLike>[],
  probes: readonly FeedSizes[],
  byValue: boolean,
): (number | string)[] {
  const shapes = seen.map((run) => run.get(name)?.dims ?? []);
  const rank = shapes[0]?.length ?? 0;
  if (shapes.some((shape) => shape.length !== rank)) return [];
  return Array.from({ length: rank }, (_, axis) =>
    nameAxis(
      shapes.map((shape) => shape[axis] ?? 0),
      probes,
      byValue,
    ),
  );
}

/** A fixed size, a formula's name, or `?` for what follows none. */
function nameAxis(sizes: readonly number[], probes: readonly FeedSizes[], byValue: boolean): number | string {
  const first = sizes[0] ?? 0;
  // Where values decide, that none was there in any probe says nothing.
  if (byValue && sizes.includes(0)) return '?';
  if (sizes.every((size) => size === first)) return first;
  const follows = AXES.find(({ size }) => probes.every((probe, index) => size(probe) === sizes[index]));
  return follows?.name ?? '?';
}
