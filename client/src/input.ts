/** A trace's input as users write it, text, token ids or feeds by name, made into what the recorder takes. */
import { localError } from './errors.ts';
import { isLiteral, type Literal } from './literal.ts';
import { describe } from './options.ts';
import { Tensor } from './tensor.ts';

/** Feeds by the names that the model gives them, such as `pixel_values`; the server makes masks and positions. */
export type TraceFeeds = Readonly<Record<string, Literal>>;

/** Text; token ids in an array, a typed array, or an integer tensor such as an earlier result; or feeds by name. */
export type TraceInput = string | readonly number[] | ArrayLike<number | bigint> | Tensor | TraceFeeds;

/** What a trace starts from; the model's description tells the dtypes of feeds that are written as numbers. */
export type StartInput =
  | { readonly text: string }
  | { readonly ids: readonly number[] }
  | { readonly literals: TraceFeeds };

/** Throws `bad_input`. Length, range and the feeds' types are checked against the model later. */
export function toInput(input: TraceInput): StartInput {
  if (typeof input === 'string') return { text: toText(input) };
  return isPlain(input) ? { literals: toLiterals(input) } : { ids: toIds(input) };
}

/** Whether an object is of feeds rather than of options: it holds a tensor, an array or a typed array. */
export function isFeeds(input: unknown): boolean {
  return (
    isPlain(input) && Object.values(input).some((value) => typeof value === 'object' && isLiteral(value))
  );
}

function isPlain(input: unknown): input is Readonly<Record<string, unknown>> {
  if (typeof input !== 'object' || input === null) return false;
  const prototype: unknown = Object.getPrototypeOf(input);
  return prototype === Object.prototype || prototype === null;
}

function toLiterals(input: Readonly<Record<string, unknown>>): TraceFeeds {
  const given = Object.entries(input).filter(([, value]) => value !== undefined);
  if (given.length === 0) throw badInput(input, INPUTS);
  for (const [name, value] of given) {
    if (isLiteral(value)) continue;
    const got = describe(value);
    const message = `The feed ${name} is ${got}; wanted a tensor, a typed array, or numbers in arrays.`;
    throw localError('bad_input', message, { path: name, wanted: 'a tensor', got });
  }
  return Object.fromEntries(given) as TraceFeeds;
}

const INPUTS = 'text, a list of token ids, or feeds by name';

/** Throws `bad_input` for what is no text, or has half a surrogate pair, for which there is no UTF-8. */
export function toText(text: unknown): string {
  if (typeof text !== 'string') throw badInput(text, 'text');
  const at = text.search(/\p{Surrogate}/u);
  if (at < 0) return text;
  throw localError('bad_input', `The text has half a surrogate pair at position ${at}, so it can’t be sent.`);
}

/** Throws `bad_input` for what is no list of integers from 0 up. */
export function toIds(input: unknown): number[] {
  const ids = input instanceof Tensor ? input.data : input;
  if (!Array.isArray(ids) && !(ArrayBuffer.isView(ids) && !(ids instanceof DataView))) {
    throw badInput(input, INPUTS);
  }
  return Array.from(ids as ArrayLike<unknown>, toId);
}

function toId(id: unknown, position: number): number {
  const number = typeof id === 'bigint' ? Number(id) : id;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number;
  const got = typeof id === 'number' ? String(id) : describe(id);
  const several = typeof id === 'string' ? ' Several prompts go in by t.invoke(prompt, (m) => …).' : '';
  const message = `Token ${position} of the input is ${got}; a token id is an integer from 0 up.${several}`;
  throw localError('bad_input', message, { wanted: 'an integer from 0 up', got });
}

function badInput(input: unknown, wanted: string): Error {
  const got = describe(input);
  return localError('bad_input', `The input is ${got}; wanted ${wanted}.`, { wanted, got });
}
