/** Selections as users write them, `h.slice(0, -1)` or `h.slice(null, [2, null])`, made into the protocol's. */
import type { AxisIndices, AxisRange, Selection } from '@tracewire/protocol';
import { localError } from './errors.ts';
import { Operand } from './operand.ts';
import { describe } from './options.ts';

/**
 * What to take of one axis: an index (the axis is dropped), `[start, end]` or `[start, end, step]` as in Python
 * with null for an open end, the same as text (`'2:'`, `'::2'`), `{ indices: [0, 5] }` for a list of them, or null or
 * `':'` for all of it. A list of booleans, one for each index, chooses where to write.
 */
export type Selector =
  | number
  | null
  | string
  | readonly [start: number | null, end: number | null, step?: number | null]
  | { readonly indices: readonly number[] }
  | readonly boolean[];

/** Where a list of booleans stood. */
export interface AxisMask {
  readonly axis: number;
  readonly chosen: readonly boolean[];
}

/** Lists of booleans are taken out, for they are no part of a selection; their axes are whole. Throws `bad_selection`. */
export function toSelection(selectors: readonly Selector[]): {
  readonly selection: Selection;
  readonly mask: AxisMask | undefined;
} {
  const masks = selectors.flatMap((selector, axis) => (isMask(selector) ? [{ axis, chosen: selector }] : []));
  if (masks.length > 1) {
    const message =
      'A selection takes one list of booleans. For several axes write .masked(…) with a bool tensor.';
    throw localError('bad_selection', message);
  }
  return { selection: selectors.map((selector, axis) => toEntry(selector, axis)), mask: masks[0] };
}

/** For reading: what a list of booleans takes has dims that depend on it. Throws `bad_selection`. */
export function toReadSelection(selectors: readonly Selector[]): Selection {
  const { selection, mask } = toSelection(selectors);
  if (mask) throw maskRead();
  return selection;
}

export function maskRead(): Error {
  const message =
    'A list of booleans chooses where to write; to read, give the indices: { indices: [0, 2] }, or choose values with where(mask, a, b).';
  return localError('bad_selection', message);
}

const isMask = (selector: Selector): selector is readonly boolean[] =>
  Array.isArray(selector) && selector.length > 0 && selector.every((entry) => typeof entry === 'boolean');

const isIndices = (selector: unknown): selector is AxisIndices =>
  typeof selector === 'object' &&
  selector !== null &&
  'indices' in selector &&
  Array.isArray(selector.indices);

function toEntry(selector: Selector, axis: number): number | AxisRange | AxisIndices {
  if (isMask(selector)) return {};
  if (isIndices(selector)) return { indices: selector.indices.map((index) => integer(index, axis)) };
  if (selector === null || selector === ':') return {};
  if (typeof selector === 'number') return integer(selector, axis);
  const parts = typeof selector === 'string' ? parseRange(selector, axis) : selector;
  if (!Array.isArray(parts) || parts.length < 2 || parts.length > 3) throw badSelector(parts, axis);
  const [start, end, step] = parts.map((part: unknown) => (part === null ? undefined : integer(part, axis)));
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
  if (value instanceof Operand) {
    const message = `The selector for axis ${axis} is a placeholder, and a selection is fixed when the trace is written. Write m.op("Gather", [value, index], { axis: ${axis} }), or op "GatherElements" or "Where".`;
    return localError('misuse', message);
  }
  const got =
    typeof value === 'number' || typeof value === 'string' ? JSON.stringify(value) : describe(value);
  const wanted =
    'an integer, [start, end], [start, end, step], "start:end", { indices: […] }, or null for all';
  return localError('bad_selection', `The selector for axis ${axis} is ${got}; wanted ${wanted}.`, {
    wanted,
    got,
  });
}
