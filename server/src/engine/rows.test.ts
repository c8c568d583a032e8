import type { TensorLike } from '@tracewire/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cut, padRows, partOf, paste, sizesTogether } from './rows.ts';

/** A tensor whose elements are all different. */
function numbered(dims: readonly number[]): TensorLike {
  const count = dims.reduce((product, dim) => product * dim, 1);
  return { dtype: 'float32', dims, data: Float32Array.from({ length: count }, (_, index) => index) };
}

/** The element at an index, the slow way. */
function at({ dims, data }: TensorLike, index: readonly number[]): number {
  return Number(data[dims.reduce((offset, dim, axis) => offset * dim + (index[axis] ?? 0), 0)]);
}

function indices(dims: readonly number[]): number[][] {
  return dims.reduce<number[][]>(
    (all, dim) => all.flatMap((index) => Array.from({ length: dim }, (_, next) => [...index, next])),
    [[]],
  );
}

const boxes = fc
  .array(fc.record({ dim: fc.integer({ min: 0, max: 4 }), a: fc.nat(4), b: fc.nat(4) }), { maxLength: 5 })
  .map((axes) => ({
    dims: axes.map(({ dim }) => dim),
    starts: axes.map(({ dim, a, b }) => Math.min(a, b, dim)),
    counts: axes.map(({ dim, a, b }) => Math.min(Math.max(a, b), dim) - Math.min(a, b, dim)),
  }));

describe('parts', () => {
  it('are cut and pasted element by element as they should be', () => {
    fc.assert(
      fc.property(boxes, ({ dims, starts, counts }) => {
        const whole = numbered(dims);
        const part = cut(whole, { starts, counts });
        expect(part.dims).toEqual(counts);
        const inWhole = (index: readonly number[]) => index.map((i, axis) => i + (starts[axis] ?? 0));
        for (const index of indices(counts)) expect(at(part, index)).toBe(at(whole, inWhole(index)));
        const minus = { ...part, data: Float32Array.from(part.data as Float32Array, (value) => -1 - value) };
        const target = { ...whole, data: whole.data.slice() };
        paste(target, { starts, counts }, minus);
        const written = new Set(indices(counts).map((index) => String(inWhole(index))));
        for (const index of indices(dims)) {
          const before = at(whole, index);
          expect(at(target, index)).toBe(written.has(String(index)) ? -1 - before : before);
        }
      }),
    );
  });

  it('are a row’s own tokens on every sequence axis', () => {
    const of = (...dims: (number | string)[]) => partOf(dims, 1, 3);
    expect(of('batch', 'sequence', 8)).toEqual({ starts: [1, 0, 0], counts: [1, 3, 8] });
    expect(of('batch', 4, 'sequence', 'past + sequence')).toEqual({
      starts: [1, 0, 0, 0],
      counts: [1, 4, 3, 3],
    });
    expect(of(1, 'sequence', 8)).toEqual({ starts: [0, 0, 0], counts: [1, 3, 8] });
    expect(of('batch * sequence', 8)).toBeUndefined();
    expect(of('?', 8)).toBeUndefined();
  });
});

it('pads on the right, and says how long each row is', () => {
  const rows = [[5, 6], [7], [8, 9, 10]];
  expect(padRows(rows)).toEqual([5, 6, 0, 7, 0, 0, 8, 9, 10]);
  expect(sizesTogether([2, 1, 3])).toEqual({ batch: 3, sequence: 3, past: 0, lengths: [2, 1, 3] });
});
