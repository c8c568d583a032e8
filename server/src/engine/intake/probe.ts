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
const CACHE_PROBE: FeedSizes = { batch: 2, sequence: 5, past: 3 };

export async function probeTypes(graph: ModelGraph, runtime: Runtime): Promise<Map<string, ValueType>> {
  const feedMaker = new FeedMaker(graph);
  const probes = feedMaker.hasCache ? [...PROBES, CACHE_PROBE] : PROBES;
  const values = [...graph.values()];
  const model = encodeModel({
    ...graph.model,
    graph: { ...graph.model.graph, output: values.map((name) => ({ name })), value_info: [] },
  });
  const segment = await runtime.createSegment(model, { optimize: false });
  try {
    const seen: ReadonlyMap<string, TensorLike>[] = [];
    for (const sizes of probes) {
      const feeds = feedMaker.make(new Array<number>(sizes.batch * sizes.sequence).fill(0), sizes);
      seen.push(new Map([...feeds, ...(await segment.run(feeds, values))]));
    }
    const types = new Map(
      [...(seen[0]?.entries() ?? [])].map(([name, { dtype }]): [string, ValueType] => [
        name,
        { dtype, dims: dimsOf(name, seen, probes) },
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

function dimsOf(
  name: string,
  seen: readonly ReadonlyMap<string, TensorLike>[],
  probes: readonly FeedSizes[],
): (number | string)[] {
  const shapes = seen.map((run) => run.get(name)?.dims ?? []);
  const rank = shapes[0]?.length ?? 0;
  if (shapes.some((shape) => shape.length !== rank)) return [];
  return Array.from({ length: rank }, (_, axis) =>
    nameAxis(
      shapes.map((shape) => shape[axis] ?? 0),
      probes,
    ),
  );
}

/** A fixed size, a formula's name, or `?` for what follows none. */
function nameAxis(sizes: readonly number[], probes: readonly FeedSizes[]): number | string {
  const first = sizes[0] ?? 0;
  if (sizes.every((size) => size === first)) return first;
  const follows = AXES.find(({ size }) => probes.every((probe, index) => size(probe) === sizes[index]));
  return follows?.name ?? '?';
}
