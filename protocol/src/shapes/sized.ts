/** Named axes of a description, once it is known how many tokens there are (PROTOCOL.md, section 4). */
import type { Dim, Dims } from './dim.ts';

/** Sizes of named axes. */
export type Sizes = ReadonlyMap<string, number>;

/** Of a pass over so many tokens of one prompt, with nothing in the cache. */
export function sizesOfPass(tokens: number): Sizes {
  return new Map([
    ['batch', 1],
    ['sequence', tokens],
    ['past', 0],
  ]);
}

/** `past + sequence`, `batch * sequence`: a number where all names in it are known. */
export function sizedDim(dim: Dim, sizes: Sizes): number | undefined {
  if (typeof dim === 'number') return dim;
  let sum = 0;
  for (const term of dim.split(' + ')) {
    let product = 1;
    for (const name of term.split(' * ')) product *= sizes.get(name) ?? Number.NaN;
    sum += product;
  }
  return Number.isNaN(sum) ? undefined : sum;
}

/** The dims with the names that are known in numbers. */
export function sizedDims(dims: Dims, sizes: Sizes): Dims {
  return dims.map((dim) => sizedDim(dim, sizes) ?? dim);
}
