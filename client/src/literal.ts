/** Literals in a trace: numbers and nested arrays take the other operand's dtype, typed arrays keep their own. */
import { type Dtype, type TensorData, type TensorLike, zeros } from '@tracewire/protocol/core';
import { flatten, isScalar, type Nested } from './nested.ts';
import { Operand } from './operand.ts';
import { scalarFault, writeScalar } from './scalar.ts';
import { Tensor } from './tensor.ts';

/** Anything that is data already; a typed array is a tensor of one axis. */
export type Literal = Nested | TensorData | Tensor;

export type LiteralFault = { readonly code: 'wrong_dtype' | 'wrong_dims' | 'misuse'; readonly fault: string };

export function isLiteral(value: unknown): value is Literal {
  return (
    isScalar(value) || Array.isArray(value) || value instanceof Tensor || dtypeOfArray(value) !== undefined
  );
}

/** The dtype that a literal brings along; undefined for numbers and nested arrays, which take the wanted one. */
export function ownDtype(literal: Literal): Dtype | undefined {
  return literal instanceof Tensor ? literal.dtype : dtypeOfArray(literal);
}

/** A copy, so that changing an array after it was used in a trace changes nothing. */
export function literalTensor(literal: Literal, dtype: Dtype): TensorLike | LiteralFault {
  if (literal instanceof Tensor)
    return { dtype: literal.dtype, dims: literal.dims, data: literal.data.slice() };
  const own = dtypeOfArray(literal);
  if (own) {
    const data = literal as TensorData;
    return { dtype: own, dims: [data.length], data: data.slice() };
  }
  return nestedTensor(literal as Nested, dtype);
}

function nestedTensor(nested: Nested, dtype: Dtype): TensorLike | LiteralFault {
  const flat = flatten(nested);
  if ('fault' in flat) {
    const elements = Array.isArray(nested) ? nested.flat(Number.POSITIVE_INFINITY) : [];
    if (!elements.some((element: unknown) => element instanceof Operand))
      return { code: 'wrong_dims', fault: flat.fault };
    return {
      code: 'misuse',
      fault: 'a placeholder is an element of it. Join values by stack([a, b]) or concat([a, b])',
    };
  }
  const tensor = zeros(dtype, flat.dims);
  for (const [position, element] of flat.elements.entries()) {
    const fault = scalarFault(element, dtype);
    if (fault) return { code: 'wrong_dtype', fault };
    writeScalar(dtype, tensor.data, position, element);
  }
  return tensor;
}

function dtypeOfArray(value: unknown): Dtype | undefined {
  return ARRAYS.find(([array]) => value instanceof array)?.[1];
}

/** float16 and bool have no typed array of their own; they come as a `Tensor`. */
const ARRAYS: readonly (readonly [abstract new (...args: never) => TensorData, Dtype])[] = [
  [Float32Array, 'float32'],
  [Float64Array, 'float64'],
  [BigInt64Array, 'int64'],
  [BigUint64Array, 'uint64'],
  [Int32Array, 'int32'],
  [Uint32Array, 'uint32'],
  [Int16Array, 'int16'],
  [Uint16Array, 'uint16'],
  [Int8Array, 'int8'],
  [Uint8Array, 'uint8'],
];
