/** Section 2.3 of the page, and the ack of 2.1: a run's messages in order, its flow, and how it ends. */
import type { ErrorCode } from '@tracewire/protocol';
import { sleep } from '../../mismatch.ts';
import { ANY_ERROR, amid, anError, broken, type ClientCase, error, ONE, TUTORIAL, turn } from '../case.ts';
import { bigValue, printed, valueOfModule } from '../fixture.ts';
import { REPORT, type ScriptedRun } from '../scripted-run.ts';

const MIB = 1024 * 1024;
const KIB = 1024;
const big = (bytes: number) => ({ lines: [{ save: 'h.0', ...printed(bigValue(bytes)) }] });

const FLOW: readonly ClientCase[] = [
  {
    id: 'client-acks',
    requirements: ['R-074'],
    shows: 'it acknowledges within a second or so, and nothing ahead',
    trace: 'tutorial',
    prints: TUTORIAL,
    script: {
      run: async (run) => {
        run.begin();
        // Twice the standard's second and more, for a machine may be busy.
        await sleep(2600);
        await run.outcomes();
        run.status('completed');
      },
    },
    judge: (connections) => {
      const waits = connections.flatMap(({ runs }) => runs.map(({ longestWait }) => longestWait));
      const longest = Math.round(Math.max(0, ...waits));
      return longest <= 2300 ? undefined : `a message waited ${longest} ms for its ack`;
    },
  },
  {
    id: 'client-acks-bytes',
    requirements: ['R-290'],
    shows: 'it acknowledges every 1 MiB of payload, however fast it comes',
    trace: 'one',
    prints: big(7 * MIB),
    script: {
      limits: { windowBytes: 16 * MIB },
      run: async (run) => {
        run.begin();
        await run.value(run.saveOf('h.0'), bigValue(7 * MIB));
        run.status('completed');
      },
    },
    judge: ([connection]) => {
      const most = Math.max(0, ...(connection?.runs.map(({ mostUnacked }) => mostUnacked) ?? []));
      return most <= MIB ? undefined : `one ack covered ${most} bytes`;
    },
  },
  turn(
    'chunks',
    ['R-074', 'R-098', 'R-099', 'R-112'],
    'it puts a value of 3.5 MiB together from chunks, and acknowledges so that the window of 1 MiB stays open',
    big(3.5 * MIB),
    async (run) => {
      run.begin();
      await run.value(run.saveOf('h.0'), bigValue(3.5 * MIB));
      run.status('completed');
    },
  ),
  turn(
    'progress',
    ['R-105', 'R-107', 'R-391', 'R-392'],
    'progress is no trouble, before, amid or after; nor is the model’s loading, nor are many queued statuses',
    ONE,
    async (run, connection) => {
      const progress = { type: 'progress', run: run.id, done: 1, total: 3 };
      run.status('received');
      for (const position of [3, 2, 2, 1]) run.status('queued', { position, waitMs: 100 * position });
      connection.send({ ...progress, phase: 'loading' });
      run.status('running');
      for (let count = 0; count < 3; count++) connection.send(progress);
      await run.outcomes();
      run.status('completed');
      connection.send(progress);
    },
  ),
];

const ENDS: readonly ClientCase[] = [
  turn(
    'warnings',
    ['R-093'],
    'warnings with `received` are no errors',
    TUTORIAL,
    async (run) => {
      const node = run.graph.nodes.findIndex(({ kind }) => kind === 'read');
      run.status('received', { warnings: [{ ...error('behind_stop'), node }] });
      run.status('running');
      await run.outcomes();
      run.status('completed');
    },
    { trace: 'tutorial' },
  ),
  ...(['failed', 'unset', 'too_large', 'cancelled', 'not_reached'] as const).map((code) =>
    turn(
      `access-${code.replace('_', '-')}`,
      ['R-102'],
      `an access error ${code} belongs to its save`,
      { lines: [{ save: 'h.0', error: code }] },
      (run) => {
        run.begin();
        const cause = code === 'failed' ? { cause: error('operation_failed') } : {};
        run.accessError(run.saveOf('h.0'), code, cause);
        run.status('completed');
      },
    ),
  ),
  turn(
    'refused',
    ['R-088'],
    'a refused run ends at once, with the first error’s code',
    anError('too_much_memory'),
    (run, connection) =>
      connection.send({ type: 'error', run: run.id, errors: [error('too_much_memory'), error('internal')] }),
  ),
  turn('failed', ['R-094'], 'a failed run gives its error', anError('operation_failed'), (run) => {
    run.begin();
    run.accessError(run.saveOf('h.0'), 'failed');
    run.status('failed', { errors: [error('operation_failed')], report: REPORT });
  }),
  turn('failed-waiting', ['R-094'], 'a run may fail before it has begun', anError('shutting_down'), (run) => {
    run.status('received');
    run.accessError(run.saveOf('h.0'), 'cancelled');
    run.status('failed', { errors: [error('shutting_down')] });
  }),
  turn('cancelled', ['R-110'], 'a run that the server cancels gives an error', ANY_ERROR, (run) => {
    run.begin();
    run.accessError(run.saveOf('h.0'), 'cancelled');
    run.status('cancelled');
  }),
];

/** The statuses in which a run must not go, from the first. */
const STATES: readonly (readonly [id: string, shows: string, states: readonly string[]])[] = [
  ['first-running', 'a run that begins with `running`', ['running']],
  ['first-queued', 'a run that begins with `queued`', ['queued']],
  ['received-twice', '`received` that comes twice', ['received', 'received', 'running']],
  ['running-twice', '`running` that comes twice', ['received', 'running', 'running']],
  ['queued-late', '`queued` after `running`', ['received', 'running', 'queued']],
];

/** A value of two chunks of 256 KiB and its payload's halves. */
const HALF = 256 * KIB;
function half(run: ScriptedRun, payload = HALF): void {
  const tensor = { dtype: 'float32', dims: [HALF / 2], offset: 0, length: 2 * HALF };
  run.say('value', { save: run.saveOf('h.0'), value: { tensor }, bytes: 2 * HALF }, new Uint8Array(payload));
}
const chunk = (run: ScriptedRun, offset: number, bytes: number, save = run.saveOf('h.0')): void =>
  run.say('chunk', { save, offset }, new Uint8Array(bytes));

type Breach = (run: ScriptedRun) => Promise<void> | void;
type Row = readonly [id: string, requirement: string, shows: string, breach: Breach];

/** Each run has begun; after each, it is `completed`. */
const ROWS: readonly Row[] = [
  [
    'two-outcomes',
    'R-101',
    'a second outcome of a save',
    async (run) => {
      await run.outcomes();
      run.accessError(run.saveOf('h.0'), 'unset');
    },
  ],
  ['no-outcome', 'R-101', 'an end without an outcome of a save', () => undefined],
  [
    'foreign-save',
    'R-101',
    'a value of a node that is no save',
    async (run) => {
      await run.outcomes();
      await run.value(999, valueOfModule('h.0'));
    },
  ],
  [
    'foreign-access',
    'R-101',
    'an access error of a node that is no save',
    async (run) => {
      await run.outcomes();
      run.accessError(0, 'unset');
    },
  ],
  [
    'first-part-short',
    'R-098',
    'a value whose first part is less than a chunk',
    (run) => {
      half(run, HALF - 8);
      chunk(run, HALF - 8, HALF);
      chunk(run, 2 * HALF - 8, 8);
    },
  ],
  [
    'chunk-elsewhere',
    'R-099',
    'a chunk that lies elsewhere',
    (run) => {
      half(run);
      chunk(run, HALF - 8, HALF);
    },
  ],
  [
    'chunk-save',
    'R-099',
    'a chunk of another save',
    (run) => {
      half(run);
      chunk(run, HALF, HALF, 999);
    },
  ],
  [
    'chunk-short',
    'R-099',
    'a chunk that is too short',
    (run) => {
      half(run);
      chunk(run, HALF, HALF - 8);
      chunk(run, 2 * HALF - 8, 8);
    },
  ],
  [
    'chunk-long',
    'R-099',
    'a chunk beyond the value',
    (run) => {
      const bytes = HALF + 16;
      const tensor = { dtype: 'uint8', dims: [bytes], offset: 0, length: bytes };
      run.say('value', { save: run.saveOf('h.0'), value: { tensor }, bytes }, new Uint8Array(HALF));
      chunk(run, HALF, 24);
    },
  ],
  [
    'chunk-alone',
    'R-099',
    'a chunk without its value',
    (run) => {
      chunk(run, 0, 16);
      run.accessError(run.saveOf('h.0'), 'unset');
    },
  ],
  [
    'between-chunks',
    'R-100',
    'another message of the run between a value and its chunk',
    (run) => {
      half(run);
      run.accessError(run.saveOf('h.0'), 'too_large');
    },
  ],
  ['value-unfinished', 'R-101', 'an end amid a value', (run) => half(run)],
];

const BROKEN: readonly ClientCase[] = [
  broken('seq-first', 'R-090', 'a run that begins with the number 2', async (run) => {
    run.seq = 1;
    await run.answer();
  }),
  amid('seq-gap', 'R-090', 'a gap in the sequence numbers', async (run) => {
    run.seq += 1;
    await run.outcomes();
    run.status('completed');
  }),
  amid('seq-again', 'R-090', 'a sequence number that comes twice', async (run) => {
    run.seq -= 1;
    await run.outcomes();
    run.status('completed');
  }),
  amid('wrong-run', 'R-090', 'a message of a run that it did not start', (_, connection) =>
    connection.send({ type: 'status', run: 'conformance-other', seq: 1, state: 'received' }),
  ),
  amid('error-wrong-run', 'R-087', 'an error of a run that it did not start', (_, connection) =>
    connection.send({ type: 'error', run: 'conformance-other', errors: [error('internal')] }),
  ),
  amid('chunk-bytes', 'R-011', 'a payload above `chunkBytes`', (run) => {
    const length = 2 * HALF;
    const tensor = { dtype: 'float32', dims: [length / 4], offset: 0, length };
    run.say('value', { save: run.saveOf('h.0'), value: { tensor }, bytes: length }, new Uint8Array(length));
    run.status('completed');
  }),
  amid('value-huge', 'R-082', 'a value beyond `savedBytes`', async (run, { socket }) => {
    const bytes = 2 ** 31;
    const tensor = { dtype: 'uint8', dims: [2 ** 15, 2 ** 16], offset: 0, length: bytes };
    run.say('value', { save: run.saveOf('h.0'), value: { tensor }, bytes }, new Uint8Array(HALF));
    // Who believes it waits for the rest.
    await sleep(1000);
    socket.close(1000, '');
  }),
  ...ROWS.map(([id, requirement, shows, breach]) =>
    amid(id, requirement, shows, async (run) => {
      await breach(run);
      run.status('completed');
    }),
  ),
  ...STATES.map(([id, shows, states]) =>
    broken(`states-${id}`, 'R-291', shows, async (run) => {
      for (const state of states) run.say('status', { state });
      await run.outcomes();
      run.status('completed');
    }),
  ),
  broken('states-value-early', 'R-291', 'a value before `running`', async (run) => {
    run.status('received');
    await run.outcomes();
    run.status('running');
    run.status('completed');
  }),
  broken('states-completed-early', 'R-291', '`completed` without `running`', (run) => {
    run.status('received');
    run.accessError(run.saveOf('h.0'), 'unset');
    run.status('completed');
  }),
  {
    ...amid('after-completed', 'R-108', 'a message after the end', (run) => {
      run.accessError(run.saveOf('h.0'), 'unset');
      run.status('completed');
      run.accessError(run.saveOf('h.0'), 'unset' satisfies ErrorCode);
    }),
    shows: 'a message after the end is a breach, unless the client has gone: no hang, no wrong value',
    prints: { anything: true },
    closes: [4400, 1000, 1001, 1005, 1006],
  },
];

export const RUNS = [...FLOW, ...ENDS, ...BROKEN];
