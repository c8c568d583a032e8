/** Section 6.3 of the page: a client that runs several traces in one run. */
import { sleep } from '../../mismatch.ts';
import { tensorOf } from '../../tensors.ts';
import { ANY_ERROR, amid, amidOf, anError, type ClientCase, error, type Prints, rightOf } from '../case.ts';
import { bigValue, printed, valueOfModule } from '../fixture.ts';
import type { ScriptedConnection } from '../scripted-connection.ts';
import { REPORT, type ScriptedRun } from '../scripted-run.ts';

const H0 = valueOfModule('h.0');
const FIRST = [
  { save: 'h.0', ...printed(H0) },
  { save: 'a', ...printed(tensorOf('uint8', [3], [1, 2, 3])) },
];
const H1 = { save: 'h.1', ...printed(valueOfModule('h.1')) };
const B = { save: 'b', ...printed(tensorOf('float64', [], [0.5])) };
const ALL: Prints = { lines: [...FIRST, H1, { save: 'earlier', ...printed(H0) }, B] };

const ZERO = { trace: 0 };
const ONE = { trace: 1 };
const COMPLETED = { state: 'completed', report: REPORT };

const KIND = { trace: 'session', profile: 'sessions', limits: { traces: 4 } } as const;
const session = rightOf(KIND);
const broken = amidOf(KIND);

/** The save of a value of an earlier trace. */
function saveOfEarlier(run: ScriptedRun): number | undefined {
  const { nodes = [] } = run.graphs[1] ?? {};
  return run.savesOf(1).find((save) => {
    const node = nodes[save];
    return node?.kind === 'save' && nodes[node.value]?.kind === 'earlier';
  });
}

/** All saves of a trace come to this. */
function allOf(run: ScriptedRun, trace: number, code: 'failed' | 'cancelled'): void {
  for (const save of run.savesOf(trace)) run.accessError(save, code, {}, { trace });
}

const failed = (trace: number) => ({
  state: 'failed',
  errors: [{ ...error('operation_failed'), trace }],
});

const RIGHT: readonly ClientCase[] = [
  session(
    '',
    ['R-359', 'R-360', 'R-361', 'R-398'],
    'it runs both traces in one run, each with its own tensors, and tells their values apart',
    ALL,
    {},
    { judge: ([connection]) => (connection?.runs.length === 1 ? undefined : 'it did not send one run') },
  ),
  session(
    '-chunks',
    ['R-360', 'R-099'],
    'the chunks of a later trace’s value belong to that trace',
    chunked(),
    {
      run: async (run) => {
        run.begin();
        await run.outcomes(0);
        for (const save of run.savesOf(1)) {
          const big = save === run.saveOf('h.1', 1);
          await run.value(save, big ? bigValue(1024 * 1024) : run.valueOf(save, 1), ONE);
        }
        run.status('completed');
      },
    },
  ),
  session(
    '-trace-fails',
    ['R-363', 'R-364', 'R-402'],
    'a trace that fails takes down what needs it, and no more',
    {
      lines: [
        { save: 'h.0', error: 'failed' },
        { save: 'a', error: 'failed' },
        H1,
        { save: 'earlier', error: 'failed' },
        B,
      ],
    },
    {
      run: async (run) => {
        run.begin();
        allOf(run, 0, 'failed');
        for (const save of run.savesOf(1)) {
          const cause = { ...error('failed'), node: run.saveOf('h.0'), ...ZERO };
          if (save === saveOfEarlier(run)) run.accessError(save, 'failed', { cause }, ONE);
          else await run.value(save, run.valueOf(save, 1), ONE);
        }
        run.status('completed', { reports: [failed(0), COMPLETED] });
      },
    },
  ),
  session(
    '-fails',
    ['R-402'],
    'a session of which all traces failed is an error',
    anError('operation_failed'),
    {
      run: (run) => {
        run.begin();
        for (const trace of [0, 1]) allOf(run, trace, 'failed');
        const reports = [failed(0), failed(1)];
        run.status('failed', { errors: reports.flatMap(({ errors }) => errors), reports });
      },
    },
  ),
  session(
    '-cancelled',
    ['R-403'],
    'a session that the server cancels amid its second trace is an error',
    ANY_ERROR,
    {
      run: async (run) => {
        run.begin();
        await run.outcomes(0);
        allOf(run, 1, 'cancelled');
        run.status('cancelled', { reports: [COMPLETED, { state: 'cancelled', report: REPORT }] });
      },
    },
  ),
  session('-warnings', ['R-399'], 'a warning says of which trace it is, and is no error', ALL, {
    run: async (run) => {
      run.status('received', { warnings: [{ ...error('behind_stop'), node: 0, ...ONE }] });
      run.status('running');
      for (const trace of [0, 1]) await run.outcomes(trace);
      run.status('completed');
    },
  }),
  session(
    '-refused',
    ['R-399'],
    'a session that is refused for its second trace is an error',
    anError('wrong_dims'),
    {
      run: (run, connection) =>
        connection.send({
          type: 'error',
          run: run.id,
          errors: [{ ...error('wrong_dims'), path: 'traces.1.graph.nodes.0', ...ONE }],
        }),
    },
  ),
  session(
    '-not-offered',
    ['R-117'],
    'a server that offers no sessions is sent none',
    ANY_ERROR,
    { capabilities: [] },
    { judge: ([connection]) => (connection?.runs.length === 0 ? undefined : 'it sent a run') },
  ),
];

const RESUMING = { capabilities: ['sessions', 'resume'], limits: { resumeMs: 20_000 } };
const BOTH = ['sessions', 'resume'] as const;
const oneRun = ([connection]: readonly ScriptedConnection[]) =>
  connection?.runs.length === 1 ? undefined : 'it ran the session again under another id';

const RESUMED: readonly ClientCase[] = [
  session(
    '-resumes',
    ['R-119', 'R-360'],
    'after a broken connection it goes on amid the second trace, and has all of both',
    ALL,
    {
      ...RESUMING,
      run: async (run, { socket }) => {
        run.begin();
        await run.outcomes(0);
        const [save = 0] = run.savesOf(1);
        await run.value(save, run.valueOf(save, 1), ONE);
        // Lets it arrive, or not: both are right.
        await sleep(30);
        socket.wire.destroy();
      },
      resume: ({ after }, connection) => {
        const [run] = connection.runs;
        if (run) void again(run, connection, after);
      },
    },
    { profile: BOTH, judge: oneRun },
  ),
  session(
    '-sends-again',
    ['R-302', 'R-404'],
    'a session that nothing had come of is sent again, as the same run',
    ALL,
    {
      ...RESUMING,
      run: (_, { socket }) => socket.wire.destroy(),
      resume: (_, connection) => void connection.faults.push('it resumed a run that may not have arrived'),
      retry: (run, connection) => {
        run.moveTo((header, payload) => connection.send(header, payload), 0);
        return run.answer();
      },
    },
    { profile: BOTH, judge: oneRun },
  ),
];

/** All that comes behind `after`, in the order of `run` of the case above. */
async function again(run: ScriptedRun, connection: ScriptedConnection, after: number): Promise<void> {
  run.moveTo((header, payload) => {
    if ((header as { readonly seq: number }).seq > after) connection.send(header, payload);
  }, after);
  run.seq = 0;
  run.begin();
  await run.outcomes(0);
  for (const save of run.savesOf(1)) await run.value(save, run.valueOf(save, 1), ONE);
  run.status('completed');
}

type Row = readonly [
  id: string,
  requirement: string,
  shows: string,
  breach: (run: ScriptedRun) => Promise<void> | void,
];

/** Both traces have had their outcomes; then these are the terminal status's reports. */
const ending = (fields: object) => async (run: ScriptedRun) => {
  for (const trace of [0, 1]) await run.outcomes(trace);
  run.status('completed', fields);
};

/** Each run has begun. */
const ROWS: readonly Row[] = [
  [
    'value-no-trace',
    'R-360',
    'a value of a session without its trace',
    (run) => run.value(run.saveOf('h.0'), H0),
  ],
  [
    'access-no-trace',
    'R-360',
    'an access error of a session without its trace',
    (run) => run.accessError(run.saveOf('h.0'), 'unset'),
  ],
  [
    'trace-beyond',
    'R-360',
    'a value of a trace that there isn’t',
    (run) => run.value(run.saveOf('h.0'), H0, { trace: 2 }),
  ],
  [
    'trace-order',
    'R-359',
    'an outcome of the first trace behind one of the second',
    async (run) => {
      const [last = 0, ...saves] = run.savesOf(0).toReversed();
      for (const save of saves) await run.value(save, run.valueOf(save, 0), ZERO);
      await run.outcomes(1);
      await run.value(last, run.valueOf(last, 0), ZERO);
      run.status('completed');
    },
  ],
  [
    'chunk-trace',
    'R-099',
    'a chunk of another trace than its value’s',
    (run) => {
      const length = 512 * 1024;
      const tensor = { dtype: 'float32', dims: [length / 4], offset: 0, length };
      const save = run.saveOf('h.0');
      const half = new Uint8Array(length / 2);
      run.say('value', { ...ZERO, save, value: { tensor }, bytes: length }, half);
      run.say('chunk', { ...ONE, save, offset: length / 2 }, half);
    },
  ],
  [
    'no-outcome',
    'R-101',
    'an end without an outcome of a save of the second trace',
    async (run) => {
      await run.outcomes(0);
      run.status('completed');
    },
  ],
  ['report', 'R-402', 'one report in place of one a trace', ending({ report: REPORT, reports: undefined })],
  ['no-reports', 'R-402', 'an end without reports', ending({ reports: undefined })],
  ['too-few-reports', 'R-402', 'one report for two traces', ending({ reports: [COMPLETED] })],
  [
    'report-state',
    'R-402',
    'a report of a trace that still runs',
    ending({ reports: [COMPLETED, { state: 'running' }] }),
  ],
  [
    'report-no-errors',
    'R-402',
    'a report of a trace that failed without errors',
    ending({ reports: [COMPLETED, { state: 'failed', report: REPORT }] }),
  ],
  [
    'report-none',
    'R-402',
    'a report of a trace that completed without its report',
    ending({ reports: [COMPLETED, { state: 'completed' }] }),
  ],
];

const BROKEN: readonly ClientCase[] = [
  ...ROWS.map((row) => broken(...row)),
  amid('trace-of-one', 'R-360', 'a trace in a message of a run of one graph', async (run) => {
    await run.value(run.saveOf('h.0'), H0, ZERO);
    run.status('completed');
  }),
  amid('reports-of-one', 'R-402', 'reports of a run of one graph', async (run) => {
    await run.outcomes();
    run.status('completed', { report: undefined, reports: [COMPLETED] });
  }),
];

export const SESSIONS = [...RIGHT, ...RESUMED, ...BROKEN];

function chunked(): Prints {
  const h1 = { save: 'h.1', ...printed(bigValue(1024 * 1024)) };
  return { lines: [...FIRST, h1, { save: 'earlier', ...printed(H0) }, B] };
}
