/** What heads look at: patterns of chosen heads, and scores of all heads for a kind of pattern, reduced on the server. */
import { localError } from '../errors.ts';
import type { TraceInput } from '../input.ts';
import type { LanguageModel } from '../model.ts';
import { Tensor } from '../tensor.ts';
import { architectureOf, type Parts } from './architecture.ts';

/** One head of one block, both by number from 0. */
export interface Head {
  readonly block: number;
  readonly head: number;
}

/** The attention probabilities `[query, key]` of each of these heads. Rejects with `no_hook` where the export has none. */
export async function attentionPatterns(
  model: LanguageModel,
  input: TraceInput,
  heads: readonly Head[],
  { parts }: { readonly parts?: Parts | undefined } = {},
): Promise<Tensor[]> {
  const architecture = await architectureOf(model, parts);
  const saved = await model.trace(input, (m) =>
    heads.map(({ block, head }) => {
      const path = architecture.blocks[block];
      if (path === undefined)
        throw localError(
          'bad_input',
          `There are ${architecture.blocks.length} blocks, 0 to ${architecture.blocks.length - 1}, so no ${block}.`,
        );
      const attention = m.get(architecture.inBlock('attention', path));
      return attention.source.attentionProbabilities.slice(0, head).save();
    }),
  );
  return saved.map(({ value }) => value);
}

/**
 * `[blocks, heads]`: for each head, the sum over query and key of its probabilities times `weights` `[query, key]`. Rejects
 * with `no_hook` where the export has no probabilities, and `wrong_dims` where the weights are of another length than the prompt.
 */
export async function attentionScores(
  model: LanguageModel,
  input: TraceInput,
  weights: Tensor,
  { parts }: { readonly parts?: Parts | undefined } = {},
): Promise<Tensor> {
  const architecture = await architectureOf(model, parts);
  const saved = await model.trace(input, (m) => {
    const weight = m.constant(weights);
    return architecture.blocks.map((block) => {
      const { attentionProbabilities } = m.get(architecture.inBlock('attention', block)).source;
      return attentionProbabilities.mul(weight).sum([2, 3]).slice(0).save();
    });
  });
  const rows = saved.map(({ value }) => Array.from(value.data, Number));
  return Tensor.from(rows);
}

/** Weights that average what each position from the `offset`-th on gives to the one `offset` before it; 1 is the previous token. */
export function offsetWeights(tokens: number, offset: number): Tensor {
  const count = tokens - offset;
  if (!Number.isInteger(offset) || offset < 0 || count < 1)
    throw localError('bad_input', `Of ${tokens} tokens none looks ${offset} back.`);
  const data = new Float32Array(tokens * tokens);
  for (let query = offset; query < tokens; query++) data[query * tokens + query - offset] = 1 / count;
  return new Tensor('float32', [tokens, tokens], data);
}

/**
 * Weights for a prompt whose second half repeats its first: the average of what each position of the second half gives to the
 * token behind its earlier occurrence (Olsson et al., 2022, “In-context learning and induction heads”). `before` counts the
 * tokens ahead of the two halves.
 */
export function inductionWeights(tokens: number, before = 0): Tensor {
  const half = (tokens - before) / 2;
  if (!Number.isInteger(half) || half < 2)
    throw localError(
      'bad_input',
      `A prompt of two equal halves has an even number of tokens behind the first ${before}, not ${tokens - before}.`,
    );
  const data = new Float32Array(tokens * tokens);
  for (let query = before + half; query < tokens; query++) data[query * tokens + query - half + 1] = 1 / half;
  return new Tensor('float32', [tokens, tokens], data);
}
