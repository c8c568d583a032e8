import { describe, expect, it } from 'vitest';
import {
  byteLength,
  bytesOf,
  DTYPE_NAMES,
  DTYPES,
  dataOf,
  describeTensor,
  elementCount,
  isTuple,
  valueBytes,
  zeros,
} from './tensor.ts';

it.each(DTYPE_NAMES)('%s: size, array and ONNX number agree', (dtype) => {
  const { size, array } = DTYPES[dtype];
  expect(array.BYTES_PER_ELEMENT).toBe(size);
  const tensor = zeros(dtype, [2, 3]);
  expect(tensor.data).toBeInstanceOf(array);
  expect(tensor.data.length).toBe(6);
  expect(byteLength(dtype, [2, 3])).toBe(tensor.data.byteLength);
});

it('each dtype has its own ONNX number', () => {
  expect(new Set(DTYPE_NAMES.map((dtype) => DTYPES[dtype].onnx)).size).toBe(DTYPE_NAMES.length);
});

it('counts elements and bytes', () => {
  expect(elementCount([])).toBe(1);
  expect(elementCount([2, 0, 3])).toBe(0);
  expect(valueBytes([zeros('float32', [2]), [zeros('bool', [3]), zeros('int64', [])]])).toBe(8 + 3 + 8);
  expect(valueBytes([])).toBe(0);
});

describe('dataOf', () => {
  it('is a view where aligned, and bytesOf is its way back', () => {
    const data = Float32Array.of(1, 2, 3);
    const view = dataOf('float32', bytesOf(data.subarray(1)));
    expect(view).toEqual(Float32Array.of(2, 3));
    expect(view.buffer).toBe(data.buffer);
  });

  it('copies where not aligned, from a Buffer too, whose slice() does not copy', () => {
    const bytes = new Uint8Array(9);
    new DataView(bytes.buffer).setFloat64(1, 1.5, true);
    expect(dataOf('float64', bytes.subarray(1))).toEqual(Float64Array.of(1.5));
    expect(dataOf('float64', Buffer.from(bytes.buffer, 1, 8))).toEqual(Float64Array.of(1.5));
  });
});

it('tells tuples from tensors, and describes tensors', () => {
  expect(isTuple([])).toBe(true);
  expect(isTuple(zeros('bool', []))).toBe(false);
  expect(describeTensor({ dtype: 'float32', dims: ['batch', 'sequence', 64] })).toBe(
    'float32 [batch, sequence, 64]',
  );
});
