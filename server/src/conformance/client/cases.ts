/**
 * What a client is put through. Each case starts the client program once, with the name of a trace; how the server
 * behaves is the case's own, and unknown to the program.
 */
import type { ErrorCode } from '@tracewire/protocol';
import { Entries, float64, frame, pack } from '../pack.ts';
import type { Profile } from '../requirements.ts';
import { tensorOf } from '../tensors.ts';
import { bigValue, printed, valueOfModule } from './fixture.ts';
import type { Script, ScriptedConnection } from './scripted-connection.ts';
import { REPORT, type ScriptedRun } from './scripted-run.ts';

/** The traces that a client program must know (docs/CONFORMANCE.md). */
export type TraceName = 'tutorial' | 'one' | 'tuple' | 'constants';

/** What the program must print: these lines in any order; or some error, whatever its code. */
export type Prints =
  | { readonly lines: readonly object[] }
  | { readonly anyError: true }
  | { readonly anything: true };

export interface ClientCase {
  readonly id: string;
  readonly requirements: readonly string[];
  readonly shows: string;
  readonly trace: TraceName;
  readonly prints: Prints;
  readonly script?: Script;
  /** How the client must close the (last) connection; without it any way will do. */
  readonly closes?: readonly number[];
  /** Needs a client whose hello announces it. */
  readonly profile?: Exclude<Profile, 'core' | 'keys'>;
  /** A look at the conversations when the program has ended; gives what is wrong. */
  readonly judge?: (connections: readonly ScriptedConnection[]) => string | undefined;
}

const H0 = { save: 'h.0', ...printed(valueOfModule('h.0')) };
const TUTORIAL: Prints = { lines: [H0, { save: 'h.1', error: 'not_reached' }] };
const ONE: Prints = { lines: [H0] };
const TUPLE: Prints = { lines: [{ save: 'mix', ...printed(valueOfModule('mix')) }] };
const CONSTANTS: Prints = {
  lines: [
    { save: 'a', ...printed(tensorOf('uint8', [3], [1, 2, 3])) },
    { save: 'b', ...printed(tensorOf('float64', [], [0.5])) },
    { save: 'c', ...printed(tensorOf('float32', [0], [])) },
  ],
};
const anyError: Prints = { anyError: true };

const GOOD: readonly ClientCase[] = [
  {
    id: 'client-tutorial',
    requirements: ['R-005', 'R-008', 'R-009', 'R-038', 'R-060', 'R-061', 'R-062', 'R-102', 'R-164'],
    shows:
      'it offers the subprotocol and no compression, says hello first, waits for the welcome, and shows a value and an access error',
    trace: 'tutorial',
    prints: TUTORIAL,
    judge: ([connection]) =>
      connection?.socket.offered.includes('tracewire.v1-draft')
        ? undefined
        : 'the subprotocol was not offered',
  },
  {
    id: 'client-frames',
    requirements: [
      'R-001',
      'R-002',
      'R-003',
      'R-004',
      'R-015',
      'R-016',
      'R-018',
      'R-019',
      'R-020',
      'R-021',
      'R-022',
      'R-023',
      'R-024',
      'R-025',
      'R-029',
      'R-030',
      'R-031',
      'R-032',
      'R-033',
      'R-186',
    ],
    shows: 'all that it sends is a frame and keeps to its table',
    trace: 'constants',
    prints: CONSTANTS,
  },
  {
    id: 'client-constants',
    requirements: ['R-017', 'R-034', 'R-035', 'R-036', 'R-037', 'R-068'],
    shows: 'constants lie in the payload in the order of their nodes, each at a multiple of 8',
    trace: 'constants',
    prints: CONSTANTS,
  },
  {
    id: 'client-acks',
    requirements: ['R-074'],
    shows: 'it acknowledges within a second or so, and the terminal message, and nothing ahead',
    trace: 'tutorial',
    prints: TUTORIAL,
    script: {
      run: async (run) => {
        run.begin();
        await new Promise((resolve) => setTimeout(resolve, 1300));
        await run.outcomes();
        run.status('completed');
        await run.allAcked(2500);
      },
    },
    judge: (connections) => {
      const waits = connections.flatMap(({ runs }) => runs.map(({ longestWait }) => longestWait));
      const longest = Math.round(Math.max(0, ...waits));
      return longest <= 1250 ? undefined : `a message waited ${longest} ms for its ack`;
    },
  },
  {
    id: 'client-tuple',
    requirements: ['R-028', 'R-029', 'R-030', 'R-033', 'R-034', 'R-035', 'R-097'],
    shows: 'a tuple of every dtype, a tensor without elements and a scalar among them',
    trace: 'tuple',
    prints: TUPLE,
  },
  {
    id: 'client-chunks',
    requirements: ['R-074', 'R-098', 'R-099', 'R-112'],
    shows:
      'it puts a value of 3.5 MiB together from chunks, and acknowledges so that the window of 1 MiB stays open',
    trace: 'one',
    prints: { lines: [{ save: 'h.0', ...printed(bigValue(3.5 * 1024 * 1024)) }] },
    script: {
      run: async (run) => {
        run.begin();
        await run.value(run.saveOf('h.0'), bigValue(3.5 * 1024 * 1024));
        run.status('completed');
        await run.allAcked(2500);
      },
    },
  },
  {
    id: 'client-large-message',
    requirements: ['R-012'],
    shows: 'it takes a message with a payload of 4 MiB and one with a header of 1 MB',
    trace: 'one',
    prints: { lines: [{ save: 'h.0', ...printed(bigValue(4 * 1024 * 1024)) }] },
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
  {
    id: 'client-number-forms',
    requirements: ['R-026', 'R-027'],
    shows: 'it takes every integer as a float 64, and fields in any order',
    trace: 'tutorial',
    prints: TUTORIAL,
    script: { encode: (header, payload) => [frame(pack(oddly(header)), payload)] },
  },
  {
    id: 'client-ping',
    requirements: ['R-014'],
    shows: 'it answers a ping',
    trace: 'one',
    prints: ONE,
    script: {
      run: async (run, { socket }) => {
        run.begin();
        await socket.wire.ping();
        await run.outcomes();
        run.status('completed');
      },
    },
  },
  {
    id: 'client-progress',
    requirements: ['R-105', 'R-107'],
    shows: 'progress is no trouble, before, amid or after; nor are many queued statuses',
    trace: 'one',
    prints: ONE,
    script: {
      run: async (run, connection) => {
        const progress = { type: 'progress', run: run.id, done: 1, total: 3 };
        run.status('received');
        for (const position of [3, 2, 2, 1]) run.status('queued', { position });
        connection.send(progress);
        run.status('running');
        for (let count = 0; count < 3; count++) connection.send(progress);
        await run.outcomes();
        run.status('completed');
        connection.send(progress);
      },
    },
  },
  {
    id: 'client-capabilities',
    requirements: ['R-188', 'R-117', 'R-186'],
    shows: 'a welcome with capabilities that it doesn’t know is no trouble',
    trace: 'one',
    prints: ONE,
    script: { capabilities: ['x-conformance-unknown', 'gradients'] },
  },
  {
    id: 'client-warnings',
    requirements: ['R-093'],
    shows: 'warnings with `received` are no errors',
    trace: 'tutorial',
    prints: TUTORIAL,
    script: {
      run: async (run) => {
        run.status('received', {
          warnings: [
            {
              code: 'behind_stop',
              message: 'h.1 is behind the stop.',
              node: run.graph.nodes.findIndex(({ kind }) => kind === 'read'),
            },
          ],
        });
        run.status('running');
        await run.outcomes();
        run.status('completed');
      },
    },
  },
  ...(['failed', 'unset', 'too_large', 'cancelled', 'not_reached'] as const).map((code) =>
    ended(
      `client-access-${code.replace('_', '-')}`,
      ['R-102'],
      `an access error ${code} belongs to its save`,
      { lines: [{ save: 'h.0', error: code }] },
      (run) => {
        run.begin();
        run.accessError(
          run.saveOf('h.0'),
          code,
          code === 'failed' ? { cause: { code: 'operation_failed', message: 'no' } } : {},
        );
        run.status('completed');
      },
    ),
  ),
  ended(
    'client-refused',
    ['R-088'],
    'a refused run ends at once, with the first error’s code',
    { lines: [{ error: 'too_much_memory' }] },
    (run, connection) =>
      connection.send({ type: 'error', run: run.id, errors: [error('too_much_memory'), error('internal')] }),
  ),
  ended(
    'client-failed',
    ['R-094'],
    'a failed run gives its error',
    { lines: [{ error: 'operation_failed' }] },
    (run) => {
      run.begin();
      run.accessError(run.saveOf('h.0'), 'failed');
      run.status('failed', { errors: [error('operation_failed')], report: REPORT });
    },
  ),
  ended('client-cancelled', ['R-110'], 'a run that the server cancels gives an error', anyError, (run) => {
    run.begin();
    run.accessError(run.saveOf('h.0'), 'cancelled');
    run.status('cancelled');
  }),
];

const LOST: readonly ClientCase[] = [
  ended(
    'client-going-away',
    ['R-055'],
    'a server that goes away (1001) amid a run is an error, not a hang',
    anyError,
    (run, { socket }) => {
      run.begin();
      socket.close(1001, 'going away');
    },
  ),
  ended(
    'client-lost',
    ['R-116'],
    'a connection that breaks amid a run is an error, not a hang',
    anyError,
    (run, { socket }) => {
      run.begin();
      socket.wire.destroy();
    },
  ),
  {
    id: 'client-unsupported-version',
    requirements: ['R-043'],
    shows: 'an error in place of the welcome is an error, not a hang',
    trace: 'one',
    prints: anyError,
    script: {
      greet: (connection) => {
        connection.send({ type: 'error', errors: [error('unsupported_version')] });
        connection.socket.close(4400, 'another version');
      },
    },
  },
];

/** The server breaks the page amid a run: the client closes with 4400, sends no `error`, and reports one. */
const broken = (
  id: string,
  requirement: string,
  shows: string,
  breach: (run: ScriptedRun, connection: ScriptedConnection) => Promise<void> | void,
  over: Partial<ClientCase> = {},
): ClientCase => ({
  id: `client-broken-${id}`,
  requirements: ['R-054', requirement],
  shows: `${shows} is a breach: it closes with 4400 and reports an error`,
  trace: 'one',
  prints: anyError,
  closes: [4400],
  script: { run: breach },
  ...over,
});

const breakFrame = (
  id: string,
  requirement: string,
  shows: string,
  bytes: (run: ScriptedRun) => Uint8Array,
): ClientCase =>
  broken(id, requirement, shows, (run, connection) => {
    run.begin();
    connection.sendBytes(bytes(run));
  });

const statusFields = (run: ScriptedRun): (readonly [string, unknown])[] => [
  ['type', 'status'],
  ['run', run.id],
  ['seq', run.seq + 1],
  ['state', 'running'],
];

const BROKEN: readonly ClientCase[] = [
  broken('seq-gap', 'R-090', 'a gap in the sequence numbers', (run) => {
    run.begin();
    run.seq += 1;
    run.accessError(run.saveOf('h.0'), 'unset');
  }),
  broken('seq-again', 'R-090', 'a sequence number that comes twice', (run) => {
    run.begin();
    run.seq -= 1;
    run.accessError(run.saveOf('h.0'), 'unset');
  }),
  broken('wrong-run', 'R-090', 'a message of a run that it did not start', (run, connection) => {
    run.begin();
    connection.send({ type: 'status', run: 'conformance-other', seq: 1, state: 'received' });
  }),
  broken('two-outcomes', 'R-101', 'a second outcome of a save', async (run) => {
    run.begin();
    await run.outcomes();
    run.accessError(run.saveOf('h.0'), 'unset');
  }),
  broken('no-outcome', 'R-101', 'an end without an outcome of a save', (run) => {
    run.begin();
    run.status('completed');
  }),
  broken('foreign-save', 'R-101', 'a value of a node that is no save', async (run) => {
    run.begin();
    await run.value(999, valueOfModule('h.0'));
  }),
  broken('chunk-gap', 'R-099', 'a chunk that lies elsewhere', (run) => {
    run.begin();
    halfValue(run);
    run.say('chunk', { save: run.saveOf('h.0'), offset: 24 }, new Uint8Array(16));
  }),
  broken('chunk-alone', 'R-099', 'a chunk without its value', (run) => {
    run.begin();
    run.say('chunk', { save: run.saveOf('h.0'), offset: 0 }, new Uint8Array(16));
  }),
  broken('between-chunks', 'R-100', 'another message of the run between a value and its chunk', (run) => {
    run.begin();
    halfValue(run);
    run.say('log', { node: 0, text: 'amid' });
  }),
  broken('tensor-length', 'R-032', 'a tensor whose length is not that of its dims', (run) => {
    run.begin();
    const tensor = { dtype: 'float32', dims: [3], offset: 0, length: 8 };
    run.say('value', { save: run.saveOf('h.0'), value: { tensor }, bytes: 8 }, new Uint8Array(8));
  }),
  broken('payload-longer', 'R-037', 'a payload longer than its tensors', (run) => {
    run.begin();
    const tensor = { dtype: 'float32', dims: [2], offset: 0, length: 8 };
    run.say('value', { save: run.saveOf('h.0'), value: { tensor }, bytes: 16 }, new Uint8Array(16));
  }),
  broken('tuple-gap', 'R-035', 'a gap between a tuple’s tensors', (run) => {
    run.begin();
    const tensor = (offset: number) => ({ tensor: { dtype: 'uint8', dims: [1], offset, length: 1 } });
    run.say(
      'value',
      { save: run.saveOf('h.0'), value: { tuple: [tensor(0), tensor(16)] }, bytes: 17 },
      new Uint8Array(17),
    );
  }),
  broken('dtype', 'R-029', 'a dtype that there isn’t', (run) => {
    run.begin();
    const tensor = { dtype: 'bfloat16', dims: [4], offset: 0, length: 8 };
    run.say('value', { save: run.saveOf('h.0'), value: { tensor }, bytes: 8 }, new Uint8Array(8));
  }),
  broken('unknown-field', 'R-004', 'a field that is not listed', (run) => {
    run.status('received', { 'x-conformance': 1 });
  }),
  broken('null-field', 'R-003', 'a null in place of an absent field', (run) => {
    run.status('received', { position: null });
  }),
  broken('stray-payload', 'R-017', 'a payload on a message without tensors', (run) => {
    run.say('status', { state: 'received' }, new Uint8Array(8));
  }),
  broken('unknown-message', 'R-044', 'a message of no known type', (run, connection) => {
    run.begin();
    connection.send({ type: 'x-conformance' });
  }),
  broken('welcome-again', 'R-039', 'a second welcome', (run, connection) => {
    run.begin();
    connection.welcome();
  }),
  broken('request-unknown', 'R-063', 'an answer to nothing it asked', (run, connection) => {
    run.begin();
    connection.send({ type: 'text', request: 123_456, text: 'x' });
  }),
  broken(
    'text-frame',
    'R-009',
    'a text frame',
    (run, { socket }) => {
      run.begin();
      socket.wire.sendText('hello');
    },
    { closes: [4400, 1003] },
  ),
  breakFrame('short', 'R-015', 'a message of three bytes', () => Uint8Array.of(1, 2, 3)),
  breakFrame('header-length', 'R-015', 'a header that is longer than its message', () =>
    Uint8Array.of(255, 255, 0, 0, 1, 2, 3, 4),
  ),
  breakFrame('duplicate-key', 'R-020', 'a key that comes twice', (run) =>
    frame(new Entries(...statusFields(run), ['seq', run.seq + 1])),
  ),
  breakFrame('proto-key', 'R-021', 'the key __proto__', (run) =>
    frame(new Entries(...statusFields(run), ['__proto__', {}])),
  ),
  breakFrame('trailing', 'R-024', 'a byte after the header’s map', (run) =>
    frame(Buffer.concat([pack(new Entries(...statusFields(run))), Uint8Array.of(0xc0)])),
  ),
  {
    ...broken('after-completed', 'R-108', 'a message after the end', (run) => {
      run.begin();
      run.accessError(run.saveOf('h.0'), 'unset');
      run.status('completed');
      run.say('log', { node: 0, text: 'late' });
    }),
    shows: 'a message after the end is a breach, unless the client has gone: no hang, no wrong value',
    prints: { anything: true },
    closes: [4400, 1000, 1001, 1005, 1006],
  },
];

const RESUMED: readonly ClientCase[] = [
  {
    id: 'client-resumes',
    requirements: ['R-119', 'R-120', 'R-118'],
    shows:
      'with `resume` on both sides it comes back after a broken connection and has all values, each once',
    trace: 'tutorial',
    prints: TUTORIAL,
    profile: 'resume',
    script: {
      capabilities: ['resume'],
      limits: { resumeMs: 20_000 },
      run: async (run, { socket }) => {
        run.begin();
        await run.value(run.saveOf('h.0'), valueOfModule('h.0'));
        // Lets the value arrive, or not: both are right.
        await new Promise((resolve) => setTimeout(resolve, 30));
        socket.wire.destroy();
      },
      resume: ({ run: id, after }, connection) => {
        const run = connection.runs.find((candidate) => candidate.id === id);
        if (!run) return void connection.faults.push(`a resume of ${id}, which it never ran`);
        if (after > run.seq || after < run.acked)
          connection.faults.push(`a resume after ${after}; ${run.acked} was acked, ${run.seq} sent`);
        void again(run, connection, after);
      },
    },
  },
  {
    id: 'client-run-lost',
    requirements: ['R-121'],
    shows: 'a resume that is answered with run_lost is an error, and nothing is run again',
    trace: 'one',
    prints: anyError,
    profile: 'resume',
    script: {
      capabilities: ['resume'],
      limits: { resumeMs: 20_000 },
      run: (run, { socket }) => {
        run.begin();
        socket.wire.destroy();
      },
      resume: ({ run }, connection) =>
        connection.send({ type: 'error', run, errors: [{ ...error('run_lost'), run }] }),
    },
    judge: (connections) =>
      (connections[0]?.runs.length ?? 0) === 1 ? undefined : 'it ran the trace again under another id',
  },
  {
    id: 'client-run-ids',
    requirements: ['R-129'],
    shows: 'with `resume` on both sides its run ids are long enough to hold 120 random bits',
    trace: 'one',
    prints: ONE,
    profile: 'resume',
    script: { capabilities: ['resume'], limits: { resumeMs: 20_000 } },
    judge: (connections) => {
      const id = connections[0]?.runs[0]?.id ?? '';
      return id.length >= 20 ? undefined : `the run id ${id} has ${id.length} characters`;
    },
  },
];

export const CLIENT_CASES: readonly ClientCase[] = [...GOOD, ...LOST, ...BROKEN, ...RESUMED];

function ended(
  id: string,
  requirements: readonly string[],
  shows: string,
  prints: Prints,
  run: NonNullable<Script['run']>,
): ClientCase {
  return { id, requirements, shows, trace: 'one', prints, script: { run } };
}

function error(code: ErrorCode): { readonly code: ErrorCode; readonly message: string } {
  return { code, message: `The conformance suite says ${code}.` };
}

/** Half of a value of 32 bytes, though a chunk would hold all of it: the rest is to come. */
function halfValue(run: ScriptedRun): void {
  const bytes = 2 * 256 * 1024;
  const tensor = { dtype: 'float32', dims: [bytes / 4], offset: 0, length: bytes };
  run.say('value', { save: run.saveOf('h.0'), value: { tensor }, bytes }, new Uint8Array(bytes / 2));
}

/** Sends what follows `after` of: received, running, the value, the access error, completed. */
async function again(run: ScriptedRun, connection: ScriptedConnection, after: number): Promise<void> {
  const send = (header: object, payload?: Uint8Array): void => {
    const { seq } = header as { readonly seq: number };
    if (seq > after) connection.send(header, payload);
  };
  run.moveTo(send, 0);
  run.begin();
  await run.value(run.saveOf('h.0'), valueOfModule('h.0'));
  run.accessError(run.saveOf('h.1'), 'not_reached');
  run.status('completed');
}

/** The same data, every integer as a float 64 and every map turned round. */
function oddly(value: unknown): unknown {
  if (typeof value === 'number') return float64(value);
  if (Array.isArray(value)) return value.map(oddly);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  return new Entries(...entries.map(([key, field]) => [key, oddly(field)] as const).toReversed());
}
