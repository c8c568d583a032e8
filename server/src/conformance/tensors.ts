/** Tensors from plain numbers and back, in every dtype. */
import { DTYPES, type Dtype, isTuple, type TensorLike, type Value } from '@tracewire/protocol';
import { brief, check, Mismatch } from './mismatch.ts';

export function tensorOf(dtype: Dtype, dims: readonly number[], numbers: readonly number[]): TensorLike {
  const { size } = DTYPES[dtype];
  const bytes = new Uint8Array(numbers.length * size);
  const view = new DataView(bytes.buffer);
  for (const [index, number] of numbers.entries()) WRITERS[dtype](view, index * size, number);
  return { dtype, dims, data: new DTYPES[dtype].array(bytes.buffer, 0, numbers.length) };
}

export function numbersOf({ dtype, data }: TensorLike): number[] {
  const numbers: number[] = [];
  for (const element of data)
    numbers.push(dtype === 'float16' ? halfToNumber(Number(element)) : Number(element));
  return numbers;
}

const WRITERS: Readonly<Record<Dtype, (view: DataView, at: number, value: number) => void>> = {
  bool: (view, at, value) => view.setUint8(at, value),
  int8: (view, at, value) => view.setInt8(at, value),
  uint8: (view, at, value) => view.setUint8(at, value),
  int16: (view, at, value) => view.setInt16(at, value, true),
  uint16: (view, at, value) => view.setUint16(at, value, true),
  int32: (view, at, value) => view.setInt32(at, value, true),
  uint32: (view, at, value) => view.setUint32(at, value, true),
  int64: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
  uint64: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
  float16: (view, at, value) => view.setUint16(at, numberToHalf(value), true),
  float32: (view, at, value) => view.setFloat32(at, value, true),
  float64: (view, at, value) => view.setFloat64(at, value, true),
};

/** IEEE 754 binary16, section 3.6 with its exponent bias of 15. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** For the small exact numbers of this suite; what binary16 can't hold is cut, not rounded. */
function numberToHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size === 0) return sign;
  const exponent = Math.floor(Math.log2(size));
  if (exponent < -14) return sign | Math.floor(size * 2 ** 24);
  return sign | ((exponent + 15) << 10) | Math.floor((size / 2 ** exponent - 1) * 1024);
}

export function oneTensor(value: Value): TensorLike {
  if (isTuple(value)) throw new Mismatch('one tensor', `a tuple of ${value.length}`);
  return value;
}

/** Numbers that agree to about what the dtype can hold after a few operations. */
export function mustBeClose(
  what: string,
  got: readonly number[],
  wanted: readonly number[],
  tolerance = 1e-4,
): void {
  const same =
    got.length === wanted.length &&
    got.every((value, index) => closeTo(value, wanted[index] ?? Number.NaN, tolerance));
  check(
    same,
    `${what} ${brief(wanted.slice(0, 8))} (${wanted.length} numbers)`,
    () => `${brief(got.slice(0, 8))} (${got.length} numbers)`,
  );
}

export function areClose(left: readonly number[], right: readonly number[], tolerance = 1e-4): boolean {
  return (
    left.length === right.length &&
    left.every((value, index) => closeTo(value, right[index] ?? Number.NaN, tolerance))
  );
}

function closeTo(left: number, right: number, tolerance: number): boolean {
  if (Number.isNaN(left) || Number.isNaN(right)) return Number.isNaN(left) && Number.isNaN(right);
  return Math.abs(left - right) <= tolerance * Math.max(1, Math.abs(right));
}
