/** Selections as users write them, `h.slice(0, -1)` or `h.slice(null, [2, null])`, made into the protocol's. */
import type { AxisRange, Selection } from '@tracewire/protocol';
import { localError } from './errors.ts';
import { describe } from './options.ts';

/**
 * What to take of one axis: an index (the axis is dropped), `[start, end]` or `[start, end, step]` as in Python
 * with null for an open end, the same as text (`'2:'`, `'::2'`), or null or `':'` for all of it.
 */
export type Selector =
  | number
  | null
  | string
  | readonly [start: number | null, end: number | null, step?: number | null];

/** Throws `bad_selection`. */
export function toSelection(selectors: readonly Selector[]): Selection {
  return selectors.map((selector, axis) => toEntry(selector, axis));
}

function toEntry(selector: Selector, axis: number): number | AxisRange {
  if (selector === null || selector === ':') return {};
  if (typeof selector === 'number') return integer(selector, axis);
  const parts = typeof selector === 'string' ? parseRange(selector, axis) : selector;
  if (!Array.isArray(parts) || parts.length < 2 || parts.length > 3) throw badSelector(parts, axis);
  const [start, end, step] = parts.map((part) => (part === null ? undefined : integer(part, axis)));
  if (step === 0) throw localError('bad_selection', `The step for axis ${axis} is 0.`, { got: '0' });
  return {
    ...(start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end }),
    ...(step === undefined ? {} : { step }),
  };
}

function parseRange(text: string, axis: number): (number | null)[] {
  if (!/^\s*(-?\d+)?\s*:\s*(-?\d+)?\s*(:\s*(-?\d+)?\s*)?$/.test(text)) throw badSelector(text, axis);
  return text.split(':').map((part) => (part.trim() === '' ? null : Number(part)));
}

function integer(value: unknown, axis: number): number {
  if (Number.isSafeInteger(value)) return value as number;
  throw badSelector(value, axis);
}

function badSelector(value: unknown, axis: number): Error {
  const got =
    typeof value === 'number' || typeof value === 'string' ? JSON.stringify(value) : describe(value);
  const wanted = 'an integer, [start, end], [start, end, step], "start:end", or null for all';
  return localError('bad_selection', `The selector for axis ${axis} is ${got}; wanted ${wanted}.`, {
    wanted,
    got,
  });
}
