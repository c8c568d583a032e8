import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TracewireError } from './errors.ts';
import { align8, decodeFrame, encodeFrame, type Header } from './frame.ts';
import { concat } from './transport.ts';

const encode = (header: Header, payload: readonly Uint8Array[] = []): Uint8Array =>
  concat(encodeFrame(header, payload));

/** A frame around header bytes, padded as it should be. */
function frameOf(header: Uint8Array, payload = new Uint8Array()): Uint8Array {
  const bytes = new Uint8Array(align8(4 + header.length) + payload.length);
  new DataView(bytes.buffer).setUint32(0, header.length, true);
  bytes.set(header, 4);
  bytes.set(payload, align8(4 + header.length));
  return bytes;
}

function refusal(bytes: Uint8Array): string {
  try {
    decodeFrame(bytes);
  } catch (error) {
    if (error instanceof TracewireError && error.code === 'bad_frame') return error.message;
    throw error;
  }
  throw new Error('the frame was accepted');
}

describe('a frame', () => {
  it('is a length, a header, padding to 8, and the payload', () => {
    const bytes = encode({ type: 'x' }, [Uint8Array.of(1, 2, 3)]);
    expect([...bytes]).toEqual([8, 0, 0, 0, 0x81, 0xa4, 116, 121, 112, 101, 0xa1, 120, 0, 0, 0, 0, 1, 2, 3]);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9])(
    'with a header %i bytes longer begins its payload at a multiple of 8',
    (extra) => {
      const header = { type: 'x'.repeat(extra) };
      const [head] = encodeFrame(header);
      expect((head?.length ?? 1) % 8).toBe(0);
      expect(decodeFrame(encode(header, [Uint8Array.of(9)]))).toEqual({ header, payload: Uint8Array.of(9) });
    },
  );

  it('does not copy its payload on the way out', () => {
    const payload = new Uint8Array(16);
    expect(encodeFrame({ type: 'x' }, [payload])[1]).toBe(payload);
  });

  it('is read alike in two parts, wherever they part, and takes its payload as it is', () => {
    const whole = encode({ type: 'x', text: 'as long as it takes' }, [Uint8Array.of(1, 2, 3)]);
    for (let at = 0; at <= whole.length; at++) {
      expect(decodeFrame(whole.subarray(0, at), whole.subarray(at))).toEqual(decodeFrame(whole));
    }
    const payload = new Uint8Array(16);
    const [head = payload] = encodeFrame({ type: 'x' });
    expect(decodeFrame(head, payload).payload).toBe(payload);
  });

  it('is refused alike in two parts', () => {
    const wrong = encode({ type: 'x' }, [Uint8Array.of(1)]).fill(7, 13, 14);
    for (let at = 0; at <= wrong.length; at++) {
      expect(() => decodeFrame(wrong.subarray(0, at), wrong.subarray(at))).toThrow('padding');
    }
  });

  it('may have an empty payload', () => {
    expect(decodeFrame(encode({ type: 'x' })).payload.length).toBe(0);
  });

  it('may lie anywhere in a larger buffer', () => {
    const bytes = encode({ type: 'x', n: 2 ** 40 }, [Uint8Array.of(7)]);
    const larger = new Uint8Array(bytes.length + 20).fill(0xff);
    larger.set(bytes, 3);
    const frame = decodeFrame(larger.subarray(3, 3 + bytes.length));
    expect(frame).toEqual({ header: { type: 'x', n: 2 ** 40 }, payload: Uint8Array.of(7) });
  });

  it('leaves undefined fields out, at any depth, and keeps null', () => {
    const header = { type: 'x', a: undefined, b: { c: undefined, d: [{ e: undefined }] }, f: null };
    expect(decodeFrame(encode(header)).header).toStrictEqual({ type: 'x', b: { d: [{}] }, f: null });
  });

  it('writes a lone surrogate as U+FFFD, which has a UTF-8 form', () => {
    const header = { type: 'x', text: 'a\uD800b', list: ['\uDC00', '😀'] };
    expect(decodeFrame(encode(header)).header).toEqual({
      type: 'x',
      text: 'a\uFFFDb',
      list: ['\uFFFD', '😀'],
    });
  });

  it.each([1, 15, 16, 31, 32, 61, 62, 63, 64, 65, 200, 255, 256, 70_000])(
    'keeps a byte order mark before %i characters',
    (length) => {
      const text = `\uFEFF${'é'.repeat(length)}\uFEFF`;
      const header = { type: 'x', list: ['before', text, { text }], after: 1, [text]: 2 };
      expect(decodeFrame(encode(header)).header).toStrictEqual(header);
    },
  );

  it('brings every integer up to 2^53 − 1 back as a number', () => {
    const numbers = [31, 32, 52, 53].flatMap((bit) => [2 ** bit - 1, bit < 53 ? 2 ** bit : 0]);
    const header = { type: 'x', numbers: [...numbers, ...numbers.map((number) => 0 - number)] };
    expect(decodeFrame(encode(header)).header).toStrictEqual(header);
  });

  it('reads 64-bit integers, which other languages write, as numbers', () => {
    const packed = Buffer.from('82a474797065a178a16ecf001fffffffffffff', 'hex');
    expect(decodeFrame(frameOf(packed)).header).toStrictEqual({ type: 'x', n: Number.MAX_SAFE_INTEGER });
    const negative = Buffer.from('82a474797065a178a16ed3ffe0000000000001', 'hex');
    expect(decodeFrame(frameOf(negative)).header).toStrictEqual({ type: 'x', n: Number.MIN_SAFE_INTEGER });
  });

  it('brings any plain header back', () => {
    const key = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((text) => !REFUSED.includes(text));
    const value = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        fc.oneof(
          fc.maxSafeInteger(),
          fc.double({ noNaN: true }).map((number) => number + 0),
          fc.boolean(),
          fc.constant(null),
          fc.string({ unit: 'binary', maxLength: 100 }),
        ),
        fc.array(tie('node'), { maxLength: 20 }),
        fc.dictionary(key, tie('node'), { maxKeys: 20, noNullPrototype: true }),
      ),
    })).node;
    fc.assert(
      fc.property(
        fc.string(),
        fc.dictionary(key, value, { noNullPrototype: true }),
        fc.uint8Array(),
        (type, rest, payload) => {
          const header = { ...rest, type };
          const frame = decodeFrame(encode(header, [payload]));
          expect(frame.header).toEqual(header);
          expect(frame.payload).toEqual(payload);
        },
      ),
      { numRuns: 100 },
    );
  });
});

const REFUSED = ['__proto__', 'constructor', 'prototype', 'type'];

describe('what is no frame', () => {
  const good = encode({ type: 'x', list: [1, 2] });

  it('is shorter than 8 bytes', () => {
    for (let length = 0; length < 8; length++)
      expect(refusal(good.subarray(0, length))).toContain('is no frame');
  });

  it('ends inside its header or its padding', () => {
    for (let length = 8; length < good.length; length++)
      expect(refusal(good.subarray(0, length))).toContain('a header of');
  });

  it('lies about its header’s length', () => {
    for (const length of [0, good.length, 2 ** 24 + 1, 2 ** 31, 2 ** 32 - 8, 2 ** 32 - 1]) {
      const bytes = good.slice();
      new DataView(bytes.buffer).setUint32(0, length, true);
      expect(refusal(bytes), String(length)).toContain(`a header of ${length} bytes`);
    }
  });

  it('has padding that is not zero', () => {
    const bytes = encode({ type: 'x' });
    bytes[bytes.length - 1] = 1;
    expect(refusal(bytes)).toContain('padding');
  });

  it('has a header that is no map, or has no string type', () => {
    expect(refusal(frameOf(Uint8Array.of(0x91, 0x01)))).toContain('not a map');
    expect(refusal(frameOf(Uint8Array.of(0xc0)))).toContain('not a map');
    expect(refusal(frameOf(Uint8Array.of(0x05)))).toContain('not a map');
    expect(refusal(frameOf(Uint8Array.of(0x80)))).toContain('no string field `type`');
    expect(refusal(frameOf(Buffer.from('81a47479706501', 'hex')))).toContain('no string field `type`');
  });

  it('has a header that the scanner refuses', () => {
    expect(refusal(frameOf(Uint8Array.of(0x80, 0x80)))).toContain('1 bytes after the map');
  });

  it('pollutes no prototype', () => {
    const polluting = Buffer.from('82a474797065a178a95f5f70726f746f5f5f81a8706f6c6c75746564c3', 'hex');
    expect(refusal(frameOf(polluting))).toContain('__proto__');
    expect('polluted' in {}).toBe(false);
  });
});

it('align8 holds beyond 2 GiB', () => {
  expect([0, 1, 8, 2 ** 31, 2 ** 31 + 1, 2 ** 40 + 3].map(align8)).toEqual([
    0,
    8,
    8,
    2 ** 31,
    2 ** 31 + 8,
    2 ** 40 + 8,
  ]);
});
