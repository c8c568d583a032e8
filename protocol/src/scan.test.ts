import { Packr } from 'msgpackr/index-no-eval';
import { describe, expect, it } from 'vitest';
import { scanHeader } from './scan.ts';

const packr = new Packr({ useRecords: false, variableMapSize: true });
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));
const join = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
const fault = (bytes: Uint8Array): string | undefined => scanHeader(bytes).fault;

/** `{ "a": <value> }` */
const inMap = (value: string): Uint8Array => hex(`81 a1 61 ${value}`);

describe('scanHeader lets through', () => {
  it.each([
    ['nil', 'c0'],
    ['false', 'c2'],
    ['true', 'c3'],
    ['small integers', '7f'],
    ['negative small integers', 'e0'],
    ['uint8', 'cc ff'],
    ['uint16', 'cd ffff'],
    ['uint32', 'ce ffffffff'],
    ['uint64 up to 2^53 − 1', 'cf 001fffffffffffff'],
    ['int8', 'd0 80'],
    ['int16', 'd1 8000'],
    ['int32', 'd2 80000000'],
    ['int64 down to −(2^53 − 1)', 'd3 ffe0000000000001'],
    ['float32', 'ca 3f800000'],
    ['float64', 'cb 3ff0000000000000'],
    ['short strings', 'a2 c3a9'],
    ['str8', 'd9 01 78'],
    ['str16', 'da 0001 78'],
    ['str32', 'db 00000001 78'],
    ['lists', '92 01 02'],
    ['array16', 'dc 0001 01'],
    ['array32', 'dd 00000001 01'],
    ['empty maps', '80'],
    ['map16', 'de 0001 a1 62 01'],
    ['map32 with a str8 key', 'df 00000001 d9 01 62 01'],
  ])('%s', (_, value) => {
    expect(fault(inMap(value))).toBeUndefined();
  });
});

describe('scanHeader refuses', () => {
  const EXTENSIONS = ['d4 01 00', 'd5 01 0000', 'd6 ff 00000000', 'd7 ff 0000000000000000', 'c7 01 01 00'];

  it.each([
    ...EXTENSIONS.map((bytes) => [`the extension ${bytes}`, bytes]),
    ['a fixext16', `d8 01 ${'00'.repeat(16)}`],
    ['an ext16', 'c8 0001 01 00'],
    ['an ext32', 'c9 00000001 01 00'],
    ['a record definition of msgpackr', 'd4 72 40 91 a1 62 01'],
    ['undefined as msgpackr writes it', 'd4 00 00'],
    ['bin8', 'c4 01 00'],
    ['bin16', 'c5 0001 00'],
    ['bin32', 'c6 00000001 00'],
    ['the reserved tag', 'c1'],
  ])('%s', (_, value) => {
    expect(fault(inMap(value))).toMatch(/a value of type 0x.. .*at byte 3 /);
  });

  it.each([
    ['a key twice', '82 a1 61 01 a1 61 02', 'the key "a" twice'],
    ['a key twice in two encodings', '82 a1 61 01 d9 01 61 02', 'the key "a" twice'],
    ['an integer key', '81 01 01', 'a map key that is not a string'],
    ['a nil key', '81 c0 01', 'a map key that is not a string'],
    ['a bin key', '81 c4 01 61 01', 'a map key that is not a string'],
    ['an overlong UTF-8 form', '81 a1 61 a2 c0 af', 'not UTF-8'],
    ['a surrogate in UTF-8', '81 a1 61 a3 ed a0 80', 'not UTF-8'],
    ['a cut UTF-8 sequence', '81 a1 61 a1 c3', 'not UTF-8'],
    ['a key that is not UTF-8', '81 a1 ff 01', 'not UTF-8'],
    ['uint64 2^53', '81 a1 61 cf 0020000000000000', 'beyond 2^53'],
    ['uint64 2^64 − 1', '81 a1 61 cf ffffffffffffffff', 'beyond 2^53'],
    ['int64 −2^53', '81 a1 61 d3 ffe0000000000000', 'beyond 2^53'],
    ['int64 2^53', '81 a1 61 d3 0020000000000000', 'beyond 2^53'],
    ['a trailing byte', '80 00', '1 bytes after the map'],
    ['nothing at all', '', '1 bytes wanted, 0 left'],
    ['a list longer than the header', '81 a1 61 dd ffffffff 00', '4294967295 values declared, 1 bytes left'],
    ['a map longer than the header', '81 a1 61 df ffffffff 00', '8589934590 values declared, 1 bytes left'],
    ['a map that only its keys fill', '82 a1 61', '4 values declared, 2 bytes left'],
    ['a string longer than the header', '81 a1 61 db ffffffff 00', '4294967295 bytes wanted, 1 left'],
  ])('%s', (_, bytes, wanted) => {
    expect(fault(hex(bytes))).toContain(wanted);
  });

  it.each(['__proto__', 'constructor', 'prototype'])('the key %s at any depth', (key) => {
    const packed = packr.pack(JSON.parse(`{"a": [{"b": {"${key}": 1}}]}`));
    expect(fault(packed)).toContain(`the key "${key}"`);
  });

  it('nesting beyond 16, and not nesting of 16', () => {
    const nested = (depth: number): Uint8Array => join(hex('91'.repeat(depth)), hex('01'));
    expect(fault(nested(16))).toBeUndefined();
    expect(fault(nested(17))).toContain('nesting deeper than 16');
    expect(fault(hex('91'.repeat(1_000_000)))).toContain('nesting deeper than 16');
  });

  it('more than 200 000 values, and not 200 000', () => {
    const list = (count: number): Uint8Array => {
      const bytes = new Uint8Array(5 + count).fill(0x80);
      bytes[0] = 0xdd;
      new DataView(bytes.buffer).setUint32(1, count);
      return bytes;
    };
    expect(fault(list(199_999))).toBeUndefined();
    expect(fault(list(200_000))).toContain('more than 200000 values');
    // Nested lists whose product of counts is out of reach, each count by itself true enough.
    expect(fault(list(16 * 1024 * 1024 - 5))).toContain('more than 200000 values');
  });

  it('a header cut at any byte', () => {
    const whole = packr.pack({
      type: 'run',
      numbers: [1, 300, 70_000, 2 ** 40, -1, -300, 1.5],
      text: 'x'.repeat(40),
      nested: { list: [{ a: null }, true] },
    });
    expect(fault(whole)).toBeUndefined();
    for (let length = 0; length < whole.length; length++) {
      expect(fault(whole.subarray(0, length)), `${length} bytes`).toBeDefined();
    }
  });
});

describe('scanHeader finds the strings whose byte order mark the decoder would drop', () => {
  const MARK = '\uFEFF';

  it('long ones, in order, with their places', () => {
    const bytes = packr.pack({ a: `${MARK}short`, b: MARK + 'x'.repeat(100), c: [MARK + 'y'.repeat(300)] });
    const texts = scanHeader(bytes).marked.map(({ start, end }) =>
      Buffer.from(bytes.subarray(start, end)).toString(),
    );
    expect(texts).toEqual([MARK + 'x'.repeat(100), MARK + 'y'.repeat(300)]);
    expect(scanHeader(bytes).marked.map(({ tag }) => bytes[tag])).toEqual([0xd9, 0xda]);
  });

  it('keys that differ only by a mark are two keys', () => {
    expect(fault(packr.pack({ a: 1, [`${MARK}a`]: 2 }))).toBeUndefined();
  });
});
