/** The other side of the ratio of generation: a loop over the unsplit model in bare onnxruntime-node, its cache fed back. */
import path from 'node:path';
import * as ort from 'onnxruntime-node';

export interface BareGenerator {
  /** Greedy, through the end of text; gives the ids. */
  run(prompt: readonly number[], tokens: number): Promise<number[]>;
  release(): Promise<void>;
}

/** `spin: false` lets its threads sleep between runs, as the engine's do. */
export async function loadBareGenerator(folder: string, spin = true): Promise<BareGenerator> {
  const session = await ort.InferenceSession.create(path.join(folder, 'model.onnx'), {
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    ...(spin ? {} : { extra: { session: { force_spinning_stop: '1' } } }),
  });
  return {
    release: () => session.release(),
    async run(prompt, tokens) {
      const chosen: number[] = [];
      let cache = emptyCache(session);
      let ids = prompt;
      for (let past = 0; chosen.length < tokens; past += ids.length) {
        if (chosen.length > 0) ids = chosen.slice(-1);
        const outputs = await session.run({ ...cache, ...feedsOf(session, ids, past) });
        cache = nextCache(session, outputs);
        chosen.push(highest(outputs['logits']?.data as Float32Array, outputs['logits']?.dims.at(-1) ?? 0));
      }
      return chosen;
    },
  };
}

function feedsOf(session: ort.InferenceSession, ids: readonly number[], past: number) {
  const row = (values: readonly number[]): ort.Tensor =>
    new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
  const feeds: Record<string, ort.Tensor> = { input_ids: row(ids) };
  if (session.inputNames.includes('attention_mask'))
    feeds['attention_mask'] = row(new Array<number>(past + ids.length).fill(1));
  if (session.inputNames.includes('position_ids'))
    feeds['position_ids'] = row(ids.map((_, index) => past + index));
  return feeds;
}

function emptyCache(session: ort.InferenceSession): Record<string, ort.Tensor> {
  return Object.fromEntries(
    session.inputMetadata.flatMap((input): [string, ort.Tensor][] => {
      if (!input.isTensor || !input.name.startsWith('past_key_values')) return [];
      const dims = input.shape.map((dim, axis) => (typeof dim === 'number' ? dim : axis === 0 ? 1 : 0));
      return [[input.name, new ort.Tensor('float32', new Float32Array(0), dims)]];
    }),
  );
}

function nextCache(
  session: ort.InferenceSession,
  outputs: ort.InferenceSession.ReturnType,
): Record<string, ort.Tensor> {
  return Object.fromEntries(
    session.inputNames.flatMap((name): [string, ort.Tensor][] => {
      const value = outputs[name.replace('past_key_values', 'present')];
      return name.startsWith('past_key_values') && value ? [[name, value as ort.Tensor]] : [];
    }),
  );
}

function highest(logits: Float32Array, vocabulary: number): number {
  let best = logits.length - vocabulary;
  for (let index = best; index < logits.length; index++)
    if ((logits[index] ?? 0) > (logits[best] ?? 0)) best = index;
  return best - (logits.length - vocabulary);
}
