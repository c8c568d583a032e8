/** NumPy's file format: `np.load` reads what `toNpy` makes, and `fromNpy` what `np.save` makes (numpy.lib.format, versions 1 to 3). */
import { bytesOf, DTYPES, type Dtype, dataOf, elementCount } from '@tracewire/protocol/core';
import { localError } from './errors.ts';
import { Tensor } from './tensor.ts';

const MAGIC = '\x93NUMPY';
/** The data begins at a multiple of this. */
const ALIGN = 64;

const DESCRIPTIONS: Readonly<Record<Dtype, string>> = {
  bool: '|b1',
  int8: '|i1',
  uint8: '|u1',
  int16: '<i2',
  uint16: '<u2',
  int32: '<i4',
  uint32: '<u4',
  int64: '<i8',
  uint64: '<u8',
  float16: '<f2',
  float32: '<f4',
  float64: '<f8',
};

/** The bytes of a `.npy` file. */
export function toNpy({ dtype, dims, data }: Tensor): Uint8Array {
  // Of one axis Python writes a comma, or it would be a number.
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(', ');
  const dict = `{'descr': '${DESCRIPTIONS[dtype]}', 'fortran_order': False, 'shape': (${shape}), }`;
  const prefix = MAGIC.length + 4;
  const header = `${dict.padEnd(Math.ceil((prefix + dict.length + 1) / ALIGN) * ALIGN - prefix - 1)}\n`;
  const payload = bytesOf(data);
  const file = new Uint8Array(prefix + header.length + payload.length);
  const latin = (text: string, at: number): void => {
    for (let index = 0; index < text.length; index++) file[at + index] = text.charCodeAt(index);
  };
  latin(MAGIC, 0);
  file[MAGIC.length] = 1;
  new DataView(file.buffer).setUint16(MAGIC.length + 2, header.length, true);
  latin(header, prefix);
  file.set(payload, prefix + header.length);
  return file;
}

/** Throws `bad_input` for what is no such file, or holds what no tensor can (objects, text, Fortran's order). */
export function fromNpy(file: Uint8Array): Tensor {
  const text = (from: number, to: number): string => String.fromCharCode(...file.subarray(from, to));
  if (text(0, MAGIC.length) !== MAGIC || file.length < 12) throw fault('it does not begin as one');
  const wide = (file[6] ?? 1) > 1;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const begin = wide ? 12 : 10;
  const end = begin + (wide ? view.getUint32(8, true) : view.getUint16(8, true));
  if (end > file.length || end > 65_536) throw fault('its header is cut off');
  const header = text(begin, end);
  const [, description = ''] = /'descr':\s*'([^']*)'/.exec(header) ?? [];
  const [, shape] = /'shape':\s*\(([\d,\s]*)\)/.exec(header) ?? [];
  if (shape === undefined) throw fault('its header has no shape');
  if (!/'fortran_order':\s*False/.test(header))
    throw fault('it is in Fortran’s order: save np.ascontiguousarray(array)');
  const dtype = dtypeOf(description);
  const dims = shape.split(',').flatMap((dim) => (dim.trim() === '' ? [] : [Number(dim)]));
  const bytes = elementCount(dims) * DTYPES[dtype].size;
  if (file.length - end !== bytes)
    throw fault(`its shape wants ${bytes} bytes of data, and it has ${file.length - end}`);
  return new Tensor(dtype, dims, dataOf(dtype, file.slice(end)));
}

function dtypeOf(description: string): Dtype {
  // A byte has no order, and `=` is that of the machine that wrote it: all that matter are little-endian.
  const plain = description.replace(/^=/, '<').replace(/^[<=](?=[bui]1$)/, '|');
  const found = Object.entries(DESCRIPTIONS).find(([, known]) => known === plain);
  if (found) return found[0] as Dtype;
  throw fault(`its elements are ${JSON.stringify(description)}, which no tensor has`);
}

function fault(why: string): Error {
  return localError('bad_input', `This is no .npy file of a tensor: ${why}.`, { wanted: 'a .npy file' });
}
