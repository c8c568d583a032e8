/** Sections 2.2 and 5 of the page: the tables of what a server sends, and messages that break them. */
import { amid, anError, broken, type ClientCase, error } from '../case.ts';
import { bigValue, logged, valueOfModule } from '../fixture.ts';
import { REPORT, type ScriptedRun } from '../scripted-run.ts';

const RIGHT: readonly ClientCase[] = [
  {
    id: 'client-log',
    requirements: ['R-103', 'R-293'],
    shows: 'a log with its text and its value',
    trace: 'log',
    prints: { lines: [logged('seen', valueOfModule('h.0'))] },
  },
];

type Row = readonly [id: string, requirement: string, shows: string, fields: object];
const { tokens: _, ...REPORT_WITHOUT_TOKENS } = REPORT;
const WARNING = error('behind_stop');

/** Wrong in the first status of a run, which is `received`. */
const RECEIVED: readonly Row[] = [
  ['unknown-field', 'R-004', 'a field that is not listed', { 'x-conformance': 1 }],
  ['null-field', 'R-003', 'a null in place of an absent field', { warnings: null }],
  ['seq-missing', 'R-090', 'a status without seq', { seq: undefined }],
  ['seq-text', 'R-090', 'a seq that is text', { seq: '1' }],
  ['run-missing', 'R-090', 'a status without run', { run: undefined }],
  ['state-missing', 'R-091', 'a status without state', { state: undefined }],
  ['state-unknown', 'R-091', 'a state that there isn’t', { state: 'paused' }],
  ['warnings-map', 'R-093', 'warnings that are a map', { warnings: {} }],
  ['warnings-101', 'R-093', 'a hundred and one warnings', { warnings: new Array(101).fill(WARNING) }],
  ['position-received', 'R-292', 'a position with `received`', { position: 1 }],
  ['wait-received', 'R-391', 'a wait with `received`', { waitMs: 1 }],
  ['error-untold', 'R-181', 'an error without a message', { warnings: [{ code: 'behind_stop' }] }],
  ['error-uncoded', 'R-181', 'an error without a code', { warnings: [{ message: 'x' }] }],
  ['error-field', 'R-004', 'a field of an error that is not listed', { warnings: [{ ...WARNING, at: 'x' }] }],
  [
    'error-long',
    'R-183',
    'a message of 10 001 bytes',
    { warnings: [{ ...WARNING, message: 'x'.repeat(10_001) }] },
  ],
  ['error-node', 'R-181', 'a node that is −1', { warnings: [{ ...WARNING, node: -1 }] }],
];

/** Wrong in the terminal status, `completed`. */
const COMPLETED: readonly Row[] = [
  ['completed-no-report', 'R-292', '`completed` without a report', { report: undefined }],
  ['completed-errors', 'R-292', '`completed` with errors', { errors: [error('internal')] }],
  ['completed-warnings', 'R-292', '`completed` with warnings', { warnings: [WARNING] }],
  ['report-list', 'R-095', 'a report that is a list', { report: [] }],
  ['report-missing', 'R-095', 'a report that leaves out a field', { report: REPORT_WITHOUT_TOKENS }],
  ['report-fraction', 'R-095', 'half a module', { report: { ...REPORT, modulesRun: 0.5 } }],
  ['report-nan', 'R-095', 'a time that is NaN', { report: { ...REPORT, milliseconds: Number.NaN } }],
  [
    'report-infinite',
    'R-095',
    'a time without end',
    { report: { ...REPORT, milliseconds: Number.POSITIVE_INFINITY } },
  ],
];

const FAILED: readonly Row[] = [
  ['failed-no-errors', 'R-292', '`failed` without errors', { errors: undefined }],
  ['failed-errors-empty', 'R-292', '`failed` with a list of no errors', { errors: [] }],
  ['failed-errors-map', 'R-094', 'errors that are a map', { errors: {} }],
];

const BROKEN: readonly ClientCase[] = [
  ...RECEIVED.map(([id, requirement, shows, fields]) =>
    broken(id, requirement, shows, async (run) => {
      run.status('received', fields);
      run.status('running');
      await run.outcomes();
      run.status('completed');
    }),
  ),
  ...COMPLETED.map(([id, requirement, shows, fields]) =>
    amid(id, requirement, shows, async (run) => {
      await run.outcomes();
      run.status('completed', fields);
    }),
  ),
  ...FAILED.map(([id, requirement, shows, fields]) =>
    amid(id, requirement, shows, async (run) => {
      await run.outcomes();
      run.status('failed', { errors: [error('internal')], ...fields });
    }),
  ),
  amid('stray-payload', 'R-017', 'a payload on a message without tensors', async (run) => {
    run.say('access_error', { save: run.saveOf('h.0'), error: error('unset') }, new Uint8Array(8));
    run.status('completed');
  }),
  ...(
    [
      ['value-no-bytes', 'R-098', 'a value without `bytes`', { bytes: undefined }],
      ['value-none', 'R-097', 'a value message without its value', { value: undefined }],
      ['value-save', 'R-097', 'a save that is text', { save: '1' }],
    ] as const
  ).map(([id, requirement, shows, fields]) =>
    amid(id, requirement, shows, (run) => {
      run.say('value', { save: run.saveOf('h.0'), value: EMPTY, bytes: 0, ...fields });
      run.status('completed');
    }),
  ),
  ...(
    [
      ['access-code', 'an access error of another code', { error: error('internal') }],
      ['access-none', 'an access error without an error', { error: undefined }],
      ['access-list', 'an access error that is a list', { error: [error('unset')] }],
    ] as const
  ).map(([id, shows, fields]) =>
    amid(id, 'R-102', shows, (run) => {
      run.say('access_error', { save: run.saveOf('h.0'), ...fields });
      run.status('completed');
    }),
  ),
  amid('progress-phase', 'R-392', 'a progress of a phase that there isn’t', (run, connection) =>
    connection.send({ type: 'progress', run: run.id, done: 1, total: 3, phase: 'resting' }),
  ),
  amid('progress-total', 'R-105', 'a progress without a total', (run, connection) =>
    connection.send({ type: 'progress', run: run.id, done: 1 }),
  ),
  broken('errors-none', 'R-086', 'an error message without errors', (run, connection) =>
    connection.send({ type: 'error', run: run.id, errors: [] }),
  ),
  ...LOGS(),
];

const EMPTY = { tensor: { dtype: 'float32', dims: [0], offset: 0, length: 0 } };

/** Logs that break the page, in a run that has a log node. */
function LOGS(): readonly ClientCase[] {
  const eight = { tensor: { dtype: 'float32', dims: [2], offset: 0, length: 8 } };
  const large = bigValue(65_544);
  const rows: readonly (readonly [string, string, string, (node: number) => object, number])[] = [
    ['log-node', 'R-103', 'a log of a node that logs nothing', () => ({ node: 999, text: 'x' }), 0],
    ['log-node-missing', 'R-103', 'a log without its node', () => ({ text: 'x' }), 0],
    ['log-text', 'R-293', 'a log of 20 001 bytes', (node) => ({ node, text: 'x'.repeat(20_001) }), 0],
    ['log-payload', 'R-037', 'a payload longer than the log’s value', (node) => ({ node, value: eight }), 16],
    [
      'log-payload-short',
      'R-037',
      'a payload shorter than the log’s value',
      (node) => ({ node, value: eight }),
      0,
    ],
    ['log-payload-stray', 'R-017', 'a payload of a log without a value', (node) => ({ node, text: 'x' }), 8],
    [
      'log-large',
      'R-104',
      'a log of more than 64 KiB',
      (node) => ({
        node,
        value: { tensor: { dtype: 'float32', dims: large.dims, offset: 0, length: 65_544 } },
      }),
      65_544,
    ],
  ];
  return rows.map(([id, requirement, shows, fields, payload]) => ({
    ...amid(id, requirement, shows, (run: ScriptedRun) => {
      run.say(
        'log',
        fields(run.graph.nodes.findIndex(({ kind }) => kind === 'log')),
        new Uint8Array(payload),
      );
      run.status('completed');
    }),
    trace: 'log',
    prints: anError('protocol_violation'),
  }));
}

export const MESSAGES = [...RIGHT, ...BROKEN];
