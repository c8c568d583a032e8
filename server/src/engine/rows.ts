/**
 * Several prompts in one pass are rows of one batch, each padded on its right to the longest. What one of them sees of
 * a value is its *part*: its own row, and of each sequence axis its own tokens. Parts are copied, and no more than them.
 */
import { DTYPES, elementCount, type TensorLike, zeros } from '@tracewire/protocol';
import { type Cached, cacheStart, type FeedSizes, sizeOf } from './feeds.ts';

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

/** The sizes of a pass over one more token of each row. */
export function sizesOfStep(cached: Cached): FeedSizes {
  return { batch: cached.own.length, sequence: 1, past: Math.max(...cached.own), cached };
}

/** Token ids as the pass takes them, row by row; what a row is padded with means nothing, for nothing looks at it. */
export function padRows(rows: readonly (readonly number[])[]): number[] {
  const longest = Math.max(0, ...rows.map((row) => row.length));
  return rows.flatMap((row) => [...row, ...new Array<number>(longest - row.length).fill(0)]);
}

/** The part of a row, by the formulas of the value's axes; undefined where they don't tell. `length`: its tokens in the pass. */
export function partOf(
  dims: readonly (number | string)[],
  row: number,
  length: number,
  cached?: Cached,
): Part | undefined {
  if (dims.includes('batch * sequence')) return undefined;
  const counts = dims.map((dim) => sizeOf(dim, sizesAlone(length, cached?.own[row])));
  if (!counts.every((count) => count !== '?')) return undefined;
  const kept = cached ? cacheStart(cached, row) : 0;
  const startOf = (dim: number | string): number =>
    dim === 'batch' ? row : dim === 'past' || dim === 'past + sequence' ? kept : 0;
  return { starts: dims.map(startOf), counts };
}

/** What a pass over padded prompts put into the cache, each row's own moved to the end: so the next token comes right behind it. */
export function moveToEnd(
  tensor: TensorLike,
  dims: readonly (number | string)[],
  lengths: readonly number[],
): TensorLike {
  const moved = zeros(tensor.dtype, tensor.dims);
  for (const row of lengths.keys()) {
    const [from, to] = (['right', 'left'] as const).map((padded) =>
      partOf(dims, row, 0, { own: lengths, padded }),
    );
    if (!from || !to) throw new Error('The rows of the cache can’t be told apart.');
    paste(moved, to, cut(tensor, from));
  }
  return moved;
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
