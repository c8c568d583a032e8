/**
 * Several prompts in one pass are rows of one batch, each padded on its right to the longest. What one of them sees of
 * a value is its *part*: its own row, and of each sequence axis its own tokens. Parts are copied, and no more than them.
 */
import { DTYPES, elementCount, type TensorLike } from '@tracewire/protocol';
import { type FeedSizes, sizeOf } from './feeds.ts';

/** A box of a tensor: where it begins on each axis, and how much of each it takes. */
export interface Part {
  readonly starts: readonly number[];
  readonly counts: readonly number[];
}

/** The sizes of a pass in which a prompt of this length ran alone, behind `past` tokens of earlier passes. */
export function sizesAlone(length: number, past = 0): FeedSizes {
  return { batch: 1, sequence: length, past };
}

/** The sizes of one pass over prompts of these lengths. */
export function sizesTogether(lengths: readonly number[]): FeedSizes {
  return { batch: lengths.length, sequence: Math.max(0, ...lengths), past: 0, lengths };
}

/** Token ids as the pass takes them, row by row; what a row is padded with means nothing, for nothing looks at it. */
export function padRows(rows: readonly (readonly number[])[]): number[] {
  const longest = Math.max(0, ...rows.map((row) => row.length));
  return rows.flatMap((row) => [...row, ...new Array<number>(longest - row.length).fill(0)]);
}

/** The part of a row, by the formulas of the value's axes; undefined where they don't tell. */
export function partOf(dims: readonly (number | string)[], row: number, length: number): Part | undefined {
  if (dims.includes('batch * sequence')) return undefined;
  const counts = dims.map((dim) => sizeOf(dim, sizesAlone(length)));
  if (!counts.every((count) => count !== '?')) return undefined;
  return { starts: dims.map((dim) => (dim === 'batch' ? row : 0)), counts };
}

/** A copy of a part. */
export function cut({ dtype, dims, data }: TensorLike, part: Part): TensorLike {
  const copy = new DTYPES[dtype].array(elementCount(part.counts));
  eachRun(dims, part, (at, to, length) => copy.set(data.subarray(at, at + length) as never, to));
  return { dtype, dims: part.counts, data: copy };
}

/** Puts a value of the part's dims into the tensor itself. */
export function paste(target: TensorLike, part: Part, value: TensorLike): void {
  eachRun(target.dims, part, (at, from, length) =>
    target.data.set(value.data.subarray(from, from + length) as never, at),
  );
}

/** Calls back for each stretch of the part that lies unbroken in the whole: where there, where in the part, how long. */
function eachRun(
  dims: readonly number[],
  { starts, counts }: Part,
  visit: (at: number, from: number, length: number) => void,
): void {
  let inner = dims.length - 1;
  while (inner > 0 && counts[inner] === dims[inner]) inner -= 1;
  const unit = elementCount(dims.slice(inner + 1));
  const length = (counts[inner] ?? 1) * unit;
  if (elementCount(counts) === 0) return;
  let from = 0;
  const walk = (axis: number, at: number): void => {
    const start = starts[axis] ?? 0;
    const size = dims[axis] ?? 1;
    if (axis >= inner) {
      visit((at * size + start) * unit, from, length);
      from += length;
      return;
    }
    for (let index = 0; index < (counts[axis] ?? 1); index++) walk(axis + 1, at * size + start + index);
  };
  walk(0, 0);
}
