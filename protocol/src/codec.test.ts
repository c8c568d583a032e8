import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkFrame, type Decoded, decodeMessage, dispatch } from './codec.ts';
import { errorBody } from './error-body.ts';
import { ACCESS_CODES, CODES, type ErrorBody, TracewireError } from './errors.ts';
import type { ValueRef } from './fields.ts';
import { decodeFrame, encodeFrame, type Header } from './frame.ts';
import type { GraphNode, Place } from './graph.ts';
import { clientMessages, type MessageTable, serverMessages } from './messages.ts';
import { DTYPE_NAMES } from './tensor.ts';
import { concat } from './transport.ts';

const encode = (header: Header, payload: readonly Uint8Array[] = []): Uint8Array =>
  concat(encodeFrame(header, payload));

const EMPTY = {
  name: 'm',
  id: 'i',
  architecture: 'a',
  exporter: 'other',
  opset: 1,
  modules: [],
  parameters: [],
};

function refusal<T extends MessageTable>(table: T, bytes: Uint8Array): ErrorBody {
  try {
    decodeMessage(table, bytes);
  } catch (error) {
    if (error instanceof TracewireError) return error.body;
    throw error;
  }
  throw new Error('the message was accepted');
}

const run = (nodes: readonly unknown[], input: unknown = { text: 'a' }): Header => ({
  type: 'run',
  run: 'r1',
  model: 'm',
  graph: { invokes: [{ input }], nodes },
});

describe('a message that breaks its table is refused with the field that was meant', () => {
  const TENSOR = { dtype: 'uint8', dims: [1], offset: 0, length: 1 };
  const PLACE = { module: 'h', port: 'output' };

  it.each<readonly [Header, string, string | undefined, string]>([
    [{ type: 'hello' }, 'protocol', 'a number', 'nothing'],
    [{ type: 'ack', run: 'r', seq: -1 }, 'seq', 'at least 0', '-1'],
    [{ type: 'ack', run: 'r', seq: 1.5 }, 'seq', 'an integer', '1.5'],
    [{ type: 'ack', run: 'r', seq: null }, 'seq', 'a number', 'nil'],
    [{ type: 'ack', run: 'r', seq: '1' }, 'seq', 'a number', '"1"'],
    [{ type: 'ack', run: 'r s', seq: 1 }, 'run', 'a string of the form /^[A-Za-z0-9._~-]{1,64}$/', '"r s"'],
    [{ type: 'ack', run: 'r', seq: 1, extra: {} }, 'extra', undefined, 'a map'],
    [{ type: 'describe', request: 1, model: '' }, 'model', 'at least 1 characters', '""'],
    [{ type: 'describe', request: 1, model: 'x'.repeat(513) }, 'model', 'at most 512 bytes of UTF-8', '…'],
    [run([{ kind: 'reed' }]), 'graph.nodes.0.kind', 'one of constant, parameter, read', '"reed"'],
    [run([{ kind: 'save', value: 0 }, {}]), 'graph.nodes.1.kind', 'one of constant', 'nothing'],
    [run([7]), 'graph.nodes.0', 'a map', '7'],
    [
      run([{ kind: 'read', place: { module: 'h', port: 'in' } }]),
      'graph.nodes.0.place.port',
      'one of input, output',
      '"in"',
    ],
    [
      run([{ kind: 'read', place: { module: 'h', port: 'source' } }]),
      'graph.nodes.0.place.source',
      'the name of a value',
      'nothing',
    ],
    [
      run([{ kind: 'read', place: { ...PLACE, source: 'x' } }]),
      'graph.nodes.0.place.source',
      'with the port source',
      '"x"',
    ],
    [run([{ kind: 'read', place: PLACE, colour: 1 }]), 'graph.nodes.0.colour', undefined, '1'],
    [
      run([{ kind: 'write', place: PLACE, value: 0, selection: [0, { start: 0.5 }] }]),
      'graph.nodes.0.selection.1.start',
      'an integer',
      '0.5',
    ],
    [
      run([{ kind: 'constant', tensor: { ...TENSOR, offset: 4 } }]),
      'graph.nodes.0.tensor.offset',
      'a multiple of 8',
      '4',
    ],
    [
      run([{ kind: 'constant', tensor: { ...TENSOR, dims: [2 ** 31] } }]),
      'graph.nodes.0.tensor.dims.0',
      'at most 2147483647',
      '2147483648',
    ],
    [
      run([{ kind: 'constant', tensor: { ...TENSOR, dims: new Array(9).fill(1) } }]),
      'graph.nodes.0.tensor.dims',
      'at most 8 members',
      'a list of 9',
    ],
    [run([], { ids: 'x' }), 'graph.invokes.0.input.ids', 'a list', '"x"'],
    [run([], { ids: [1, -2] }), 'graph.invokes.0.input.ids.1', 'at least 0', '-2'],
    [run([], { text: 3 }), 'graph.invokes.0.input.text', 'a string', '3'],
    [run([], 3), 'graph.invokes.0.input', 'a map', '3'],
  ])('%j', (header, path, wanted, got) => {
    const body = refusal(clientMessages, encode(header));
    expect(body.code).toBe('bad_message');
    expect(body.path).toBe(path);
    if (wanted === undefined) expect(body.wanted).toBeUndefined();
    else expect(body.wanted).toContain(wanted);
    expect(body.got).toContain(got);
    expect(body.message).toContain(`field ${path}: `);
    expect(errorBody.safeParse(body).error).toBeUndefined();
  });

  it('in a union in a union, the deepest', () => {
    const value = { tuple: [{ tensor: TENSOR }, { tuple: [{ tensor: { ...TENSOR, dtype: 'float' } }] }] };
    const body = refusal(
      serverMessages,
      encode({ type: 'value', run: 'r', seq: 1, save: 0, value, bytes: 1 }),
    );
    expect(body).toMatchObject({ path: 'value.tuple.1.tuple.0.tensor.dtype', got: '"float"' });
  });
});

it('tuples may lie 6 deep, which is all that nesting of 16 leaves room for', () => {
  const tensor = { tensor: { dtype: 'uint8', dims: [0], offset: 0, length: 0 } };
  const nested = (depth: number): unknown => (depth === 0 ? tensor : { tuple: [nested(depth - 1)] });
  const message = (depth: number): Header => ({
    type: 'value',
    run: 'r',
    seq: 1,
    save: 0,
    value: nested(depth),
    bytes: 0,
  });
  expect(decodeMessage(serverMessages, encode(message(6))).message).toEqual(message(6));
  expect(refusal(serverMessages, encode(message(7))).code).toBe('bad_frame');
});

describe('a message of no type', () => {
  it('gets the nearest', () => {
    expect(refusal(clientMessages, encode({ type: 'helo' }))).toEqual({
      code: 'unknown_message',
      message: 'There is no message of type "helo" in this direction. Did you mean "hello"?',
      path: 'type',
      got: 'helo',
      nearest: 'hello',
    });
  });

  it.each(['welcome', 'toString', 'constructor', '__proto__', '', 'x'.repeat(10_000_000)])(
    '%.20s',
    (type) => {
      const began = performance.now();
      const body = refusal(clientMessages, encode({ type }));
      expect(body.code).toBe('unknown_message');
      expect(errorBody.safeParse(body).error).toBeUndefined();
      expect(performance.now() - began).toBeLessThan(2000);
    },
  );
});

it('dispatch calls the handler of the type with message and payload', () => {
  const table = { progress: serverMessages.progress, chunk: serverMessages.chunk };
  const calls: unknown[] = [];
  const bytes = encode({ type: 'chunk', run: 'r', seq: 2, save: 0, offset: 8 }, [Uint8Array.of(1)]);
  dispatch<typeof table>(
    { progress: () => calls.push('wrong'), chunk: (message, payload) => calls.push(message.run, payload) },
    decodeMessage(table, bytes),
  );
  expect(calls).toEqual(['r', Uint8Array.of(1)]);
});

it('a payload where there are no tensors is refused', () => {
  const one = [Uint8Array.of(1)];
  const log: Header = { type: 'log', run: 'r', seq: 1, node: 0 };
  const value = { tensor: { dtype: 'uint8', dims: [1], offset: 0, length: 1 } };
  expect(refusal(clientMessages, encode({ type: 'cancel', run: 'r' }, one))).toMatchObject({
    code: 'bad_message',
    path: 'payload',
  });
  expect(refusal(serverMessages, encode(log, one)).path).toBe('payload');
  expect(decodeMessage(serverMessages, encode({ ...log, value }, one)).payload).toEqual(one[0]);
});

it('tuples 7 deep are refused, and empty ones', () => {
  const leaf = { tensor: { dtype: 'uint8', dims: [0], offset: 0, length: 0 } };
  const nested = (depth: number): unknown => (depth === 0 ? leaf : { tuple: [nested(depth - 1)] });
  const message = (depth: number): Uint8Array =>
    encode({ type: 'value', run: 'r', seq: 1, save: 0, value: nested(depth), bytes: 0 });
  expect(decodeMessage(serverMessages, message(6))).toBeDefined();
  // With a tensor inside, they lie deeper than a header may go.
  expect(refusal(serverMessages, message(7)).code).toBe('bad_frame');
  const empty = encode({ type: 'value', run: 'r', seq: 1, save: 0, value: { tuple: [] }, bytes: 0 });
  expect(refusal(serverMessages, empty)).toMatchObject({ code: 'bad_message', path: 'value.tuple' });
});

describe('the report of a list ends at its first wrong member', () => {
  const many = (member: unknown): unknown[] => new Array(190_000).fill(member);

  // Without that, each of these overflows the stack or describes every member.
  it.each<readonly [string, Header, string]>([
    ['of the wrong type', { type: 'tokens', request: 1, ids: [], tokens: many(1) }, 'tokens.0'],
    ['negative', { type: 'tokens', request: 1, ids: many(-1), tokens: [] }, 'ids.0'],
    ['beyond 2^53', { type: 'tokens', request: 1, ids: many(1e300), tokens: [] }, 'ids.0'],
    [
      'empty',
      { type: 'description', request: 1, description: { ...EMPTY, blocks: many('') } },
      'description.blocks.0',
    ],
  ])('%s', (_, header, path) => {
    expect(refusal(serverMessages, encode(header)).path).toBe(path);
  });
});

it('a map has at most 64 fields', () => {
  const wide = (count: number): Header => ({
    type: 'cancel',
    ...Object.fromEntries(Array.from({ length: count - 1 }, (_, index) => [`k${index}`, 0])),
  });
  expect(refusal(clientMessages, encode(wide(64))).code).toBe('bad_message');
  expect(refusal(clientMessages, encode(wide(65))).code).toBe('bad_frame');
});

// Arbitrary valid messages.
const uint = fc.oneof(fc.nat(300), fc.nat(), fc.maxSafeInteger().map(Math.abs));
const name = fc.oneof(
  fc.stringMatching(/^[a-z_]{1,12}(\.[a-z0-9_]{1,6}){0,3}$/),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
);
const path = fc.oneof(name, fc.constant(''));
const text = fc.string({ unit: 'binary', maxLength: 200 });
const id = fc.stringMatching(/^[A-Za-z0-9._~-]{1,64}$/);
const list = <T>(of: fc.Arbitrary<T>, maxLength = 5): fc.Arbitrary<T[]> => fc.array(of, { maxLength });
const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined });
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const integer = fc.maxSafeInteger();

const tensor = fc.record({
  dtype: fc.constantFrom(...DTYPE_NAMES),
  dims: list(fc.nat(2 ** 31 - 1), 8),
  offset: fc.nat(2 ** 40).map((offset) => offset * 8),
  length: uint,
});
const sha256 = fc.stringMatching(/^[0-9a-f]{64}$/);
const blob = fc.record({
  sha256,
  dtype: fc.constantFrom(...DTYPE_NAMES),
  dims: list(fc.nat(2 ** 31 - 1), 8),
});
const value = fc.letrec<{ value: ValueRef }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.record({ tensor }),
    fc.record({ tuple: fc.array(tie('value'), { minLength: 1, maxLength: 3 }) }),
  ),
})).value;
const place: fc.Arbitrary<Place> = fc.oneof(
  fc.record({ module: path, port: fc.constantFrom('input', 'output'), member: maybe(uint) }),
  fc.record({ module: path, port: fc.constant('source' as const), source: name }),
);
const range = fc.oneof(
  fc.record({ start: maybe(integer), end: maybe(integer), step: maybe(integer) }),
  fc.record({ indices: list(integer) }),
);
const attribute = fc.oneof(
  integer,
  number,
  text.filter((value) => Buffer.byteLength(value) <= 512),
  list(integer),
);
const refusedKeys = ['__proto__', 'constructor', 'prototype'];
const attributes = fc.dictionary(
  name.filter((key) => !refusedKeys.includes(key)),
  attribute,
  { noNullPrototype: true },
);

const nodes: { readonly [K in GraphNode['kind']]: fc.Arbitrary<Extract<GraphNode, { kind: K }>> } = {
  constant: fc.oneof(
    fc.record({ kind: fc.constant('constant' as const), tensor }),
    fc.record({ kind: fc.constant('constant' as const), blob }),
  ),
  parameter: fc.record({ kind: fc.constant('parameter'), name }),
  read: fc.record({ kind: fc.constant('read'), place }),
  write: fc.record({
    kind: fc.constant('write'),
    place,
    value: uint,
    selection: maybe(list(fc.oneof(integer, range))),
    mask: maybe(uint),
  }),
  skip: fc.record({ kind: fc.constant('skip'), module: name, value: uint }),
  stop: fc.record({ kind: fc.constant('stop'), place }),
  operator: fc.record({
    kind: fc.constant('operator'),
    operator: name,
    inputs: list(uint),
    attributes: maybe(attributes),
  }),
  call: fc.record({ kind: fc.constant('call'), function: sha256, inputs: list(uint) }),
  member: fc.record({ kind: fc.constant('member'), of: uint, index: uint }),
  apply: fc.record({ kind: fc.constant('apply'), module: name, input: uint }),
  earlier: fc.record({ kind: fc.constant('earlier'), trace: uint, node: uint, step: maybe(uint) }),
  save: fc.record({ kind: fc.constant('save'), value: uint }),
  log: fc.record({ kind: fc.constant('log'), text: maybe(text), value: maybe(uint) }),
};
const graph = fc.record({
  invokes: fc.tuple(fc.record({ input: fc.oneof(fc.record({ text }), fc.record({ ids: list(uint) })) })),
  nodes: list(fc.oneof(...Object.values(nodes)), 20),
});

const error = fc.letrec<{ error: ErrorBody }>((tie) => ({
  error: fc.record({
    code: fc.constantFrom(...CODES),
    message: text,
    retryAfterMs: maybe(uint),
    run: maybe(id),
    trace: maybe(uint),
    node: maybe(uint),
    path: maybe(text),
    wanted: maybe(text),
    got: maybe(text),
    nearest: maybe(name),
    cause: fc.oneof({ maxDepth: 2 }, fc.constant(undefined), tie('error')),
  }),
})).error;
const peer = fc.record({ name, version: name });
const limits = fc.record({
  messageBytes: fc.integer({ min: 1, max: 1e9 }),
  nodes: fc.integer({ min: 1, max: 1e9 }),
  savedBytes: fc.integer({ min: 1, max: 1e9 }),
  windowBytes: fc.integer({ min: 1, max: 1e9 }),
  chunkBytes: fc.integer({ min: 1, max: 1e9 }),
  runs: fc.integer({ min: 1, max: 1e9 }),
});
const port = fc.record({ name, dtype: fc.constantFrom(...DTYPE_NAMES), dims: list(fc.oneof(uint, name)) });
const source = fc.tuple(port, name, uint).map(([made, operator, order]) => ({ ...made, operator, order }));
const description = fc.record({
  name,
  id: name,
  architecture: name,
  exporter: fc.constantFrom('torchscript', 'dynamo', 'other'),
  opset: uint,
  contextLength: maybe(uint),
  vocabularySize: maybe(uint),
  attention: maybe(fc.record({ heads: uint, keyValueHeads: uint, headSize: uint })),
  blocks: list(name),
  modules: list(
    fc.record({
      path,
      class: maybe(name),
      order: fc.record({ input: maybe(uint), output: maybe(uint) }),
      inputs: list(port),
      outputs: list(port),
      missing: maybe(text),
      sources: maybe(list(source)),
    }),
  ),
  parameters: list(fc.record({ name, dtype: fc.constantFrom(...DTYPE_NAMES), dims: list(uint) })),
});
const report = fc.record({
  modulesRun: uint,
  modulesTotal: uint,
  segmentsRun: uint,
  segmentsTotal: uint,
  tokens: uint,
  milliseconds: number,
  stoppedAfter: maybe(name),
});

const explanation = fc.record({
  tokens: uint,
  modulesRun: uint,
  modulesTotal: uint,
  segmentsRun: uint,
  segmentsTotal: uint,
  stoppedAfter: maybe(name),
  segments: list(
    fc.record({
      modules: uint,
      last: maybe(name),
      end: fc.constantFrom('block', 'write', 'stop', 'end'),
      at: maybe(name),
      positions: maybe(uint),
    }),
  ),
  idle: list(name),
  saves: list(fc.record({ save: uint, bytes: maybe(uint) })),
  warnings: list(error),
});

type Fields<T extends MessageTable> = { readonly [K in keyof T]: fc.Arbitrary<object> };

const runOptions = maybe(
  fc.record({ deadlineMs: maybe(fc.integer({ min: 1 })), detach: maybe(fc.constant(true)) }),
);
const CLIENT: Fields<typeof clientMessages> = {
  hello: fc.record({ protocol: uint, client: peer, capabilities: list(name) }),
  describe: fc.record({ request: uint, model: name }),
  tokenize: fc.record({ request: uint, model: name, text }),
  detokenize: fc.record({ request: uint, model: name, ids: list(uint) }),
  run: fc.oneof(
    fc.record({ run: id, model: name, graph, options: runOptions }),
    fc.record({
      run: id,
      model: name,
      traces: fc.array(fc.record({ graph }), { minLength: 1, maxLength: 3 }),
      options: runOptions,
    }),
  ),
  explain: fc.record({ request: uint, model: name, graph }),
  cancel: fc.record({ run: id }),
  ack: fc.record({ run: id, seq: uint }),
  resume: fc.record({ run: id, after: uint }),
  blob: fc.record({ sha256, size: uint }),
  blob_chunk: fc.record({ sha256, offset: uint }),
  function: fc.record({ request: uint, sha256 }),
};
const ofRun = { run: id, seq: uint };
const SERVER: Fields<typeof serverMessages> = {
  welcome: fc.record({
    protocol: uint,
    server: peer,
    epoch: id,
    capabilities: list(name),
    opset: uint,
    models: fc.array(name, { minLength: 1, maxLength: 5 }),
    limits,
  }),
  description: fc.record({ request: uint, description }),
  tokens: fc.record({ request: uint, ids: list(uint), tokens: list(text) }),
  text: fc.record({ request: uint, text }),
  explanation: fc.record({ request: uint, explanation }),
  error: fc.record({
    request: maybe(uint),
    run: maybe(id),
    errors: fc.array(error, { minLength: 1, maxLength: 5 }),
  }),
  status: fc.oneof(
    fc.record({ ...ofRun, state: fc.constant('received' as const), warnings: maybe(list(error)) }),
    fc.record({ ...ofRun, state: fc.constant('queued' as const), position: maybe(uint) }),
    fc.record({ ...ofRun, state: fc.constant('running' as const) }),
    fc.record({ ...ofRun, state: fc.constant('completed' as const), report }),
    fc.record({
      ...ofRun,
      state: fc.constant('completed' as const),
      reports: fc.array(fc.record({ state: fc.constant('completed' as const), report }), {
        minLength: 1,
        maxLength: 3,
      }),
    }),
    fc.record({
      ...ofRun,
      state: fc.constant('failed' as const),
      errors: fc.array(error, { minLength: 1, maxLength: 5 }),
      report: maybe(report),
    }),
    fc.record({ ...ofRun, state: fc.constant('cancelled' as const), report: maybe(report) }),
  ),
  value: fc.record({ ...ofRun, trace: maybe(uint), save: uint, value, bytes: uint }),
  chunk: fc.record({ ...ofRun, save: uint, step: maybe(uint), offset: uint }),
  token: fc.record({ ...ofRun, invoke: maybe(uint), step: uint, id: uint, text }),
  access_error: fc.record({
    ...ofRun,
    save: uint,
    error: fc.tuple(error, fc.constantFrom(...ACCESS_CODES)).map(([body, code]) => ({ ...body, code })),
  }),
  log: fc.record({ ...ofRun, node: uint, text: maybe(text), value: maybe(value) }),
  blob_state: fc.record({
    sha256,
    state: fc.constantFrom('wanted', 'known', 'refused'),
    received: uint,
    error: maybe(error),
  }),
  function_description: fc.record({ request: uint, inputs: list(port), outputs: list(port) }),
  progress: fc.record({ run: id, done: uint, total: uint }),
};

const messagesOf = (fields: Readonly<Record<string, fc.Arbitrary<object>>>): fc.Arbitrary<Header> =>
  fc.oneof(...Object.entries(fields).map(([type, of]) => of.map((rest): Header => ({ type, ...rest }))));

describe.each([
  ['client', clientMessages as MessageTable, messagesOf(CLIENT)],
  ['server', serverMessages as MessageTable, messagesOf(SERVER)],
] as const)('%s messages', (_, table, messages) => {
  const CODES = new Set(['bad_frame', 'unknown_message', 'not_offered', 'bad_message']);

  /** Decodes, or throws a documented error that itself fits the wire; anything else fails the test. */
  function survives(bytes: Uint8Array): Decoded<MessageTable> | undefined {
    try {
      return decodeMessage(table, bytes);
    } catch (thrown) {
      if (!(thrown instanceof TracewireError) || !CODES.has(thrown.code)) throw thrown;
      expect(errorBody.safeParse(thrown.body).error).toBeUndefined();
      return undefined;
    }
  }

  it('come back as they went', () => {
    fc.assert(
      fc.property(messages, fc.uint8Array({ maxLength: 40 }), (message, bytes) => {
        const payload = ['run', 'value', 'chunk', 'blob_chunk'].includes(message.type)
          ? bytes
          : new Uint8Array();
        const decoded = decodeMessage(table, encode(message, [payload]));
        expect(decoded.message).toEqual(message);
        expect(decoded.payload).toEqual(payload);
      }),
      { numRuns: 300 },
    );
  });

  it('with one bit flipped are a documented error or a valid message', () => {
    fc.assert(
      fc.property(messages, fc.nat(), (message, position) => {
        const bytes = encode(message);
        const bit = position % (bytes.length * 8);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const decoded = survives(bytes);
        if (decoded) expect(checkFrame(table, decodeFrame(encode(decoded.message as Header)))).toBeDefined();
      }),
      { numRuns: 1000 },
    );
  });

  it('cut anywhere are a documented error', () => {
    fc.assert(
      fc.property(messages, fc.nat(), (message, position) => {
        const bytes = encode(message);
        expect(survives(bytes.subarray(0, position % bytes.length))).toBeUndefined();
      }),
      { numRuns: 200 },
    );
  });

  it('of arbitrary bytes are a documented error', () => {
    const header = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(header, (bytes) => survives(bytes) === undefined),
      { numRuns: 500 },
    );
    const framed = header.map((bytes) => {
      const frame = new Uint8Array(Math.ceil((4 + bytes.length) / 8) * 8);
      new DataView(frame.buffer).setUint32(0, bytes.length, true);
      frame.set(bytes, 4);
      return frame;
    });
    fc.assert(
      fc.property(framed, (bytes) => survives(bytes) === undefined),
      { numRuns: 1000 },
    );
  });
});

it('every bit of one message may be flipped', () => {
  const bytes = encode(
    run([
      { kind: 'read', place: { module: 'transformer.h.1', port: 'output' } },
      { kind: 'save', value: 0 },
      { kind: 'operator', operator: 'Softmax', inputs: [0], attributes: { axis: -1 } },
    ]),
  );
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    try {
      decodeMessage(clientMessages, flipped);
    } catch (error) {
      expect(error, `bit ${bit}`).toBeInstanceOf(TracewireError);
    }
  }
});

it('a graph of 200 nodes decodes in about 2 ms', () => {
  const graphNodes = Array.from({ length: 200 }, (_, index) =>
    index % 2 === 0
      ? { kind: 'read', place: { module: `transformer.h.${index}.attn.c_proj`, port: 'output', member: 0 } }
      : { kind: 'operator', operator: 'Softmax', inputs: [index - 1], attributes: { axis: -1 } },
  );
  const bytes = encode(run(graphNodes));
  const times = Array.from({ length: 50 }, () => {
    const began = performance.now();
    decodeMessage(clientMessages, bytes);
    return performance.now() - began;
  });
  const median = times.toSorted((a, b) => a - b)[25] ?? Number.POSITIVE_INFINITY;
  // Measured 1.3 ms; the bound leaves room for a busy machine.
  expect(median).toBeLessThan(10);
});
