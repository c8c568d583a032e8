/** A tensor in an ONNX file, with its bytes wherever a file may keep them. */
import type { ErrorBody } from '../errors.ts';
import {
  byteLength,
  bytesOf,
  DTYPE_NAMES,
  DTYPES,
  type Dtype,
  dataOf,
  describeTensor,
  elementCount,
  type TensorData,
  type TensorLike,
  zeros,
} from '../tensor.ts';
import type { FileTensor } from './onnx-file.ts';
import { Cursor } from './proto-reader.ts';

/** What is wrong with a function, thrown where it is found. */
export class FunctionFault extends Error {
  readonly body: ErrorBody;

  constructor(path: string, message: string, facts: Partial<ErrorBody> = {}) {
    super(message);
    this.body = { code: 'bad_function', message: `${path}: ${message}`, path, ...facts };
  }
}

export function dtypeOfOnnx(number: bigint | undefined): Dtype | undefined {
  return DTYPE_NAMES.find((dtype) => BigInt(DTYPES[dtype].onnx) === number);
}

/** Throws a `FunctionFault`. The data is a view of the file where its place allows that. */
export function readTensor(tensor: FileTensor, path: string): TensorLike {
  const dtype = dtypeOfOnnx(tensor.data_type);
  if (!dtype) {
    const got = `ONNX’s data type ${tensor.data_type ?? 0}`;
    throw new FunctionFault(path, `${got} doesn’t cross the wire. Export the model in float32 or float16.`, {
      wanted: DTYPE_NAMES.join(', '),
      got,
    });
  }
  if (tensor.external_data || tensor.data_location === 1n) {
    throw new FunctionFault(
      path,
      'its data lies in another file. Save the model in one file: with torch, external_data=False.',
      { wanted: 'data within the file', got: 'external data' },
    );
  }
  if (tensor.segment) throw new FunctionFault(path, 'it is a segment of a tensor; write it whole.');
  const dims = (tensor.dims ?? []).map(Number);
  if (dims.length > 8 || dims.some((dim) => dim < 0 || dim >= 2 ** 31)) {
    throw new FunctionFault(path, `its dims are [${dims.join(', ')}].`, {
      wanted: 'at most 8 dims from 0 to 2147483647',
    });
  }
  const data = elementsOf(tensor, dtype, dims, path);
  if (dtype === 'bool' && (data as Uint8Array).some((byte) => byte > 1))
    throw new FunctionFault(path, 'a bool is neither 0 nor 1.');
  return { dtype, dims, data };
}

type Place = 'raw_data' | 'float_data' | 'int32_data' | 'int64_data' | 'double_data' | 'uint64_data';
const PLACES: readonly Place[] = [
  'raw_data',
  'float_data',
  'int32_data',
  'int64_data',
  'double_data',
  'uint64_data',
];

/** Where a dtype's elements stand, if not in `raw_data`. */
function placeOf(dtype: Dtype): Place {
  if (dtype === 'float32') return 'float_data';
  if (dtype === 'float64') return 'double_data';
  if (dtype === 'int64') return 'int64_data';
  return dtype === 'uint64' || dtype === 'uint32' ? 'uint64_data' : 'int32_data';
}

function elementsOf(tensor: FileTensor, dtype: Dtype, dims: readonly number[], path: string): TensorData {
  const used = PLACES.filter((place) => tensor[place] !== undefined);
  const place = used[0] ?? 'raw_data';
  if (used.length > 1 || (place !== 'raw_data' && place !== placeOf(dtype))) {
    const message = `its data stands in ${used.join(' and ')}; of ${dtype} it belongs in raw_data or ${placeOf(dtype)}.`;
    throw new FunctionFault(path, message, { wanted: `raw_data or ${placeOf(dtype)}`, got: used.join(', ') });
  }
  if (place === 'int32_data' || place === 'int64_data' || place === 'uint64_data')
    return integers(tensor[place] ?? [], dtype, dims, path);
  const parts = place === 'raw_data' ? [tensor.raw_data ?? new Uint8Array()] : (tensor[place] ?? []);
  const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const wanted = byteLength(dtype, dims);
  if (bytes !== wanted) throw wrongLength(path, dtype, dims, wanted, `${bytes} bytes`);
  return dataOf(dtype, parts.length === 1 && parts[0] ? parts[0] : joined(parts, bytes));
}

function joined(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

/** Elements that are written as integers of any length; they are counted before there is room for them. */
function integers(
  parts: readonly Uint8Array[],
  dtype: Dtype,
  dims: readonly number[],
  path: string,
): TensorData {
  const count = elementCount(dims);
  const most = parts.reduce((sum, part) => sum + part.byteLength, 0);
  if (count > most) throw wrongLength(path, dtype, dims, byteLength(dtype, dims), `${most} elements at most`);
  const { data } = zeros(dtype, dims);
  const unsigned = dtype === 'uint64' || dtype === 'uint32';
  let at = 0;
  for (const part of parts) {
    const cursor = new Cursor(part, path);
    while (!cursor.done) {
      const value = unsigned ? cursor.varint() : BigInt.asIntN(64, cursor.varint());
      if (at >= count) throw wrongLength(path, dtype, dims, byteLength(dtype, dims), 'more elements');
      const element = typeof data[at] === 'bigint' ? value : Number(value);
      data[at] = element as never;
      if (data[at] !== element) throw new FunctionFault(path, `its element ${at}, ${value}, is no ${dtype}.`);
      at += 1;
    }
  }
  if (at < count) throw wrongLength(path, dtype, dims, byteLength(dtype, dims), `${at} elements`);
  return data;
}

function wrongLength(
  path: string,
  dtype: Dtype,
  dims: readonly number[],
  bytes: number,
  got: string,
): FunctionFault {
  const type = describeTensor({ dtype, dims });
  return new FunctionFault(path, `it is ${type}, which takes ${bytes} bytes, and has ${got}.`, {
    wanted: `${bytes} bytes`,
    got,
  });
}

/** A copy, so that the file it was read from can be let go. */
export function copied({ dtype, dims, data }: TensorLike): TensorLike {
  return { dtype, dims, data: dataOf(dtype, new Uint8Array(bytesOf(data))) };
}
