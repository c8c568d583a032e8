/** One element ↔ what a person means by it: float16 decoded, bool as true or false, int64 a number when safe. */
import {
  DTYPES,
  type Dtype,
  float16FromBits,
  float16ToBits,
  type TensorData,
} from '@tracewire/protocol/core';

/** `bigint` only for int64 and uint64 beyond ±(2^53 − 1), `boolean` only for bool. */
export type Scalar = number | bigint | boolean;

/** The element at a position of the flat data, which must be within it. */
export function scalarAt(dtype: Dtype, data: TensorData, position: number): Scalar {
  const element = data[position] ?? Number.NaN;
  if (dtype === 'bool') return element !== 0;
  if (dtype === 'float16') return float16FromBits(Number(element));
  if (typeof element === 'bigint') return isSafe(element) ? Number(element) : element;
  return element;
}

function isSafe(value: bigint): boolean {
  return value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER;
}

/** Why a value can't be an element of this dtype; undefined if it can. Floats are rounded to the dtype. */
export function scalarFault(value: Scalar, dtype: Dtype): string | undefined {
  const { kind, size } = DTYPES[dtype];
  if (kind === 'bool') return typeof value === 'boolean' ? undefined : `${value} is not true or false`;
  if (typeof value === 'boolean') return `${value} is no number`;
  if (kind === 'float') return undefined;
  if (typeof value === 'number' && !Number.isInteger(value)) return `${value} is no integer`;
  const bits = BigInt(size * 8);
  const [least, most] =
    kind === 'uint' ? [0n, 2n ** bits - 1n] : [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n];
  const whole = BigInt(value);
  return whole < least || whole > most ? `${value} is outside ${least} to ${most}` : undefined;
}

/** Fills one element with a value that has passed `scalarFault`. */
export function writeScalar(dtype: Dtype, data: TensorData, position: number, value: Scalar): void {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[position] = BigInt(value);
  else data[position] = dtype === 'float16' ? float16ToBits(Number(value)) : Number(value);
}
