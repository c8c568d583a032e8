/** A trace's input as users write it, text or token ids, made into the protocol's. */
import type { Input } from '@tracewire/protocol';
import { localError } from './errors.ts';
import { describe } from './options.ts';
import { Tensor } from './tensor.ts';

/** Text, or token ids in an array, a typed array, or an integer tensor such as an earlier result. */
export type TraceInput = string | readonly number[] | ArrayLike<number | bigint> | Tensor;

/** Throws `bad_input`. Length and range are checked against the model later. */
export function toInput(input: TraceInput): Input {
  return typeof input === 'string' ? { text: toText(input) } : { ids: toIds(input) };
}

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
    throw badInput(input, 'text or a list of token ids');
  }
  return Array.from(ids as ArrayLike<unknown>, toId);
}

function toId(id: unknown, position: number): number {
  const number = typeof id === 'bigint' ? Number(id) : id;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number;
  const got = typeof id === 'number' ? String(id) : describe(id);
  const message = `Token ${position} of the input is ${got}; a token id is an integer from 0 up.`;
  throw localError('bad_input', message, { wanted: 'an integer from 0 up', got });
}

function badInput(input: unknown, wanted: string): Error {
  const got = describe(input);
  return localError('bad_input', `The input is ${got}; wanted ${wanted}.`, { wanted, got });
}
