import type { Selection, TensorLike } from '@tracewire/protocol';
import { describe, expect, it } from 'vitest';
import { checkFits, writeSelection } from './selection.ts';

const float = (dims: number[], ...data: number[]): TensorLike => ({
  dtype: 'float32',
  dims,
  data: Float32Array.from(data),
});
const grid = float([2, 3], 0, 1, 2, 3, 4, 5);
const write = (selection: Selection, value: TensorLike): number[] =>
  [...writeSelection(grid, selection, value).data].map(Number);

describe('writing a selection', () => {
  it('takes indices, ranges and steps as Python does', () => {
    expect(write([0], float([3], 7, 8, 9))).toEqual([7, 8, 9, 3, 4, 5]);
    expect(write([-1, -1], float([], 9))).toEqual([0, 1, 2, 3, 4, 9]);
    expect(write([{}, { start: 1 }], float([2, 2], 6, 7, 8, 9))).toEqual([0, 6, 7, 3, 8, 9]);
    expect(write([{}, { step: -2 }], float([2], 8, 9))).toEqual([9, 1, 8, 9, 4, 8]);
    expect(write([{ start: -5, end: 50 }, 1], float([2], 8, 9))).toEqual([0, 8, 2, 3, 9, 5]);
    expect(write([{ start: 1, end: 1 }], float([1], 9))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(write([{}, { indices: [2, 0] }], float([2], 8, 9))).toEqual([9, 1, 8, 9, 4, 8]);
    expect(write([{ indices: [-1] }, { indices: [-1, 0, 0] }], float([1, 3], 7, 8, 9))).toEqual([
      0, 1, 2, 9, 4, 7,
    ]);
    expect(write([{ indices: [] }], float([], 9))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('leaves what the mask does not choose', () => {
    const masked = (selection: Selection, value: TensorLike, dims: number[], ...mask: number[]): number[] =>
      [
        ...writeSelection(grid, selection, value, { dtype: 'bool', dims, data: Uint8Array.from(mask) }).data,
      ].map(Number);
    expect(masked([], float([], 9), [3], 1, 0, 1)).toEqual([9, 1, 9, 9, 4, 9]);
    expect(masked([], float([2, 1], 8, 9), [2, 1], 0, 1)).toEqual([0, 1, 2, 9, 9, 9]);
    expect(masked([1, { indices: [2, 0] }], float([2], 8, 9), [2], 0, 1)).toEqual([0, 1, 2, 9, 4, 5]);
    expect(masked([], float([], 9), [], 0)).toEqual([0, 1, 2, 3, 4, 5]);
    for (const [dtype, dims] of [
      ['bool', [2]],
      ['bool', [1, 2, 3]],
      ['uint8', [3]],
    ] as const)
      expect(() =>
        writeSelection(grid, [], float([], 9), { dtype, dims: [...dims], data: new Uint8Array(6) }),
      ).toThrow(/mask/);
  });

  it('broadcasts the value', () => {
    expect(write([], float([], 9))).toEqual([9, 9, 9, 9, 9, 9]);
    expect(write([], float([2, 1], 8, 9))).toEqual([8, 8, 8, 9, 9, 9]);
  });

  it('leaves the original alone', () => {
    write([], float([], 9));
    expect([...grid.data]).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it.each<[Selection, TensorLike, string]>([
    [[2], float([3], 1, 2, 3), 'bad_selection'],
    [[{ step: 0 }], float([], 1), 'bad_selection'],
    [[{}, { indices: [0, 3] }], float([], 1), 'bad_selection'],
    [[{}, { indices: [0, 1] }], float([3], 1, 2, 3), 'wrong_dims'],
    [[0, 0, 0], float([], 1), 'bad_selection'],
    [[0], float([2], 1, 2), 'wrong_dims'],
    [[0, 0], float([1, 1], 1), 'wrong_dims'],
    [[0], { dtype: 'int64', dims: [], data: BigInt64Array.of(1n) }, 'wrong_dtype'],
  ])('refuses %j', (selection, value, code) => {
    expect(() => writeSelection(grid, selection, value)).toThrow(expect.objectContaining({ code }));
  });
});

describe('a value that replaces a whole one', () => {
  it('must have the place’s dtype and dims, unknown sizes apart', () => {
    expect(() => checkFits(grid, { dtype: 'float32', dims: [2, '?'] })).not.toThrow();
    expect(() => checkFits(grid, { dtype: 'float32', dims: [2, 4] })).toThrow(
      expect.objectContaining({ code: 'wrong_dims' }),
    );
    expect(() => checkFits(grid, { dtype: 'float16', dims: [2, 3] })).toThrow(
      expect.objectContaining({ code: 'wrong_dtype' }),
    );
  });
});
