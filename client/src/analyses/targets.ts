/** Which logits an analysis is about: one token's, or the difference of two. */
import { localError } from '../errors.ts';
import type { LanguageModel } from '../model.ts';
import { describe } from '../options.ts';
import type { Trace } from '../trace-context.ts';
import type { TracedValue } from '../traced.ts';

/** A token, by id or as text that is one token (`' Mary'`). */
export type Token = number | string;

/** The logit that counts: of one token, or how much it is above another's. */
export interface Target {
  readonly target: Token;
  /** The token whose logit is taken away; none if left out. */
  readonly versus?: Token | undefined;
}

/** The same by token ids. */
export interface TargetIds {
  readonly target: number;
  readonly versus: number | undefined;
}

/** Throws `bad_input` for text of several tokens or none. */
export async function targetIds(model: LanguageModel, { target, versus }: Target): Promise<TargetIds> {
  return {
    target: await idOf(model, target),
    versus: versus === undefined ? undefined : await idOf(model, versus),
  };
}

async function idOf(model: LanguageModel, token: Token): Promise<number> {
  if (typeof token === 'number' && Number.isSafeInteger(token) && token >= 0) return token;
  if (typeof token !== 'string')
    throw localError(
      'bad_input',
      `A token is an id or text, not ${typeof token === 'number' ? token : describe(token)}.`,
    );
  const { ids, tokens } = await model.tokenizer.encode(token);
  const [id] = ids;
  if (id !== undefined && ids.length === 1) return id;
  const message = `${JSON.stringify(token)} is ${ids.length} tokens${ids.length > 0 ? ` (${tokens.join(', ')})` : ''}, not one. Most words begin with a space: ${JSON.stringify(` ${token.trim()}`)}.`;
  throw localError('bad_input', message, { got: `${ids.length} tokens` });
}

/** The target's logit at a position, or the difference, as a scalar. */
export function logitOf(
  m: Trace,
  unembedding: string,
  { target, versus }: TargetIds,
  position: number,
): TracedValue {
  const logits = m.get(unembedding).output;
  const one = logits.slice(0, position, target);
  return versus === undefined ? one.add(0) : one.sub(logits.slice(0, position, versus));
}
