/** A saved value as users hold it: elements in a typed array, with dtype and dims, that prints like PyTorch's. */
import {
  DTYPES,
  type Dtype,
  elementCount,
  isTuple,
  type TensorData,
  type TensorLike,
  type Value,
  zeros,
} from '@tracewire/protocol/core';
import { localError } from './errors.ts';
import { flatten, type Nested, type NestedOf, nest } from './nested.ts';
import { printTensor } from './print.ts';
import { type Scalar, scalarAt, scalarFault, writeScalar } from './scalar.ts';

/** What `console.log` calls in Node. */
export const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never;

/** A module with several outputs gives a tuple: the value that flows on, then the others. */
export type Tuple = readonly SavedValue[];
/** What a handle is filled with: a tensor, or what a module of several outputs gave. */
export type SavedValue = Tensor | Tuple;

/** An n-dimensional array, row-major. */
export class Tensor implements TensorLike {
  readonly dtype: Dtype;
  /** The shape; `[]` is a scalar. */
  readonly dims: readonly number[];
  /** The elements: float16 as bits in a Uint16Array, bool as bytes 0 and 1, int64 as BigInt64Array. */
  readonly data: TensorData;

  /** Throws `wrong_dtype` or `wrong_dims` where the data doesn't fit. The data is not copied. */
  constructor(dtype: Dtype, dims: readonly number[], data: TensorData) {
    if (!(data instanceof DTYPES[dtype].array)) {
      throw localError('wrong_dtype', `Data of ${dtype} is a ${DTYPES[dtype].array.name}.`, {
        wanted: dtype,
      });
    }
    if (elementCount(dims) !== data.length) {
      const message = `Dims [${dims.join(', ')}] hold ${elementCount(dims)} elements; the data has ${data.length}.`;
      throw localError('wrong_dims', message);
    }
    this.dtype = dtype;
    this.dims = Object.freeze([...dims]);
    this.data = data;
  }

  /** A tensor of nested arrays. Throws `wrong_dims` for ragged rows, `wrong_dtype` for what doesn't fit. */
  static from(nested: Nested, dtype: Dtype = 'float32'): Tensor {
    const flat = flatten(nested);
    if ('fault' in flat) throw localError('wrong_dims', `The arrays are no tensor: ${flat.fault}.`);
    const { data } = zeros(dtype, flat.dims);
    for (const [position, element] of flat.elements.entries()) {
      const fault = scalarFault(element, dtype);
      if (fault)
        throw localError('wrong_dtype', `An element does not fit ${dtype}: ${fault}.`, { wanted: dtype });
      writeScalar(dtype, data, position, element);
    }
    return new Tensor(dtype, flat.dims, data);
  }

  /** How many elements there are. */
  get size(): number {
    return this.data.length;
  }

  /** The only element. Throws `wrong_dims` if there are more or none. */
  item(): Scalar {
    if (this.size !== 1) {
      const message = `item() wants one element; this tensor has ${this.size}, dims [${this.dims.join(', ')}]. Use at(…) or toArray().`;
      throw localError('wrong_dims', message, { wanted: '1 element', got: String(this.size) });
    }
    return scalarAt(this.dtype, this.data, 0);
  }

  /** One element, by an index for each axis; negative ones count from the end. Throws `bad_selection`. */
  at(...indices: readonly number[]): Scalar {
    if (indices.length !== this.dims.length) {
      const message = `at() wants ${this.dims.length} indices, one an axis, not ${indices.length}. Use row(…) for a part.`;
      throw localError('bad_selection', message);
    }
    return scalarAt(this.dtype, this.data, this.#offset(indices));
  }

  /** The part at these leading indices, sharing memory: `row(0, -1)` of dims [1, 8, 64] has dims [64]. */
  row(...indices: readonly number[]): Tensor {
    const dims = this.dims.slice(indices.length);
    if (indices.length > this.dims.length) {
      throw localError('bad_selection', `row() got ${indices.length} indices for ${this.dims.length} axes.`);
    }
    const start = this.#offset(indices);
    return new Tensor(this.dtype, dims, this.data.subarray(start, start + elementCount(dims)));
  }

  /** Nested arrays of numbers (booleans for bool, bigint for an int64 beyond 2^53 − 1). */
  toArray(): NestedOf<Scalar> {
    return nest(this.dims, (position) => scalarAt(this.dtype, this.data, position));
  }

  /**
   * The elements as plain numbers, float16 decoded, in a typed array that other libraries take: `ndarray(t.numbers(), [...t.dims])`,
   * `tf.tensor(t.numbers(), [...t.dims])`. 64-bit integers become float64, exact up to 2^53. No copy where there is none to make.
   */
  numbers(): Exclude<TensorData, BigInt64Array | BigUint64Array> {
    const { dtype, data } = this;
    if (data instanceof BigInt64Array || data instanceof BigUint64Array)
      return Float64Array.from(data, Number);
    if (dtype !== 'float16') return data;
    return Float32Array.from(data, (_, position) => Number(scalarAt(dtype, data, position)));
  }

  /** For `JSON.stringify`: dtype, dims, and the elements as nested arrays. Beyond-safe integers are text. */
  toJSON(): { readonly dtype: Dtype; readonly dims: readonly number[]; readonly data: unknown } {
    const plain = (value: Scalar): unknown => (typeof value === 'bigint' ? String(value) : value);
    const data = nest<unknown>(this.dims, (position) => plain(scalarAt(this.dtype, this.data, position)));
    return { dtype: this.dtype, dims: this.dims, data };
  }

  toString(): string {
    return printTensor(this);
  }

  [INSPECT](): string {
    return printTensor(this);
  }

  #offset(indices: readonly number[]): number {
    let offset = 0;
    for (const [axis, index] of indices.entries()) {
      const length = this.dims[axis] ?? 0;
      if (!Number.isInteger(index) || index >= length || index < -length) {
        const message = `Axis ${axis} has ${length} entries, so there is no index ${index}.`;
        throw localError('bad_selection', message, {
          wanted: `${-length} to ${length - 1}`,
          got: String(index),
        });
      }
      offset += (index < 0 ? index + length : index) * elementCount(this.dims.slice(axis + 1));
    }
    return offset;
  }
}

/** Gives a decoded value its methods; tuples are frozen arrays. */
export function toSavedValue(value: Value): SavedValue {
  if (isTuple(value)) return Object.freeze(value.map(toSavedValue));
  return new Tensor(value.dtype, value.dims, value.data);
}
