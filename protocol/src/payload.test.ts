import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TracewireError } from './errors.ts';
import type { TensorRef } from './fields.ts';
import { chunksOf, PayloadReader, PayloadWriter } from './payload.ts';
import {
  bytesOf,
  DTYPE_NAMES,
  DTYPES,
  dataOf,
  elementCount,
  type TensorLike,
  type Value,
  zeros,
} from './tensor.ts';
import { concat } from './transport.ts';

const u8 = (dims: readonly number[], ...bytes: number[]): TensorLike => ({
  dtype: 'uint8',
  dims,
  data: Uint8Array.from(bytes),
});

function write(value: Value): {
  readonly ref: ReturnType<PayloadWriter['value']>;
  readonly payload: Uint8Array;
} {
  const writer = new PayloadWriter();
  const ref = writer.value(value);
  const payload = concat([...writer.parts, new Uint8Array()]);
  expect(payload.length).toBe(writer.bytes);
  return { ref, payload };
}

function read(ref: ReturnType<PayloadWriter['value']>, payload: Uint8Array): Value {
  const reader = new PayloadReader(payload);
  const value = reader.value(ref, 'value');
  reader.end();
  return value;
}

function refusal(
  refs: readonly TensorRef[],
  payload: Uint8Array,
): { path: string | undefined; message: string } {
  try {
    const reader = new PayloadReader(payload);
    for (const [index, ref] of refs.entries()) reader.tensor(ref, `t${index}`);
    reader.end();
  } catch (error) {
    if (!(error instanceof TracewireError) || error.code !== 'bad_message') throw error;
    return { path: error.body.path, message: error.message };
  }
  throw new Error('the payload was accepted');
}

const ref = (offset: number, length: number, dims: readonly number[] = [length]): TensorRef => ({
  dtype: 'uint8',
  dims,
  offset,
  length,
});

describe('a payload', () => {
  it('holds each tensor at a multiple of 8, with zeros between', () => {
    const { ref: value, payload } = write([u8([3], 1, 2, 3), u8([1], 4)]);
    expect([...payload]).toEqual([1, 2, 3, 0, 0, 0, 0, 0, 4]);
    expect(value).toEqual({ tuple: [{ tensor: ref(0, 3) }, { tensor: ref(8, 1) }] });
  });

  it.each(DTYPE_NAMES)('brings %s back, aligned or not', (dtype) => {
    const bytes = new Uint8Array(6 * DTYPES[dtype].size).map((_, index) =>
      dtype === 'bool' ? index % 2 : index * 7,
    );
    const tensor: TensorLike = { dtype, dims: [2, 3], data: dataOf(dtype, bytes) };
    const { ref: value, payload } = write(tensor);
    expect(read(value, payload)).toEqual(tensor);
    for (let shift = 1; shift < 8; shift++) {
      // As ws delivers it: a Buffer, at any place of a pool.
      const pool = Buffer.alloc(payload.length + 8, 0xff);
      pool.set(payload, shift);
      expect(read(value, pool.subarray(shift, shift + payload.length)), `shift ${shift}`).toEqual(tensor);
    }
  });

  it('is a view where its place allows', () => {
    const { ref: value, payload } = write(zeros('float64', [4]));
    const tensor = read(value, payload) as TensorLike;
    expect(tensor.data.buffer).toBe(payload.buffer);
  });

  it('takes scalars, tensors without elements, and tuples in tuples', () => {
    const value: Value = [u8([], 5), u8([0, 3]), [u8([1, 1], 6), []], u8([2, 0]), u8([1], 7)];
    const { ref: tree, payload } = write(value);
    expect(read(tree, payload)).toEqual(value);
  });

  it('may end in a tensor without elements after padding', () => {
    const { ref: tree, payload } = write([u8([1], 5), u8([0])]);
    expect(payload.length).toBe(8);
    expect(read(tree, payload)).toEqual([u8([1], 5), u8([0])]);
  });

  it('of nothing is empty', () => {
    expect(write([]).payload.length).toBe(0);
    expect(write(u8([0])).payload.length).toBe(0);
  });
});

describe('a payload is refused', () => {
  const sixteen = new Uint8Array(16);

  it('when a length does not fit its dims', () => {
    expect(refusal([ref(0, 8, [3])], sixteen)).toMatchObject({ path: 't0.length' });
    expect(refusal([ref(0, 8, [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1])], sixteen).path).toBe('t0.length');
    expect(refusal([{ dtype: 'float32', dims: [2], offset: 0, length: 2 }], sixteen).message).toContain(
      'wanted 8 bytes for float32 [2], got 2',
    );
  });

  it('when tensors overlap, go back, leave a gap, or begin late', () => {
    expect(refusal([ref(0, 8), ref(0, 8)], sixteen).path).toBe('t1.offset');
    expect(refusal([ref(8, 8), ref(0, 8)], sixteen).path).toBe('t0.offset');
    expect(refusal([ref(0, 1), ref(16, 0)], sixteen).path).toBe('t1.offset');
    expect(refusal([ref(8, 8)], sixteen).path).toBe('t0.offset');
  });

  it('when a tensor runs past the end', () => {
    expect(refusal([ref(0, 17)], sixteen)).toMatchObject({ path: 't0.length' });
    expect(refusal([ref(0, 8), ref(8, 9)], sixteen).path).toBe('t1.length');
    expect(refusal([ref(0, 1), ref(8, 0)], new Uint8Array(1)).path).toBe('t1.length');
  });

  it('when bytes are left over', () => {
    expect(refusal([ref(0, 8)], sixteen)).toMatchObject({ path: 'payload' });
    expect(refusal([], Uint8Array.of(0)).path).toBe('payload');
  });

  it('when bytes hide between tensors', () => {
    expect(refusal([ref(0, 1), ref(8, 1)], Uint8Array.of(1, 0, 0, 0, 9, 0, 0, 0, 1)).message).toContain(
      'zero bytes',
    );
  });

  it('when a bool is neither 0 nor 1', () => {
    const bool: TensorRef = { dtype: 'bool', dims: [2], offset: 0, length: 2 };
    expect(refusal([bool], Uint8Array.of(1, 2)).message).toContain('bool bytes of 0 or 1');
  });
});

describe('chunksOf', () => {
  const sizes = (parts: readonly Uint8Array[], chunkBytes: number): number[] =>
    chunksOf(parts, chunkBytes).map((chunk) => concat([...chunk, new Uint8Array()]).length);

  it('cuts exactly, and leaves no empty chunk at the end', () => {
    expect(sizes([new Uint8Array(10)], 4)).toEqual([4, 4, 2]);
    expect(sizes([new Uint8Array(8)], 4)).toEqual([4, 4]);
    expect(sizes([new Uint8Array(3), new Uint8Array(0), new Uint8Array(6)], 4)).toEqual([4, 4, 1]);
    expect(sizes([new Uint8Array(4)], 4)).toEqual([4]);
  });

  it('makes one empty chunk of nothing', () => {
    expect(chunksOf([], 4)).toEqual([[]]);
    expect(sizes([new Uint8Array(0)], 4)).toEqual([0]);
  });

  it('loses nothing, copies nothing, keeps the order', () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 8 });
    fc.assert(
      fc.property(parts, fc.integer({ min: 1, max: 16 }), (pieces, chunkBytes) => {
        const chunks = chunksOf(pieces, chunkBytes);
        expect(concat([...chunks.flat(), new Uint8Array()])).toEqual(concat([...pieces, new Uint8Array()]));
        const whole = chunks.slice(0, -1).map((chunk) => chunk.reduce((sum, piece) => sum + piece.length, 0));
        expect(whole.every((size) => size === chunkBytes)).toBe(true);
        expect(chunks.flat().every((piece) => pieces.some((part) => part.buffer === piece.buffer))).toBe(
          true,
        );
      }),
    );
  });
});

it('any value comes back from its payload', () => {
  const tensor = fc
    .tuple(
      fc.constantFrom(...DTYPE_NAMES),
      fc.array(fc.nat({ max: 4 }), { maxLength: 4 }),
      fc.infiniteStream(fc.nat(255)),
    )
    .map(([dtype, dims, bytes]): TensorLike => {
      const length = elementCount(dims) * DTYPES[dtype].size;
      const taken = Uint8Array.from(bytes.take(length), (byte) => (dtype === 'bool' ? byte % 2 : byte));
      return { dtype, dims, data: dataOf(dtype, taken) };
    });
  const value = fc.letrec<{ value: Value }>((tie) => ({
    value: fc.oneof({ maxDepth: 3 }, tensor, fc.array(tie('value'), { maxLength: 4 })),
  })).value;
  const plain = (of: Value): unknown =>
    Array.isArray(of)
      ? of.map(plain)
      : [(of as TensorLike).dtype, (of as TensorLike).dims, bytesOf((of as TensorLike).data)];
  fc.assert(
    fc.property(value, (original) => {
      const { ref: tree, payload } = write(original);
      // Compared as bytes, for NaN has many forms.
      expect(plain(read(tree, payload))).toEqual(plain(original));
    }),
  );
});
