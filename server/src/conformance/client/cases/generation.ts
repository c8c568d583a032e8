/** Section 6.2 of the page: a client that generates. */
import { ANY_ERROR, amidOf, type ClientCase, type Prints, rightOf } from '../case.ts';
import { printed, valueOfModule } from '../fixture.ts';
import type { ScriptedConnection } from '../scripted-connection.ts';
import { REPORT, type ScriptedRun } from '../scripted-run.ts';

const H0 = valueOfModule('h.0');
/** Ids and texts that the scripted server chooses; the last of these ends the text. */
const TOKENS = [
  { id: 5, text: 'five' },
  { id: 9, text: '' },
  { id: 7, text: ' é' },
];
const END = { end: 'token', steps: TOKENS.length };
const tokensUpTo = (count: number): object[] =>
  TOKENS.slice(0, count).map(({ id, text }, step) => ({ token: id, step, text }));
const savesUpTo = (count: number): object[] =>
  TOKENS.slice(0, count).map((_, step) => ({ save: 'h.0', step, ...printed(H0) }));
const LATE = { save: 'late', error: 'not_reached' };
const ALL: Prints = { lines: [...tokensUpTo(3), ...savesUpTo(3), LATE, END] };

const REPORTED = { ...REPORT, steps: TOKENS.length, generated: [{ tokens: TOKENS.length, end: 'token' }] };

const KIND = { trace: 'generation', profile: 'generation' } as const;
const generation = rightOf(KIND);
const broken = amidOf(KIND);

/** One pass: the value of `h.0` in it, and the token that it chose. */
async function pass(run: ScriptedRun, step: number): Promise<void> {
  await run.value(run.saveOf('h.0'), H0, { step });
  run.say('token', { step, ...TOKENS[step] });
}

/** The outcome of the save that wanted a fourth step. */
function never(run: ScriptedRun): void {
  const fields = { wanted: '3', got: String(TOKENS.length) };
  run.accessError(run.saveOf('h.1'), 'not_reached', fields, { step: 3 });
}

async function passes(run: ScriptedRun): Promise<void> {
  for (const step of TOKENS.keys()) await pass(run, step);
}

async function answer(run: ScriptedRun): Promise<void> {
  run.begin();
  await passes(run);
  never(run);
  run.status('completed', { report: REPORTED });
}

const RESUMING = { capabilities: ['generation', 'resume'], limits: { resumeMs: 20_000 } };

const RIGHT: readonly ClientCase[] = [
  generation(
    '',
    ['R-344', 'R-353', 'R-354', 'R-355', 'R-356', 'R-357'],
    'it tells the tokens, the values of each step, why it ended, and the access error of a step that never came',
    ALL,
    { run: answer },
  ),
  generation(
    '-cancelled',
    ['R-354'],
    'a generation that the server cancels amid its second step is an error',
    ANY_ERROR,
    {
      run: async (run) => {
        run.begin();
        await pass(run, 0);
        run.accessError(run.saveOf('h.0'), 'cancelled', {}, { step: 1 });
        run.accessError(run.saveOf('h.1'), 'cancelled', { wanted: '3', got: '2' }, { step: 3 });
        const generated = [{ tokens: 1, end: 'cut' }];
        run.status('cancelled', { report: { ...REPORTED, steps: 2, generated } });
      },
    },
  ),
  generation(
    '-not-offered',
    ['R-117'],
    'a server that doesn’t generate is sent no generation',
    ANY_ERROR,
    { capabilities: [] },
    { judge: ([connection]) => (connection?.runs.length === 0 ? undefined : 'it sent a run') },
  ),
  generation(
    '-resumes',
    ['R-119', 'R-353'],
    'after a broken connection it goes on with the next token, none twice and none missing',
    ALL,
    {
      ...RESUMING,
      run: async (run, { socket }) => {
        run.begin();
        await pass(run, 0);
        socket.wire.destroy();
      },
      resume: ({ after }, connection) => {
        const [run] = connection.runs;
        if (run) void again(run, connection, after);
      },
    },
    {
      profile: ['generation', 'resume'],
      judge: ([connection]) => (connection?.runs.length === 1 ? undefined : 'it generated again'),
    },
  ),
];

/** All of the right answer that comes behind `after`. */
async function again(run: ScriptedRun, connection: ScriptedConnection, after: number): Promise<void> {
  run.moveTo((header, payload) => {
    if ((header as { readonly seq: number }).seq > after) connection.send(header, payload);
  }, after);
  run.seq = 0;
  await answer(run);
}

type Row = readonly [
  id: string,
  requirement: string,
  shows: string,
  breach: (run: ScriptedRun) => Promise<void> | void,
];

const ROWS: readonly Row[] = [
  [
    'token-order',
    'R-353',
    'a token of a step before its turn',
    (run) => run.say('token', { step: 1, ...TOKENS[0] }),
  ],
  [
    'token-twice',
    'R-353',
    'two tokens of one step',
    (run) => {
      for (let times = 0; times < 2; times++) run.say('token', { step: 0, ...TOKENS[0] });
    },
  ],
  [
    'token-invoke',
    'R-462',
    'a token of an invoke that there isn’t',
    (run) => run.say('token', { step: 0, invoke: 1, ...TOKENS[0] }),
  ],
  [
    'value-no-step',
    'R-355',
    'a value of a generation without its step',
    (run) => run.value(run.saveOf('h.0'), H0),
  ],
  [
    'access-no-step',
    'R-355',
    'an access error of a generation without its step',
    (run) => run.accessError(run.saveOf('h.0'), 'unset'),
  ],
  [
    'value-twice',
    'R-356',
    'a second value of one step',
    async (run) => {
      for (let times = 0; times < 2; times++) await run.value(run.saveOf('h.0'), H0, { step: 0 });
    },
  ],
  [
    'no-outcome',
    'R-357',
    'an end without an outcome of a step that never came',
    async (run) => {
      await passes(run);
      run.status('completed', { report: REPORTED });
    },
  ],
  [
    'missing-step',
    'R-356',
    'an end without an outcome of a step that came',
    async (run) => {
      await passes(run);
      never(run);
      const generated = [{ tokens: 4, end: 'token' }];
      run.status('completed', { report: { ...REPORTED, steps: 4, generated } });
    },
  ],
  [
    'no-generated',
    'R-354',
    'a report that doesn’t say why the generation ended',
    async (run) => {
      await passes(run);
      never(run);
      run.status('completed', { report: REPORT });
    },
  ],
];

export const GENERATION: readonly ClientCase[] = [...RIGHT, ...ROWS.map((row) => broken(...row))];
