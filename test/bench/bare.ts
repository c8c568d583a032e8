/** The other side of each ratio: the unsplit model in bare onnxruntime-node with its best settings. */
import path from 'node:path';
import * as ort from 'onnxruntime-node';

export interface BareModel {
  /** One pass over these ids, the cache empty; fetches the logits. The feeds are made once for each number of ids. */
  run(ids: readonly number[]): Promise<unknown>;
  release(): Promise<void>;
}

/** `spin: false` lets its threads sleep between runs, as the engine's do. */
export async function loadBare(folder: string, threads = 0, spin = true): Promise<BareModel> {
  const session = await ort.InferenceSession.create(path.join(folder, 'model.onnx'), {
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    ...(threads > 0 ? { intraOpNumThreads: threads } : {}),
    ...(spin ? {} : { extra: { session: { force_spinning_stop: '1' } } }),
  });
  const feeds = new Map<number, Record<string, ort.Tensor>>();
  const feedsFor = (ids: readonly number[]): Record<string, ort.Tensor> => {
    const known = feeds.get(ids.length) ?? Object.fromEntries(metadataOf(session).map(feedFor(ids)));
    feeds.set(ids.length, known);
    return known;
  };
  const logits = session.outputNames.includes('logits') ? ['logits'] : session.outputNames.slice(0, 1);
  return { run: (ids) => session.run(feedsFor(ids), logits), release: () => session.release() };
}

function metadataOf(session: ort.InferenceSession): ort.InferenceSession.TensorValueMetadata[] {
  return session.inputMetadata.map((input) => {
    if (!input.isTensor) throw new Error(`${input.name} is no tensor.`);
    return input;
  });
}

function feedFor(ids: readonly number[]) {
  const integers = (values: readonly number[]): ort.Tensor =>
    new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
  return ({ name, type, shape }: ort.InferenceSession.TensorValueMetadata): [string, ort.Tensor] => {
    if (name === 'input_ids') return [name, integers(ids)];
    if (name === 'attention_mask') return [name, integers(ids.map(() => 1))];
    if (name === 'position_ids') return [name, integers(ids.map((_, index) => index))];
    const dims = shape.map((dim, axis) => (typeof dim === 'number' ? dim : axis === 0 ? 1 : 0));
    if (type !== 'float32') throw new Error(`No feed for ${name} of ${type}.`);
    return [name, new ort.Tensor('float32', new Float32Array(dims.reduce((a, b) => a * b, 1)), dims)];
  };
}
