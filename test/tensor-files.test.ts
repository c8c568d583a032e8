/** Files of tensors, read and written by Python itself where it is there, and by their formats' rules everywhere. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fromNpy, Tensor, toNpy, toSafetensors } from '@tracewire/client';
import { DTYPE_NAMES, type Dtype } from '@tracewire/protocol';
import { afterAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

const PYTHON = process.env['TRACEWIRE_PYTHON'] ?? 'python3';
const hasNumpy = spawnSync(PYTHON, ['-c', 'import numpy, safetensors']).status === 0;
const python = (code: string): string => {
  const { stdout, stderr, status } = spawnSync(PYTHON, ['-c', code], { cwd: folder, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout.trim();
};

const sample = (dtype: Dtype, dims: readonly number[] = [2, 3]): Tensor => {
  const count = dims.reduce((a, b) => a * b, 1);
  const values = Array.from({ length: count }, (_, i) => (dtype === 'bool' ? i % 2 === 1 : i));
  const flat = Tensor.from(values, dtype);
  return new Tensor(dtype, dims, flat.data);
};

describe('.npy', () => {
  it.each(
    DTYPE_NAMES.flatMap(
      (dtype) =>
        [
          [dtype, [2, 3]],
          [dtype, []],
          [dtype, [4]],
          [dtype, [0, 2]],
        ] as const,
    ),
  )('goes there and back: %s %j', (dtype, dims) => {
    const tensor = sample(dtype, dims);
    const file = toNpy(tensor);
    expect(new TextDecoder('latin1').decode(file.subarray(0, 8))).toBe('\x93NUMPY\x01\x00');
    expect((10 + (file[8] ?? 0) + 256 * (file[9] ?? 0)) % 64).toBe(0);
    expect(fromNpy(file)).toEqual(tensor);
  });

  it.each([
    ['nothing', (file: Uint8Array) => file.slice(0, 0), /does not begin/],
    ['a header alone', (file: Uint8Array) => file.slice(0, 40), /cut off/],
    [
      'data that is cut off',
      (file: Uint8Array) => file.slice(0, -1),
      /wants 24 bytes of data, and it has 23/,
    ],
    ['objects', (file: Uint8Array) => replaced(file, '<f4', '|O8'), /"\|O8", which no tensor has/],
    ['Fortran’s order', (file: Uint8Array) => replaced(file, 'False', 'True '), /ascontiguousarray/],
    ['a huge shape', (file: Uint8Array) => replaced(file, '(2, 3)', '(9, 9)'), /wants 324 bytes/],
  ])('refuses %s', (_, spoil, message) => {
    expect(() => fromNpy(spoil(toNpy(sample('float32'))))).toThrow(message);
  });

  it.runIf(hasNumpy)('is what NumPy reads and writes', () => {
    for (const dtype of DTYPE_NAMES) writeFileSync(path.join(folder, `${dtype}.npy`), toNpy(sample(dtype)));
    const names = JSON.stringify(DTYPE_NAMES);
    const told = python(`
import numpy, json
told = {}
for name in ${names}:
    a = numpy.load(name + '.npy')
    told[name] = [str(a.dtype), a.tolist()]
    numpy.save('back-' + name + '.npy', a + numpy.ones_like(a))
print(json.dumps(told))`);
    for (const dtype of DTYPE_NAMES) {
      expect(JSON.parse(told)[dtype]).toEqual([dtype, sample(dtype).toArray()]);
      const back = fromNpy(readFileSync(path.join(folder, `back-${dtype}.npy`)));
      const wanted = [
        [1, 2, 3],
        [4, 5, 6],
      ];
      expect([back.dtype, back.toArray()]).toEqual([
        dtype,
        dtype === 'bool' ? wanted.map((row) => row.map(() => true)) : wanted,
      ]);
    }
  });
});

describe('.safetensors', () => {
  const tensors = Object.fromEntries(DTYPE_NAMES.map((dtype) => [`a.${dtype}`, sample(dtype)]));

  it('has a header of JSON, and data that is aligned', () => {
    const file = toSafetensors(tensors, { prompt: 'a' });
    const length = Number(new DataView(file.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
    expect(header.__metadata__).toEqual({ prompt: 'a' });
    const {
      dtype,
      shape,
      data_offsets: [from, to],
    } = header['a.float32'];
    expect([dtype, shape, from % 4]).toEqual(['F32', [2, 3], 0]);
    expect(new Float32Array(file.slice(8 + length + from, 8 + length + to).buffer)).toEqual(
      tensors['a.float32']?.data,
    );
  });

  it('refuses what is no tensor', () => {
    expect(() => toSafetensors({ block: [sample('float32')] as never })).toThrow(
      /"block" is no tensor.*value\[0\]/,
    );
    expect(() => toSafetensors({ __metadata__: sample('float32') })).toThrow(/name of its own/);
  });

  it.runIf(hasNumpy)('is what Python reads', () => {
    writeFileSync(path.join(folder, 'all.safetensors'), toSafetensors(tensors));
    const told = python(`
import json
from safetensors.numpy import load_file
print(json.dumps({k: [str(v.dtype), v.tolist()] for k, v in load_file('all.safetensors').items()}))`);
    for (const dtype of DTYPE_NAMES) {
      expect(JSON.parse(told)[`a.${dtype}`]).toEqual([dtype, sample(dtype).toArray()]);
    }
  });
});

describe('a tensor for other libraries and for JSON', () => {
  it('gives plain numbers', () => {
    expect(sample('float16').numbers()).toEqual(Float32Array.of(0, 1, 2, 3, 4, 5));
    expect(sample('int64').numbers()).toEqual(Float64Array.of(0, 1, 2, 3, 4, 5));
    const floats = sample('float32');
    expect(floats.numbers()).toBe(floats.data);
  });

  it('is JSON that a person can read', () => {
    expect(JSON.parse(JSON.stringify(sample('float16')))).toEqual({
      dtype: 'float16',
      dims: [2, 3],
      data: [
        [0, 1, 2],
        [3, 4, 5],
      ],
    });
    expect(JSON.stringify(Tensor.from([2n ** 60n], 'int64'))).toContain('["1152921504606846976"]');
  });
});

function replaced(file: Uint8Array, from: string, to: string): Uint8Array {
  const text = Buffer.from(file).toString('latin1').replace(from, to);
  return new Uint8Array(Buffer.from(text, 'latin1'));
}
