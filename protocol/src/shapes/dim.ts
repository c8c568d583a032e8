/**
 * Dims as far as they are known before anything runs. An axis is a size, the name of one that only the input tells
 * (`sequence`), or `?`. What isn't known is never wrong: rules refuse only what can't be right.
 */
import type { TensorLike } from '../tensor.ts';

export type Dim = number | string;
export type Dims = readonly Dim[];

/** An axis of which nothing is known. */
export const ANY = '?';

/** What is known of a tensor besides its dtype. */
export interface Shape {
  /** Absent where not even the number of axes is known. */
  readonly dims?: Dims | undefined;
  /** Most elements that it can have, where the data decides how many there are. */
  readonly most?: number | undefined;
  /** The elements of a small tensor, row-major, where they are known: ends of ranges, axes, dims. */
  readonly values?: Dims | undefined;
}

/** Tensors of more elements are data, not ends of ranges, axes or dims. */
export const MAX_VALUES = 64;

/** All that a tensor tells. */
export function shapeOf({ dtype, dims, data }: TensorLike): Shape {
  if (data.length > MAX_VALUES || dtype === 'float16') return { dims };
  return { dims, values: Array.from(data, Number) };
}

/** How many elements; undefined where an axis is open. */
export function countOf(dims: Dims | undefined): number | undefined {
  return dims?.reduce<number | undefined>(
    (product, dim) => (product === undefined || typeof dim === 'string' ? undefined : product * dim),
    1,
  );
}

/** The number of elements, or the most there can be. */
export function mostOf({ dims, most }: Shape): number | undefined {
  return countOf(dims) ?? most;
}

/** The one axis that both stand for; undefined if they can't be equal. */
export function unify(a: Dim, b: Dim): Dim | undefined {
  if (a === b) return a;
  if (typeof a === 'number') return typeof b === 'number' ? undefined : a;
  return typeof b === 'number' ? b : ANY;
}

/** An axis of the result of two that broadcast as in NumPy; undefined if they don't. */
export function broadcastDim(a: Dim, b: Dim): Dim | undefined {
  if (a === 1) return b;
  if (b === 1) return a;
  return unify(a, b);
}

/** Dims that broadcast as in NumPy; undefined if they don't. */
export function broadcastDims(a: Dims, b: Dims): Dims | undefined {
  const rank = Math.max(a.length, b.length);
  const dims: Dim[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const dim = broadcastDim(a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1);
    if (dim === undefined) return undefined;
    dims.push(dim);
  }
  return dims;
}

/** Whether dims broadcast to others without changing those. */
export function broadcastsTo(dims: Dims, wanted: Dims): boolean {
  const extra = wanted.length - dims.length;
  return (
    extra >= 0 && dims.every((dim, axis) => dim === 1 || unify(dim, wanted[axis + extra] ?? 1) !== undefined)
  );
}

/** `[1, sequence, 64]`. */
export function describeDims(dims: Dims | undefined): string {
  return dims ? `[${dims.join(', ')}]` : '[…]';
}
