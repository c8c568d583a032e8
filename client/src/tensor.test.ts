import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { Tensor, TracewireError } from './index.ts';

const range = (length: number, each: (index: number) => number = (index) => index) =>
  Float32Array.from({ length }, (_, index) => each(index));

test('prints fixed decimals in aligned columns, as PyTorch does', () => {
  expect(
    String(
      Tensor.from([
        [0.15591, -0.7946],
        [12.5, 0],
      ]),
    ),
  ).toBe('tensor([[ 0.1559, -0.7946],\n        [12.5000,  0.0000]], dims [2, 2], float32)');
});

test('prints whole floats with a dot and integers without', () => {
  expect(String(Tensor.from([1, -20, 3]))).toBe('tensor([  1., -20.,   3.], dims [3], float32)');
  expect(String(Tensor.from([1, -20, 3], 'int64'))).toBe('tensor([  1, -20,   3], dims [3], int64)');
  expect(String(Tensor.from([true, false], 'bool'))).toBe('tensor([ true, false], dims [2], bool)');
});

test('prints scientific notation where the range needs it', () => {
  expect(String(Tensor.from([0.00001234, 0.5]))).toBe('tensor([1.2340e-05, 5.0000e-01], dims [2], float32)');
});

test('prints nan and infinities', () => {
  const tensor = Tensor.from([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0.5]);
  expect(String(tensor)).toBe('tensor([   nan,    inf,   -inf, 0.5000], dims [4], float32)');
});

test('prints scalars and empty tensors', () => {
  expect(String(Tensor.from(0.25))).toBe('tensor(0.2500, dims [], float32)');
  expect(String(new Tensor('float32', [0, 3], new Float32Array()))).toBe('tensor([], dims [0, 3], float32)');
});

test('leaves out the middle beyond 1000 elements', () => {
  const tensor = new Tensor(
    'float32',
    [1, 8, 128],
    range(1024, (index) => 1 + index / 1000),
  );
  const text = String(tensor);
  expect(text.split('\n')).toEqual([
    'tensor([[[1.0000, 1.0010, 1.0020,  ..., 1.1250, 1.1260, 1.1270],',
    '         [1.1280, 1.1290, 1.1300,  ..., 1.2530, 1.2540, 1.2550],',
    '         [1.2560, 1.2570, 1.2580,  ..., 1.3810, 1.3820, 1.3830],',
    '         ...,',
    '         [1.6400, 1.6410, 1.6420,  ..., 1.7650, 1.7660, 1.7670],',
    '         [1.7680, 1.7690, 1.7700,  ..., 1.8930, 1.8940, 1.8950],',
    '         [1.8960, 1.8970, 1.8980,  ..., 2.0210, 2.0220, 2.0230]]], dims [1, 8, 128], float32)',
  ]);
  expect(String(new Tensor('float32', [1000], range(1000)))).not.toContain('...');
});

test('breaks long rows and separates matrices by a blank line', () => {
  const row = String(
    new Tensor(
      'float32',
      [12],
      range(12, (index) => index + 0.5),
    ),
  );
  expect(row.split('\n').map((line) => line.length > 80)).not.toContain(true);
  expect(String(Tensor.from([[[1]], [[2]]]))).toBe(
    'tensor([[[1.]],\n\n        [[2.]]], dims [2, 1, 1], float32)',
  );
});

test('console.log shows what toString gives', () => {
  const tensor = Tensor.from([1.5, 2.5]);
  expect(inspect(tensor)).toBe(String(tensor));
  expect(inspect([tensor])).toContain('tensor([1.5000, 2.5000]');
});

test('item gives a number when that is safe, else a bigint', () => {
  expect(Tensor.from(3, 'int64').item()).toBe(3);
  expect(Tensor.from(2n ** 60n, 'int64').item()).toBe(2n ** 60n);
  expect(Tensor.from([[true]], 'bool').item()).toBe(true);
  expect(Tensor.from(0.1, 'float16').item()).toBeCloseTo(0.1, 3);
  expect(() => Tensor.from([1, 2]).item()).toThrow(/item\(\) wants one element; this tensor has 2/);
});

test('float16 holds bits and reads as numbers', () => {
  const tensor = Tensor.from(
    [
      [1, -2],
      [65504, 1e9],
    ],
    'float16',
  );
  expect(tensor.data).toEqual(Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x7c00));
  expect(tensor.toArray()).toEqual([
    [1, -2],
    [65504, Number.POSITIVE_INFINITY],
  ]);
});

test('at and row count from the end too, and refuse what is not there', () => {
  const tensor = new Tensor('float32', [2, 3], range(6));
  expect(tensor.at(1, -1)).toBe(5);
  expect(tensor.row(-1).toArray()).toEqual([3, 4, 5]);
  expect(tensor.row(-1).data.buffer).toBe(tensor.data.buffer);
  expect(() => tensor.at(0, 3)).toThrow('Axis 1 has 3 entries, so there is no index 3.');
  expect(() => tensor.at(0)).toThrow(/at\(\) wants 2 indices/);
});

test('refuses ragged arrays, wrong elements and data that does not fit', () => {
  const code = (make: () => Tensor): string => {
    try {
      make();
      return 'none';
    } catch (error) {
      return error instanceof TracewireError ? error.code : String(error);
    }
  };
  expect(code(() => Tensor.from([[1, 2], [3]]))).toBe('wrong_dims');
  expect(code(() => Tensor.from([0.5], 'int32'))).toBe('wrong_dtype');
  expect(code(() => Tensor.from([300], 'uint8'))).toBe('wrong_dtype');
  expect(code(() => new Tensor('float32', [3], new Float32Array(2)))).toBe('wrong_dims');
  expect(code(() => new Tensor('float16', [2], new Float32Array(2)))).toBe('wrong_dtype');
});
