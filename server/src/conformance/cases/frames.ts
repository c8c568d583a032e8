/** Sections 1.1 and 1.2: what is a frame, and what is none. Every message here is built by hand. */
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { mustEqual } from '../mismatch.ts';
import { Entries, float32, float64, frame, int64, pack, uint64, Verbatim } from '../pack.ts';

const DESCRIBE = (model: string, request: unknown = 7): (readonly [string, unknown])[] => [
  ['type', 'describe'],
  ['request', request],
  ['model', model],
];

/** These bytes get `bad_frame` and a close with 4400. */
const noFrame = (
  id: string,
  requirement: string,
  shows: string,
  bytes: (model: string) => Uint8Array,
): ConformanceCase => ({
  id,
  requirements: [requirement, 'R-041'],
  shows: `${shows} is a bad_frame, and the end with 4400`,
  run: async ({ open, model }) => {
    const peer = await open();
    peer.wire.send(bytes(model.name));
    await peer.error('bad_frame');
    await peer.mustClose(4400);
  },
});

/** A describe with one more field is a good frame or a bad one by that field alone. */
const withField = (field: unknown, model: string, key: unknown = 'x'): Uint8Array =>
  frame(new Entries(...DESCRIBE(model), [key, field]));

/** A list within a list, and so on; the header's map is the first of the depth. */
function nested(depth: number): unknown {
  let value: unknown = [];
  for (let level = 2; level < depth; level++) value = [value];
  return value;
}

/** A request whose number is written so is answered. */
const sameNumber = (id: string, shows: string, form: Verbatim): ConformanceCase => ({
  id,
  requirements: ['R-026'],
  shows: `the uint 7 is read as ${shows}`,
  run: async (context) => mustAnswer(context, frame(new Entries(...DESCRIBE(context.model.name, form)))),
});

async function mustAnswer({ open }: CaseContext, message: Uint8Array): Promise<void> {
  const peer = await open();
  peer.wire.send(message);
  mustEqual('the request', (await peer.next('description')).request, 7);
}

/** What breaks a table, not a frame: answered with `bad_message`, and the conversation goes on. */
const badField = (
  id: string,
  requirement: string,
  shows: string,
  message: (model: string) => Uint8Array,
): ConformanceCase => ({
  id,
  requirements: [requirement, 'R-045'],
  shows: `${shows} is a bad_message, and it goes on`,
  run: async ({ open, model }) => {
    const peer = await open();
    peer.wire.send(message(model.name));
    await peer.error('bad_message');
    await peer.mustGoOn();
  },
});

const lengthen = (bytes: Uint8Array, length: number): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  new DataView(copy.buffer).setUint32(0, length, true);
  return copy;
};

export const FRAMES: readonly ConformanceCase[] = [
  noFrame('frame-empty', 'R-015', 'an empty message', () => new Uint8Array()),
  noFrame('frame-short', 'R-015', 'a message of seven bytes', () => new Uint8Array(7)),
  noFrame('frame-header-zero', 'R-015', 'a header of no bytes', () => new Uint8Array(8)),
  noFrame('frame-header-lies', 'R-015', 'a header longer than its message', (model) =>
    lengthen(frame(new Entries(...DESCRIBE(model))), 4096),
  ),
  noFrame('frame-header-huge', 'R-015', 'a header length of 4 GiB', () =>
    Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0),
  ),
  noFrame('frame-truncated', 'R-024', 'a header cut off', (model) => {
    const header = pack(new Entries(...DESCRIBE(model)));
    return frame(header.subarray(0, header.length - 1));
  }),
  noFrame('frame-padding', 'R-016', 'padding that is not zero', (model) => {
    const header = pack(new Entries(...DESCRIBE(model)));
    const padded = header.length % 8 === 4 ? pack(new Entries(...DESCRIBE(model, uint64(7n)))) : header;
    const bytes = Uint8Array.from(frame(padded));
    bytes[4 + padded.length] = 1;
    return bytes;
  }),
  noFrame('frame-padding-missing', 'R-016', 'a message without its padding', (model) => {
    const header = pack(new Entries(...DESCRIBE(model)));
    const padded = header.length % 8 === 4 ? pack(new Entries(...DESCRIBE(model, uint64(7n)))) : header;
    return frame(padded).subarray(0, 4 + padded.length);
  }),
  noFrame('header-list', 'R-018', 'a header that is a list', () => frame(pack(['describe']))),
  noFrame('header-untyped', 'R-018', 'a header without type', () => frame({ request: 7 })),
  noFrame('header-type-number', 'R-018', 'a type that is no string', () => frame({ type: 7 })),
  noFrame('header-ext', 'R-019', 'an extension type', (model) => withField(new Verbatim(0xd4, 1, 0), model)),
  noFrame('header-timestamp', 'R-019', 'a timestamp', (model) =>
    withField(new Verbatim(0xd6, 0xff, 0, 0, 0, 0), model),
  ),
  noFrame('header-record', 'R-019', 'a record extension', (model) =>
    withField(new Verbatim(0xd4, 0x72, 0x40), model),
  ),
  noFrame('header-bin', 'R-019', 'a bin value', (model) => withField(new Verbatim(0xc4, 1, 0), model)),
  noFrame('header-never-used', 'R-019', 'the byte that msgpack never uses', (model) =>
    withField(new Verbatim(0xc1), model),
  ),
  noFrame('header-utf8', 'R-019', 'a string that is not UTF-8', (model) =>
    withField(new Verbatim(0xa2, 0xc3, 0x28), model),
  ),
  noFrame('header-surrogate', 'R-019', 'a surrogate in UTF-8', (model) =>
    withField(new Verbatim(0xa3, 0xed, 0xa0, 0x80), model),
  ),
  noFrame('header-key-number', 'R-019', 'a key that is a number', (model) => withField('x', model, 1)),
  noFrame('header-duplicate-key', 'R-020', 'a key that comes twice', (model) =>
    frame(new Entries(...DESCRIBE(model), ['request', 8])),
  ),
  noFrame('header-duplicate-deep', 'R-020', 'a key that comes twice in an inner map', (model) =>
    withField([new Entries(['a', 1], ['a', 1])], model),
  ),
  ...['__proto__', 'constructor', 'prototype'].map((key) =>
    noFrame(`header-key-${key.replaceAll('_', '')}`, 'R-021', `the key ${key}`, (model) =>
      withField('x', model, key),
    ),
  ),
  noFrame('header-depth-17', 'R-022', 'a value within 17 maps and lists', (model) =>
    withField(nested(18), model),
  ),
  badField(
    'header-depth-16',
    'R-022',
    'a value within 16 maps and lists is a frame; as a field that there isn’t, it',
    (model) => withField(nested(17), model),
  ),
  noFrame('header-values-200001', 'R-023', 'a header of 200 001 values', (model) =>
    withField(new Array(200_001 - 5).fill(0).concat([0]), model),
  ),
  badField(
    'header-values-200000',
    'R-023',
    'a header of 200 000 values is a frame; as a field that there isn’t, it',
    (model) => withField(new Array(200_000 - 5).fill(0), model),
  ),
  noFrame('header-trailing', 'R-024', 'a byte after the map', (model) =>
    frame(Buffer.concat([pack(new Entries(...DESCRIBE(model))), Uint8Array.of(0xc0)])),
  ),
  noFrame('header-claims-map', 'R-024', 'a map that claims 4 billion entries', () =>
    frame(Uint8Array.of(0xdf, 255, 255, 255, 255, 0xa1, 0x61)),
  ),
  noFrame('header-uint-2-53', 'R-025', 'the integer 2^53', (model) => withField(uint64(2n ** 53n), model)),
  noFrame('header-int-minus-2-53', 'R-025', 'the integer −2^53', (model) =>
    withField(int64(-(2n ** 53n)), model),
  ),
  {
    id: 'header-uint-2-53-1',
    requirements: ['R-025'],
    shows: 'the integer 2^53 − 1 is a request number',
    run: async ({ open, model }) => {
      const peer = await open();
      const request = Number.MAX_SAFE_INTEGER;
      peer.wire.send(frame(new Entries(...DESCRIBE(model.name, uint64(2n ** 53n - 1n)))));
      mustEqual('the request', (await peer.next('description')).request, request);
    },
  },
  sameNumber('number-float64', 'float 64', float64(7)),
  sameNumber('number-float32', 'float 32', float32(7)),
  sameNumber('number-uint64', 'uint 64', uint64(7n)),
  sameNumber('number-int64', 'int 64', int64(7n)),
  sameNumber('number-uint8', 'uint 8', new Verbatim(0xcc, 7)),
  sameNumber('number-int8', 'int 8', new Verbatim(0xd0, 7)),
  sameNumber('number-int32', 'int 32', new Verbatim(0xd2, 0, 0, 0, 7)),
  badField('number-fraction', 'R-026', 'a fraction in place of a uint', (model) =>
    frame(new Entries(...DESCRIBE(model, float64(7.5)))),
  ),
  badField('number-negative', 'R-001', 'a negative number in place of a uint', (model) =>
    frame(new Entries(...DESCRIBE(model, -7))),
  ),
  badField('number-nan', 'R-026', 'NaN in place of a uint', (model) =>
    frame(new Entries(...DESCRIBE(model, float64(Number.NaN)))),
  ),
  {
    id: 'key-order',
    requirements: ['R-027'],
    shows: 'fields are read in any order',
    run: async (context) =>
      mustAnswer(context, frame(new Entries(...DESCRIBE(context.model.name).toReversed()))),
  },
  badField('field-unknown', 'R-004', 'a field that is not listed', (model) => withField(1, model)),
  badField('field-null', 'R-003', 'null in place of an absent field', (model) =>
    frame({
      type: 'run',
      run: 'null-options',
      model,
      graph: { invokes: [{ input: { ids: [0] } }], nodes: [] },
      options: null,
    }),
  ),
  badField('field-missing', 'R-045', 'a missing field', () => frame({ type: 'describe', request: 7 })),
  badField('field-payload', 'R-017', 'a payload on a message without tensors', (model) =>
    frame(new Entries(...DESCRIBE(model)), new Uint8Array(8)),
  ),
];
