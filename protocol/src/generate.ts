/** How a run goes on for more than one pass (PROTOCOL.md, section 6.2): its options, and what became of it. */
import * as z from 'zod/mini';
import type { ModelDescription } from './description.ts';
import type { ErrorBody } from './errors.ts';
import { name, uint } from './fields.ts';
import type { Graph } from './graph.ts';
import { plural } from './words.ts';

export const generate = z.strictObject({
  /** Tokens to choose at most. */
  maxNewTokens: uint.check(z.gte(1)),
  /** 0, and none, is greedy. */
  temperature: z.optional(z.number().check(z.gte(0), z.lte(Number.MAX_VALUE))),
  topK: z.optional(uint.check(z.gte(1))),
  topP: z.optional(z.number().check(z.gt(0), z.lte(1))),
  repetitionPenalty: z.optional(z.number().check(z.gt(0), z.lte(Number.MAX_VALUE))),
  seed: z.optional(uint),
  /** In place of the model's end of text; an empty list goes on through it. */
  stopTokens: z.optional(z.array(uint).check(z.maxLength(64))),
  stopStrings: z.optional(z.array(name).check(z.maxLength(64))),
});

/** Why an invoke's generation ended; `cut`: the run was cancelled or failed. */
export const ENDS = ['length', 'token', 'string', 'stop', 'cut'] as const;

/** What came of one invoke; `steps`, where there are several: how many passes began before it ended. */
export const generated = z.strictObject({ tokens: uint, end: z.enum(ENDS), steps: z.optional(uint) });

/** How tokens are chosen, and when to end (PROTOCOL.md, section 6.2). */
export type Generate = z.infer<typeof generate>;
/** What came of one prompt. */
export type Generated = z.infer<typeof generated>;

/** One trace of a run. */
export interface TraceGraph {
  readonly graph: Graph;
  /** Of more passes than one. */
  readonly generate?: Generate | undefined;
}

/** Why a prompt of so many tokens can't have so many more. The last token chosen is not run, so it needs no room. */
export function lengthFault(
  tokens: number,
  { maxNewTokens }: Generate,
  { contextLength, name }: ModelDescription,
): ErrorBody | undefined {
  if (contextLength === undefined || tokens + maxNewTokens - 1 <= contextLength) return undefined;
  const most = Math.max(0, contextLength + 1 - tokens);
  const advice = most > 0 ? `at most ${most} fit: lower maxNewTokens, or shorten the prompt` : 'none fit';
  return {
    code: 'input_too_long',
    message: `${maxNewTokens} new tokens behind ${plural(tokens, 'token')} are more than the ${contextLength} that ${name} takes; ${advice}.`,
    path: 'options.generate.maxNewTokens',
    wanted: `at most ${most}`,
    got: String(maxNewTokens),
  };
}

/** What refuses a generation before anything runs, as far as that needs no tokenizer. */
export function generateFaults(graph: Graph, options: Generate, description: ModelDescription): ErrorBody[] {
  const { endOfText, vocabularySize, name } = description;
  if (endOfText === undefined) {
    const message = `${name} can’t generate: it was exported without a key/value cache. Export it with one, as optimum’s task text-generation-with-past does.`;
    return [{ code: 'not_offered', message, path: 'options.generate', wanted: 'generation' }];
  }
  const fed = graph.invokes.findIndex(({ input }) => !('ids' in input || 'text' in input));
  if (fed >= 0) {
    const path = `graph.invokes.${fed}.input`;
    const message = 'A generation begins with a text or token ids, not with feeds.';
    return [{ code: 'not_offered', message, path, wanted: 'text or ids', got: 'feeds' }];
  }
  const outside = options.stopTokens?.findIndex((id) => vocabularySize !== undefined && id >= vocabularySize);
  if (outside !== undefined && outside >= 0) {
    const got = options.stopTokens?.[outside];
    const path = `options.generate.stopTokens.${outside}`;
    const message = `There is no token ${got} to stop at: the vocabulary of ${name} ends at ${Number(vocabularySize) - 1}.`;
    return [
      { code: 'token_out_of_range', message, path, wanted: `below ${vocabularySize}`, got: String(got) },
    ];
  }
  return graph.invokes.flatMap(({ input }) => {
    const fault = lengthFault('ids' in input ? input.ids.length : 1, options, description);
    return fault ? [fault] : [];
  });
}
