/** ONNX tensors ↔ ours: dtypes by number, and bytes wherever a file may keep them. */
import {
  bytesOf,
  DTYPE_NAMES,
  DTYPES,
  type Dtype,
  dataOf,
  elementCount,
  type TensorLike,
} from '@tracewire/protocol';
import { type Int64, type TensorProto, toNumber, type ValueInfoProto } from './schema.ts';

export function dtypeOf(onnxType: number): Dtype | undefined {
  return DTYPE_NAMES.find((dtype) => DTYPES[dtype].onnx === onnxType);
}

export function dimsOf(tensor: TensorProto): number[] {
  return tensor.dims.map(toNumber);
}

export function isExternal(tensor: TensorProto): boolean {
  return tensor.data_location === 1;
}

/**
 * The tensor's bytes, little-endian and row-major, for one whose data is in the model file. float16 and bool
 * may stand in `int32_data`, an element each.
 */
export function inlineBytes(tensor: TensorProto): Uint8Array {
  if (tensor.raw_data && tensor.raw_data.byteLength > 0) return tensor.raw_data;
  const dtype = dtypeOf(tensor.data_type);
  const count = elementCount(dimsOf(tensor));
  if (!dtype || count === 0) return new Uint8Array();
  switch (dtype) {
    case 'float32':
      return bytesOf(Float32Array.from(tensor.float_data ?? []));
    case 'float64':
      return bytesOf(Float64Array.from(tensor.double_data ?? []));
    case 'int64':
      return bytesOf(BigInt64Array.from(tensor.int64_data ?? [], toBigInt));
    case 'uint64':
    case 'uint32':
      return dtype === 'uint64'
        ? bytesOf(BigUint64Array.from(tensor.uint64_data ?? [], toBigInt))
        : bytesOf(Uint32Array.from(tensor.uint64_data ?? [], toNumber));
    default: {
      const data = dataOf(dtype, new Uint8Array(count * DTYPES[dtype].size));
      for (const [index, element] of (tensor.int32_data ?? []).entries()) data[index] = element as never;
      return bytesOf(data);
    }
  }
}

/** An initializer with its bytes in the model. */
export function toInitializer(name: string, { dtype, dims, data }: TensorLike): TensorProto {
  return { name, dims: [...dims], data_type: DTYPES[dtype].onnx, raw_data: bytesOf(data) };
}

/** A graph's input or output. Axes with a name are symbolic, `?` ones unknown. */
export function toValueInfo(name: string, dtype: Dtype, dims?: readonly (number | string)[]): ValueInfoProto {
  const dim = dims?.map((size) =>
    typeof size === 'number' ? { dim_value: size } : size === '?' ? {} : { dim_param: size },
  );
  return {
    name,
    type: { tensor_type: { elem_type: DTYPES[dtype].onnx, ...(dim ? { shape: { dim } } : {}) } },
  };
}

function toBigInt(value: Int64): bigint {
  return BigInt(value.toString());
}
