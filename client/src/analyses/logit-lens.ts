/**
 * The logit lens (nostalgebraist, 2020): what the model would say if it ended after each block, its final norm and unembedding
 * applied to the block's output. Only the most probable tokens leave the server.
 */
import type { TraceInput } from '../input.ts';
import type { LanguageModel } from '../model.ts';
import type { Tensor } from '../tensor.ts';
import { architectureOf, type Parts } from './architecture.ts';

/** Options of `logitLens`. */
export interface LogitLensOptions {
  /** Which position; the last if left out. Negative ones count from the end. */
  readonly position?: number | undefined;
  /** How many tokens of each block; 5 if left out. */
  readonly topK?: number | undefined;
  readonly parts?: Parts | undefined;
}

/** What the model would say after one block; `block` is its path. */
export interface LensRow {
  readonly block: string;
  /** `[topK]`, the most probable first. */
  readonly tokens: Tensor;
  /** `[topK]`. */
  readonly probabilities: Tensor;
}

/** One row a block. Rejects as `trace` does, and with `bad_input` where a part of the model isn't found. */
export async function logitLens(
  model: LanguageModel,
  input: TraceInput,
  { position = -1, topK = 5, parts }: LogitLensOptions = {},
): Promise<LensRow[]> {
  const architecture = await architectureOf(model, parts);
  const [norm, unembedding] = [architecture.part('finalNorm'), architecture.part('unembedding')];
  const rows = await model.trace(input, (m) =>
    architecture.blocks.map((block) => {
      const hidden = m.get(block).output[0].slice(null, [position, position === -1 ? null : position + 1]);
      const { values, indices } = m.get(unembedding)(m.get(norm)(hidden)).slice(0, 0).softmax().topK(topK);
      return { block, tokens: indices.save(), probabilities: values.save() };
    }),
  );
  return rows.map(({ block, tokens, probabilities }) => ({
    block,
    tokens: tokens.value,
    probabilities: probabilities.value,
  }));
}
