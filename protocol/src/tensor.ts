/**
 * Tensors as both sides hold them: a dtype, dims, and the elements in a typed array, row-major.
 * float16 is held as its bits in a Uint16Array, bool as bytes of 0 and 1, int64 as BigInt64Array.
 */

/** The elements of a tensor, row-major: the typed array of its dtype. */
export type TensorData =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

type TensorArray = {
  new (length: number): TensorData;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TensorData;
};

interface DtypeFacts {
  /** Bytes an element takes. */
  readonly size: number;
  /** The typed array that holds the elements. */
  readonly array: TensorArray;
  readonly kind: 'bool' | 'int' | 'uint' | 'float';
  /** `TensorProto.DataType` in ONNX. */
  readonly onnx: number;
}

/** The closed list of dtypes that cross the wire (PROTOCOL.md, section 1.3). */
export const DTYPES = {
  bool: { size: 1, array: Uint8Array, kind: 'bool', onnx: 9 },
  int8: { size: 1, array: Int8Array, kind: 'int', onnx: 3 },
  uint8: { size: 1, array: Uint8Array, kind: 'uint', onnx: 2 },
  int16: { size: 2, array: Int16Array, kind: 'int', onnx: 5 },
  uint16: { size: 2, array: Uint16Array, kind: 'uint', onnx: 4 },
  int32: { size: 4, array: Int32Array, kind: 'int', onnx: 6 },
  uint32: { size: 4, array: Uint32Array, kind: 'uint', onnx: 12 },
  int64: { size: 8, array: BigInt64Array, kind: 'int', onnx: 7 },
  uint64: { size: 8, array: BigUint64Array, kind: 'uint', onnx: 13 },
  float16: { size: 2, array: Uint16Array, kind: 'float', onnx: 10 },
  float32: { size: 4, array: Float32Array, kind: 'float', onnx: 1 },
  float64: { size: 8, array: Float64Array, kind: 'float', onnx: 11 },
} as const satisfies Record<string, DtypeFacts>;

/** The name of a dtype, ONNX's. */
export type Dtype = keyof typeof DTYPES;

export const DTYPE_NAMES = Object.keys(DTYPES) as readonly Dtype[];

/** A tensor's data, without methods. `data.length` is the product of `dims`. */
export interface TensorLike {
  readonly dtype: Dtype;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

/** A value in a graph: one tensor, or a tuple of values (a module with several outputs). */
export type Value = TensorLike | readonly Value[];

/** Whether a value is several. */
export function isTuple(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** How many elements a tensor of these dims has; 1 for a scalar. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** Bytes of a tensor's elements. */
export function byteLength(dtype: Dtype, dims: readonly number[]): number {
  return elementCount(dims) * DTYPES[dtype].size;
}

/** Bytes of all tensors in a value, without alignment gaps. */
export function valueBytes(value: Value): number {
  if (!isTuple(value)) return byteLength(value.dtype, value.dims);
  return value.reduce((sum, member) => sum + valueBytes(member), 0);
}

/** The elements' bytes, without copying. */
export function bytesOf(data: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * A typed array over bytes: a view where their place in memory allows it, else a copy.
 * `bytes.length` must be a multiple of the dtype's size.
 */
export function dataOf(dtype: Dtype, bytes: Uint8Array): TensorData {
  const { array, size }: DtypeFacts = DTYPES[dtype];
  // Not `slice`: a Node Buffer's makes another view of the same, unaligned, memory.
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new array(aligned.buffer, aligned.byteOffset, aligned.byteLength / size);
}

/** A new tensor of zeros. */
export function zeros(dtype: Dtype, dims: readonly number[]): TensorLike {
  return { dtype, dims, data: new DTYPES[dtype].array(elementCount(dims)) };
}

/** `float32 [1, 8, 64]`, as messages write a tensor's type. */
export function describeTensor(tensor: {
  readonly dtype: Dtype;
  readonly dims: readonly (number | string)[];
}) {
  return `${tensor.dtype} [${tensor.dims.join(', ')}]`;
}
