/** The safetensors format: named tensors in one file, which Python's `safetensors` reads. */
import { bytesOf, type Dtype } from '@tracewire/protocol/core';
import { localError } from './errors.ts';
import { Tensor } from './tensor.ts';

const NAMES: Readonly<Record<Dtype, string>> = {
  bool: 'BOOL',
  int8: 'I8',
  uint8: 'U8',
  int16: 'I16',
  uint16: 'U16',
  int32: 'I32',
  uint32: 'U32',
  int64: 'I64',
  uint64: 'U64',
  float16: 'F16',
  float32: 'F32',
  float64: 'F64',
};

/** The bytes of a `.safetensors` file. Throws `bad_input` for what is no tensor, such as a tuple: give its members. */
export function toSafetensors(
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  const placed: [Uint8Array, number][] = [];
  let offset = 0;
  // The widest first, so that each is aligned for its dtype.
  const widest = Object.entries(tensors).toSorted(([, a], [, b]) => widthOf(b) - widthOf(a));
  for (const [name, tensor] of widest) {
    if (!(tensor instanceof Tensor) || name === '__metadata__') {
      const message = `${JSON.stringify(name)} is no tensor with a name of its own. Of a tuple, give each member: { hidden: value[0] }.`;
      throw localError('bad_input', message, { path: name });
    }
    const bytes = bytesOf(tensor.data);
    header[name] = {
      dtype: NAMES[tensor.dtype],
      shape: tensor.dims,
      data_offsets: [offset, offset + bytes.length],
    };
    placed.push([bytes, offset]);
    offset += bytes.length;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const begin = 8 + Math.ceil(text.length / 8) * 8;
  const file = new Uint8Array(begin + offset).fill(0x20, 8 + text.length, begin);
  new DataView(file.buffer).setBigUint64(0, BigInt(begin - 8), true);
  file.set(text, 8);
  for (const [bytes, at] of placed) file.set(bytes, begin + at);
  return file;
}

const widthOf = (tensor: Tensor): number => tensor.data?.BYTES_PER_ELEMENT ?? 0;
