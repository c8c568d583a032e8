/**
 * The codec against the vectors: bytes that an independent encoder made, and bytes that are no messages. Then bytes
 * that nobody made: cut, flipped, and hostile ones. Whatever comes gives a message or a documented error.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  type ClientMessage,
  clientMessages,
  concat,
  decodeMessage,
  ERROR_CODES,
  encodeFrame,
  errorBody,
  type Header,
  isRetryable,
  PayloadReader,
  SUBPROTOCOL,
  serverMessages,
  type TensorData,
  type TensorLike,
  TracewireError,
  tensorsOf as tensorsOfRun,
  type Value,
  type ValueRef,
} from '@tracewire/protocol';
import { describe, expect, it } from 'vitest';
import {
  bytesOfHex,
  type Element,
  type ErrorCase,
  expand,
  type Golden,
  type ListedTensor,
  type Rejection,
  readVectors,
  type Sequence,
  vectorFiles,
} from '../support/vectors.ts';
import { FOLDER, schemaFiles } from '../tools/json-schema.mjs';

type Direction = 'client' | 'server';

interface Read {
  readonly message: Header;
  readonly payload: Uint8Array;
  /** In the order of the header; none of a value whose payload comes in parts. */
  readonly tensors: readonly TensorLike[];
}

/** Decodes a message and the tensors that it brings. */
function read(direction: Direction, bytes: Uint8Array): Read {
  const { message, payload } =
    direction === 'client' ? decodeMessage(clientMessages, bytes) : decodeMessage(serverMessages, bytes);
  switch (message.type) {
    case 'run':
      return { message, payload, tensors: constantsOf(message, payload) };
    case 'log':
      return { message, payload, tensors: message.value ? tensorsOf(message.value, payload) : [] };
    case 'value':
      return {
        message,
        payload,
        tensors: payload.byteLength < message.bytes ? [] : wholeValue(message, payload),
      };
    default:
      return { message, payload, tensors: [] };
  }
}

function constantsOf(message: ClientMessage & { type: 'run' }, payload: Uint8Array): TensorLike[] {
  return tensorsOfRun(message, payload).flatMap(({ constants }) => [...constants.values()]);
}

function wholeValue({ value, bytes }: { value: ValueRef; bytes: number }, payload: Uint8Array): TensorLike[] {
  if (payload.byteLength > bytes) {
    throw new TracewireError({ code: 'bad_message', message: 'More payload than `bytes`.', path: 'bytes' });
  }
  return tensorsOf(value, payload);
}

function tensorsOf(ref: ValueRef, payload: Uint8Array): TensorLike[] {
  const reader = new PayloadReader(payload);
  const value = reader.value(ref, 'value');
  reader.end();
  return flatten(value);
}

const isTuple = (value: Value): value is readonly Value[] => Array.isArray(value);
const flatten = (value: Value): TensorLike[] => (isTuple(value) ? value.flatMap(flatten) : [value]);

/** The error's body; anything thrown but a protocol error fails the test. */
function refusal(direction: Direction, bytes: Uint8Array): TracewireError['body'] | undefined {
  try {
    read(direction, bytes);
    return undefined;
  } catch (error) {
    if (!(error instanceof TracewireError)) throw error;
    return error.body;
  }
}

/** JSON has one zero, and so has the protocol. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

function elementsOf({ dtype, data }: TensorLike): Element[] {
  return Array.from<number | bigint>(data as Exclude<TensorData, BigInt64Array | BigUint64Array>).map(
    (element) => {
      if (typeof element === 'bigint') return String(element);
      const number = dtype === 'float16' ? halfToNumber(element) : element;
      return Number.isFinite(number) && !Object.is(number, -0) ? number : wordFor(number);
    },
  );
}

const wordFor = (number: number): string => (number === 0 ? '-0' : String(number));

function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent ? sign * (1024 + fraction) * 2 ** (exponent - 25) : sign * fraction * 2 ** -24;
}

function expectTensors(tensors: readonly TensorLike[], listed: readonly ListedTensor[] = []): void {
  const found = tensors.map((tensor) => ({
    dtype: tensor.dtype,
    dims: tensor.dims,
    values: elementsOf(tensor),
  }));
  expect(found).toEqual(listed.map(({ dtype, dims, values }) => ({ dtype, dims, values })));
}

function expectGolden({ direction, message, tensors, canonical, hex }: Golden): void {
  const bytes = bytesOfHex(hex);
  const decoded = read(direction, bytes);
  expect(plain(decoded.message)).toEqual(expand(message));
  expectTensors(decoded.tensors, tensors);
  if (!canonical) return;
  const encoded = concat(encodeFrame(expand(message) as Header, [decoded.payload]));
  // Not toEqual on arrays, which takes seconds for 16 MiB.
  expect(Buffer.compare(encoded, bytes), 'the same bytes').toBe(0);
}

describe.each(vectorFiles('golden'))('%s', (file) => {
  const { version, cases } = readVectors<Golden>(file);
  it('is of this version', () => expect(version).toBe(SUBPROTOCOL));
  it.each(cases)('$id', expectGolden);
});

describe('errors.json', () => {
  const { cases } = readVectors<ErrorCase>('errors.json');
  it('has every code of the table; if not, run test/reference/make_vectors.py', () => {
    expect(cases.map(({ code }) => code)).toEqual(Object.keys(ERROR_CODES));
  });
  it.each(cases)('$id', (example) => {
    expectGolden(example);
    expect(isRetryable(example.code as keyof typeof ERROR_CODES)).toBe(example.retry);
  });
});

describe('sequences.json', () => {
  it.each(readVectors<Sequence>('sequences.json').cases)(
    '$id',
    ({ chunkBytes, value, bytes, tensors, hex }) => {
      const parts = hex.map((part) => read('server', bytesOfHex(part)));
      const [first, ...rest] = parts;
      expect(first?.message).toMatchObject({ type: 'value', value, bytes });
      const full = parts.slice(0, -1).map(({ payload }) => payload.byteLength);
      expect(full).toEqual(full.map(() => chunkBytes));
      for (const [index, { message }] of rest.entries()) {
        expect(message).toMatchObject({ type: 'chunk', offset: (index + 1) * chunkBytes });
      }
      const payload = concat(parts.map((part) => part.payload));
      expect(payload.byteLength).toBe(bytes);
      expectTensors(tensorsOf(value as ValueRef, payload), tensors);
    },
  );
});

describe.each(vectorFiles('rejections'))('%s', (file) => {
  const { version, cases } = readVectors<Rejection>(file);
  it('is of this version', () => expect(version).toBe(SUBPROTOCOL));
  it.each(cases)('$id', ({ direction, code, path, hex }) => {
    const body = refusal(direction, bytesOfHex(hex));
    expect(body?.code).toBe(code);
    if (path !== undefined) expect(body?.path).toBe(path);
    expect(errorBody.safeParse(body).error).toBeUndefined();
  });
});

it('there are at least 300 vectors, and every message and every code is in them', () => {
  const golden = vectorFiles('golden').flatMap((file) => readVectors<Golden>(file).cases);
  const refused = vectorFiles('rejections').flatMap((file) => readVectors<Rejection>(file).cases);
  const offered = readVectors<Golden & { readonly capability: string }>(
    'capabilities/golden.json',
  ).cases.filter(({ capability }) => capability !== 'sessions');
  const types = new Set([...golden, ...offered].map(({ message }) => (message as Header).type));
  expect([...types].sort()).toEqual([...Object.keys(clientMessages), ...Object.keys(serverMessages)].sort());
  expect(golden.length).toBeGreaterThan(200);
  expect(refused.length).toBeGreaterThan(200);
});

describe('docs/schema', () => {
  const written = schemaFiles();
  it('has a file for every message and no other', () => {
    const found = ['client', 'server'].flatMap((direction) =>
      readdirSync(new URL(direction, FOLDER)).map((name) => `${direction}/${name}`),
    );
    expect(found.sort()).toEqual([...written.keys()].sort());
  });
  it.each([...written])('%s is what `npm run docs:schema` writes', (path, text) => {
    expect(readFileSync(new URL(path, FOLDER), 'utf8')).toBe(text);
  });
});

const CODES = new Set(['bad_frame', 'unknown_message', 'bad_message', 'not_offered']);

/** A message, or an error that the page knows and that itself fits the wire. */
function survives(direction: Direction, bytes: Uint8Array): boolean {
  const body = refusal(direction, bytes);
  if (!body) return true;
  expect(CODES).toContain(body.code);
  expect(errorBody.safeParse(body).success).toBe(true);
  return false;
}

describe('a short message', () => {
  const all = vectorFiles('golden')
    .flatMap((file) => readVectors<Golden>(file).cases)
    .map(({ id, direction, message, hex }) => ({
      id,
      direction,
      type: (message as Header).type,
      bytes: bytesOfHex(hex),
    }))
    .filter(({ bytes }) => bytes.byteLength <= 512)
    .sort((a, b) => a.bytes.byteLength - b.bytes.byteLength);
  /** Three of each type. */
  const short = [...new Set(all.map(({ type }) => type))].flatMap((type) =>
    all.filter((example) => example.type === type).slice(0, 3),
  );

  it('cut at any byte is a documented error, or a value whose rest would come in a chunk', () => {
    for (const { id, direction, type, bytes } of short) {
      for (let length = 0; length < bytes.byteLength; length++) {
        const isWhole = survives(direction, bytes.subarray(0, length));
        if (isWhole) expect(['value', 'chunk'], `${id} cut at ${length}`).toContain(type);
      }
    }
  });

  it('with any bit flipped is a documented error or a message', () => {
    for (const { direction, bytes } of short) {
      for (let bit = 0; bit < bytes.byteLength * 8; bit++) {
        const flipped = bytes.slice();
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        survives(direction, flipped);
      }
    }
  });
});

describe('a hostile message', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heap = (): number => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  const MIB = 1024 * 1024;

  const run = (nodes: unknown): Header => ({
    type: 'run',
    run: 'r',
    model: 'm',
    graph: { invokes: [{ input: { ids: [1] } }], nodes },
  });
  const many = (member: unknown, times = 190_000): unknown[] => new Array(times).fill(member);
  const fields = (times: number): object =>
    Object.fromEntries(Array.from({ length: times }, (_, index) => [`k${index}`, 0]));
  const framed = (head: string, filler = 0, times = 0): Uint8Array => {
    const header = Buffer.concat([Buffer.from(head, 'hex'), Buffer.alloc(times, filler)]);
    const bytes = new Uint8Array(Math.ceil((4 + header.length) / 8) * 8);
    new DataView(bytes.buffer).setUint32(0, header.length, true);
    bytes.set(header, 4);
    return bytes;
  };
  const start = '81a474797065'; // { "type":
  const encode = (header: Header): Uint8Array => concat(encodeFrame(header));

  type Attacks = Readonly<Record<string, readonly [Direction, Uint8Array]>>;

  /** Refused before anything is built of them. */
  const scanned: Attacks = {
    '4 MiB of empty maps': ['client', framed(`${start}dd00400000`, 0x80, 4 * MIB)],
    'lists 4 Mi deep': ['client', framed(start, 0x91, 4 * MIB)],
    'maps 1 Mi deep, without keys': ['client', framed(start, 0x81, MIB)],
    'a list of 2^32 − 1': ['client', framed(`${start}ddffffffff`)],
    'a map of 2^32 − 1': ['client', framed('dfffffffff')],
    'a string of 2^32 − 1': ['client', framed(`${start}dbffffffff`)],
    '4 MiB of extensions': ['client', framed('', 0xc7, 4 * MIB)],
    // Each would be listed.
    '100 000 unknown fields': ['client', encode({ type: 'ack', run: 'r', seq: 1, ...fields(100_000) })],
  };

  const value = (value: unknown): Uint8Array =>
    encode({ type: 'value', run: 'r', seq: 1, save: 1, bytes: 0, value });
  const tokens = (more: object): Uint8Array =>
    encode({ type: 'tokens', request: 1, ids: [], tokens: [], ...more });
  const place = { module: '', port: 'input' };

  /** Refused by the message's table. A report of every fault would take the stack or seconds. */
  const checked: Attacks = {
    'a type of 4 MiB': ['client', encode({ type: 'x'.repeat(4 * MIB) })],
    '190 000 empty maps as nodes': ['client', encode(run(many({})))],
    '90 000 nodes without their field': ['client', encode(run(many({ kind: 'save' }, 90_000)))],
    '60 000 nodes with an unknown field': ['client', encode(run(many({ kind: 'log', x: 0 }, 60_000)))],
    '2 900 nodes of 60 unknown fields': ['client', encode(run(many({ kind: 'log', ...fields(60) }, 2900)))],
    '11 000 nodes of 8 wrong entries': [
      'client',
      encode(run(many({ kind: 'write', place, value: 0, selection: many(null, 8) }, 11_000))),
    ],
    '190 000 models that are numbers': ['server', encode({ type: 'welcome', models: many(1) })],
    '190 000 tokens that are numbers': ['server', tokens({ tokens: many(1) })],
    '190 000 negative ids': ['server', tokens({ ids: many(-1) })],
    '190 000 ids of 1e300': ['server', tokens({ ids: many(1e300) })],
    'a tuple of tuples of wrong members': [
      'server',
      value({ tuple: many({ tuple: many({ tuple: many({ x: 1 }, 20) }, 50) }, 50) }),
    ],
    'a tuple of tuples with an unknown field each': [
      'server',
      value({ tuple: many({ tuple: many({ tuple: [], x: 1 }, 60) }, 1000) }),
    ],
  };

  it.each(Object.entries({ ...scanned, ...checked }))(
    '%s is refused, within 256 MiB',
    (_, [direction, bytes]) => {
      collect();
      const before = heap();
      expect(survives(direction, bytes)).toBe(false);
      expect(heap() - before).toBeLessThan(256 * MIB);
    },
  );

  it('leaves nothing behind, 1 000 times', () => {
    const round = (attacks: Attacks): void => {
      for (const [direction, bytes] of Object.values(attacks)) survives(direction, bytes);
    };
    round(scanned);
    round(checked);
    collect();
    const before = heap();
    for (let times = 0; times < 125; times++) round(scanned);
    round(checked);
    collect();
    expect(heap() - before).toBeLessThan(8 * MIB);
  }, 60_000);
});
