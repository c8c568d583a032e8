/** Nested arrays of numbers ↔ flat elements with dims. */
import { describe } from './options.ts';
import type { Scalar } from './scalar.ts';

/** A number, or rows of them to any depth; all rows of one depth have one length. */
export type Nested = Scalar | readonly Nested[];

/** Flat elements, row-major, or the reason why the arrays are no tensor. */
export type Flat = { readonly dims: readonly number[]; readonly elements: readonly Scalar[] };

export function flatten(nested: Nested): Flat | { readonly fault: string } {
  const dims = dimsOf(nested);
  const elements: Scalar[] = [];
  const fault = collect(nested, dims, 0, elements);
  return fault === undefined ? { dims, elements } : { fault };
}

function dimsOf(nested: Nested): number[] {
  const dims: number[] = [];
  for (let level: Nested | undefined = nested; Array.isArray(level); level = level[0])
    dims.push(level.length);
  return dims;
}

function collect(
  nested: unknown,
  dims: readonly number[],
  depth: number,
  into: Scalar[],
): string | undefined {
  const length = dims[depth];
  if (length === undefined) {
    if (!isScalar(nested)) return `an element is ${describe(nested)}, not a number`;
    into.push(nested);
    return undefined;
  }
  if (!Array.isArray(nested) || nested.length !== length) {
    const got = Array.isArray(nested) ? `one of ${nested.length}` : describe(nested);
    return `rows at depth ${depth} have ${length} entries, and there is ${got}`;
  }
  for (const row of nested) {
    const fault = collect(row, dims, depth + 1, into);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

export function isScalar(value: unknown): value is Scalar {
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean';
}

/** Nested arrays of what `element` gives for each flat position; a scalar for no dims. */
export function nest<T>(dims: readonly number[], element: (position: number) => T): NestedOf<T> {
  let position = 0;
  const level = (depth: number): NestedOf<T> => {
    const length = dims[depth];
    if (length === undefined) return element(position++);
    return Array.from({ length }, () => level(depth + 1));
  };
  return level(0);
}

export type NestedOf<T> = T | NestedOf<T>[];
