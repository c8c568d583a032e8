/** Sections 1, 1.1 and 1.2 of the page: what carries messages, and how they are encoded. */
import { Entries, float64, frame, int64, pack, uint64, Verbatim } from '../../pack.ts';
import { amid, broken, type ClientCase, CONSTANTS, ONE, TUTORIAL, turn } from '../case.ts';
import { bigValue, printed } from '../fixture.ts';
import { REPORT, type ScriptedRun } from '../scripted-run.ts';

/** What a client sends, and odd but right ways to send it something. */
const RIGHT: readonly ClientCase[] = [
  {
    id: 'client-frames',
    requirements: [
      ...['R-001', 'R-002', 'R-003', 'R-004', 'R-015', 'R-016', 'R-018', 'R-019', 'R-020', 'R-021', 'R-022'],
      ...['R-023', 'R-024', 'R-025', 'R-029', 'R-030', 'R-031', 'R-032', 'R-033', 'R-186'],
    ],
    shows: 'all that it sends is a frame and keeps to its table',
    trace: 'constants',
    prints: CONSTANTS,
  },
  {
    id: 'client-fragments',
    requirements: ['R-010'],
    shows: 'it takes messages in fragments of one byte, and of none',
    trace: 'tutorial',
    prints: TUTORIAL,
    script: {
      encode: (header, payload) => {
        const bytes = frame(header, payload);
        if (bytes.length > 4096) return [bytes.subarray(0, 1), new Uint8Array(), bytes.subarray(1)];
        return [new Uint8Array(), ...Array.from(bytes, (byte) => Uint8Array.of(byte)), new Uint8Array()];
      },
    },
  },
  turn(
    'large-message',
    ['R-012'],
    'it takes a message with a payload of 4 MiB and one with a header of 1 MB',
    { lines: [{ save: 'h.0', ...printed(bigValue(4 * 1024 * 1024)) }] },
    () => undefined,
    {
      script: {
        limits: { chunkBytes: 4 * 1024 * 1024, windowBytes: 8 * 1024 * 1024 },
        run: async (run) => {
          // As many warnings as a status may have, each as long as it may be: 1 MB of header.
          const message = 'x'.repeat(10_000);
          run.status('received', { warnings: new Array(100).fill({ code: 'behind_stop', message }) });
          run.status('running');
          await run.value(run.saveOf('h.0'), bigValue(4 * 1024 * 1024));
          run.status('completed');
        },
      },
    },
  ),
  numberForms('client-number-forms', 'every integer as a float 64, and fields in any order', float64),
  numberForms('client-number-forms-64', 'every integer in eight bytes', (value) =>
    value < 0 ? int64(BigInt(value)) : uint64(BigInt(value)),
  ),
  turn('ping', ['R-014'], 'it answers a ping', ONE, async (run, { socket }) => {
    run.begin();
    await socket.wire.ping();
    await run.outcomes();
    run.status('completed');
  }),
  turn('depth-16', ['R-022'], 'a value within 16 maps and lists is no trouble', ONE, async (run) => {
    run.status('received', { warnings: [causes(13)] });
    run.status('running');
    await run.outcomes();
    run.status('completed');
  }),
];

/** The server goes on to the end as if nothing were wrong: who took the breach in prints a value, and is caught. */
const goOn = async (run: ScriptedRun): Promise<void> => {
  await run.outcomes();
  run.status('completed');
};

/** A breach of the frame amid the run, in a `progress`, which changes nothing for who takes it in. */
const sends = (id: string, requirement: string, shows: string, bytes: (run: ScriptedRun) => Uint8Array) =>
  amid(id, requirement, shows, (run, connection) => {
    connection.sendBytes(bytes(run));
    return goOn(run);
  });

/** The first status has a warning, and in it what may not be there. */
const warns = (id: string, requirement: string, shows: string, warnings: unknown) =>
  broken(id, requirement, shows, (run) => {
    run.status('received', { warnings });
    run.status('running');
    return goOn(run);
  });

const progress = (run: ScriptedRun, ...more: readonly (readonly [unknown, unknown])[]): Entries =>
  new Entries(['type', 'progress'], ['run', run.id], ['done', 1], ['total', 3], ...more);

/** A right frame with padding, whose bytes are changed. */
const spoilt =
  (spoil: (bytes: Uint8Array, view: DataView, headerBytes: number) => Uint8Array | undefined) =>
  (run: ScriptedRun): Uint8Array => {
    const totals = [3, 300, 70_000];
    const headers = totals.map((total) => pack({ type: 'progress', run: run.id, done: 1, total }));
    const header = headers.find(({ length }) => (4 + length) % 8 !== 0) ?? new Uint8Array();
    const bytes = frame(header);
    return spoil(bytes, new DataView(bytes.buffer), header.length) ?? bytes;
  };

/** A right frame that says another length of its header. */
const ofLength = (length: (right: number) => number) =>
  spoilt((_, view, right) => {
    view.setUint32(0, length(right), true);
    return undefined;
  });

const warning = { code: 'behind_stop', message: 'w' };

const BROKEN: readonly ClientCase[] = [
  sends('short', 'R-015', 'a message of three bytes', () => Uint8Array.of(1, 2, 3)),
  sends('empty', 'R-015', 'a message of no bytes', () => new Uint8Array()),
  sends(
    'header-length',
    'R-015',
    'a header that is longer than its message',
    ofLength(() => 65_535),
  ),
  sends('header-zero', 'R-015', 'a header of no bytes', () => new Uint8Array(8)),
  sends(
    'header-huge',
    'R-015',
    'a header of 4 GiB',
    ofLength(() => 0xffff_ffff),
  ),
  sends(
    'header-cut',
    'R-015',
    'a header length that cuts the map',
    ofLength((right) => right - 1),
  ),
  sends(
    'padding',
    'R-016',
    'padding that is not zero',
    spoilt((bytes) => bytes.fill(1, bytes.length - 1)),
  ),
  sends(
    'padding-missing',
    'R-016',
    'a message without its padding',
    spoilt((bytes, _, length) => bytes.subarray(0, 4 + length)),
  ),
  sends('header-list', 'R-018', 'a header that is a list', () => frame(['progress'])),
  sends('untyped', 'R-018', 'a header without `type`', () => frame({ done: 1, total: 3 })),
  sends('type-number', 'R-018', 'a `type` that is a number', () => frame({ type: 7 })),
  warns('ext', 'R-019', 'an extension type', new Verbatim(0xd4, 0, 0)),
  warns('timestamp', 'R-019', 'a timestamp', new Verbatim(0xd6, 0xff, 0, 0, 0, 9)),
  warns('bin', 'R-019', 'a `bin` in place of a string', [
    { ...warning, message: new Verbatim(0xc4, 1, 0x61) },
  ]),
  warns('never-used', 'R-019', 'the byte 0xc1', new Verbatim(0xc1)),
  warns('utf8', 'R-019', 'a string that is no UTF-8', [
    { ...warning, message: new Verbatim(0xa2, 0xc3, 0x28) },
  ]),
  sends('key-number', 'R-019', 'a key that is no string', (run) => frame(progress(run, [7, 1]))),
  sends('duplicate-key', 'R-020', 'a key that comes twice', (run) => frame(progress(run, ['done', 1]))),
  warns('duplicate-deep', 'R-020', 'a key that comes twice further down', [
    new Entries(['code', 'behind_stop'], ['message', 'w'], ['message', 'w']),
  ]),
  ...['__proto__', 'constructor', 'prototype'].map((key) =>
    sends(`key-${key.replaceAll('_', '')}`, 'R-021', `the key ${key}`, (run) =>
      frame(progress(run, [key, {}])),
    ),
  ),
  warns('depth', 'R-022', 'a value within 17 maps and lists', [causes(14)]),
  amid('values', 'R-023', 'a header of more than 200 000 values', (run) => {
    const nothing = { tensor: { dtype: 'float32', dims: [0], offset: 0, length: 0 } };
    const tuple = new Array(34).fill({ tuple: new Array(1024).fill(nothing) });
    run.say('value', { save: run.saveOf('h.0'), value: { tuple }, bytes: 0 });
    run.status('completed');
  }),
  sends('trailing', 'R-024', 'a byte after the header’s map', (run) =>
    frame(Buffer.concat([pack(progress(run)), Uint8Array.of(0xc0)])),
  ),
  ...(
    [
      ['int-large', 'an integer of 2^53', uint64(2n ** 53n)],
      ['int-small', 'an integer of −2^53', int64(-(2n ** 53n))],
    ] as const
  ).map(([id, shows, milliseconds]) =>
    amid(id, 'R-025', shows, async (run) => {
      await run.outcomes();
      run.status('completed', { report: { ...REPORT, milliseconds } });
    }),
  ),
];

export const FRAMES = [...RIGHT, ...BROKEN];

/** An error with as many causes one in the other. */
function causes(count: number): object {
  return Array.from({ length: count }).reduce<object>((cause) => ({ ...warning, cause }), warning);
}

function numberForms(id: string, shows: string, form: (value: number) => Verbatim): ClientCase {
  const encode = (header: object, payload: Uint8Array): readonly Uint8Array[] => [
    frame(pack(oddly(header, form)), payload),
  ];
  const requirements = ['R-026', 'R-027'];
  return {
    id,
    requirements,
    shows: `it takes ${shows}`,
    trace: 'tutorial',
    prints: TUTORIAL,
    script: { encode },
  };
}

/** The same data, every integer in another form and every map turned round. */
function oddly(value: unknown, form: (value: number) => Verbatim): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? form(value) : value;
  if (Array.isArray(value)) return value.map((member) => oddly(member, form));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  return new Entries(...entries.map(([key, field]) => [key, oddly(field, form)] as const).toReversed());
}
