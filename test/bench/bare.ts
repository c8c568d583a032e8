/** The other side of each ratio: the unsplit model in bare onnxruntime-node with its best settings. */
import path from 'node:path';
import * as ort from 'onnxruntime-node';

export interface BareModel {
  /** One pass; fetches the logits. */
  run(): Promise<unknown>;
  release(): Promise<void>;
}

/** The feeds of a language model's export for these ids, its cache empty. */
export async function loadBare(folder: string, ids: readonly number[], threads: number): Promise<BareModel> {
  const session = await ort.InferenceSession.create(path.join(folder, 'model.onnx'), {
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    ...(threads > 0 ? { intraOpNumThreads: threads } : {}),
  });
  const feeds: Record<string, ort.Tensor> = {};
  for (const input of session.inputMetadata) {
    if (!input.isTensor) throw new Error(`${input.name} is no tensor.`);
    feeds[input.name] = feedFor(input, ids);
  }
  const logits = session.outputNames.includes('logits') ? ['logits'] : session.outputNames.slice(0, 1);
  return { run: () => session.run(feeds, logits), release: () => session.release() };
}

function feedFor(
  { name, type, shape }: ort.InferenceSession.TensorValueMetadata,
  ids: readonly number[],
): ort.Tensor {
  const length = ids.length;
  const integers = (values: readonly number[]): ort.Tensor =>
    new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [1, length]);
  if (name === 'input_ids') return integers(ids);
  if (name === 'attention_mask') return integers(ids.map(() => 1));
  if (name === 'position_ids') return integers(ids.map((_, index) => index));
  const dims = shape.map((dim, axis) => (typeof dim === 'number' ? dim : axis === 0 ? 1 : 0));
  if (type !== 'float32') throw new Error(`No feed for ${name} of ${type}.`);
  return new ort.Tensor('float32', new Float32Array(dims.reduce((a, b) => a * b, 1)), dims);
}
