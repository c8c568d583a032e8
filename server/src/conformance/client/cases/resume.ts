/** Section 2.4 of the page: a connection that ends amid a run. */
import { sleep } from '../../mismatch.ts';
import { ANY_ERROR, anError, type ClientCase, error, type Judge, ONE, TUTORIAL, turn } from '../case.ts';
import { bigValue, printed, valueOfModule } from '../fixture.ts';
import type { Script, ScriptedConnection } from '../scripted-connection.ts';
import type { ScriptedRun } from '../scripted-run.ts';

const once: Judge = ({ length }) => (length === 1 ? undefined : `it connected ${length} times`);
const oneRun: Judge = ([connection]) =>
  connection?.runs.length === 1 ? undefined : 'it ran the trace again under another id';

/** A connection that ends amid a run, at a server without `resume`. */
const lost = (
  id: string,
  requirement: string,
  shows: string,
  end: (connection: ScriptedConnection) => void,
) =>
  turn(
    id,
    ['R-116', requirement],
    shows,
    anError('connection_lost'),
    (run, connection) => {
      run.begin();
      end(connection);
    },
    { judge: once },
  );

const LOST: readonly ClientCase[] = [
  lost('lost', 'R-116', 'a connection that breaks amid a run is an error, not a hang', ({ socket }) =>
    socket.wire.destroy(),
  ),
  lost('going-away', 'R-055', 'without `resume`, 1001 amid a run is an error', ({ socket }) =>
    socket.close(1001, 'going away'),
  ),
  lost('closed', 'R-116', 'a plain close amid a run is an error', ({ socket }) => socket.close(1000, '')),
  lost('closed-4400', 'R-041', 'a server that finds a breach is an error', ({ socket }) =>
    socket.close(4400, 'you broke it'),
  ),
];

/** Both sides offer `resume`. */
const resuming = (
  id: string,
  requirements: readonly string[],
  shows: string,
  one: Omit<ClientCase, 'id' | 'requirements' | 'shows' | 'script' | 'profile' | 'trace'> & {
    readonly trace?: ClientCase['trace'];
    readonly script: Script;
  },
): ClientCase => ({
  trace: 'one',
  ...one,
  id: `client-${id}`,
  requirements,
  shows,
  profile: 'resume',
  script: { capabilities: ['resume'], ...one.script, limits: { resumeMs: 20_000, ...one.script.limits } },
});

/** Sends a message or two, and is lost. */
const begun =
  (end: (connection: ScriptedConnection) => void): NonNullable<Script['run']> =>
  async (run, connection) => {
    run.begin();
    await run.value(run.saveOf('h.0'), valueOfModule('h.0'));
    // Lets the value arrive, or not: both are right.
    await sleep(30);
    end(connection);
  };

const takeUp: NonNullable<Script['resume']> = ({ run: id, after }, connection) => {
  const run = connection.runs.find((candidate) => candidate.id === id);
  if (!run) return void connection.faults.push(`a resume of ${id}, which it never ran`);
  if (after > run.seq || after < run.acked)
    connection.faults.push(`a resume after ${after}; ${run.acked} was acked, ${run.seq} sent`);
  if (after === 0) connection.faults.push('a resume after 0 of a run that it can’t know to have arrived');
  void again(run, connection, after);
};

/** Nothing of the run may be asked of a server that was started anew. */
const another = (
  heard: boolean,
): Partial<ClientCase> & { readonly prints: ClientCase['prints']; readonly script: Script } => ({
  prints: anError('run_lost'),
  script: {
    greet: (connection) => connection.welcome(connection.index > 0 ? { epoch: 'another' } : {}),
    run: (run, { socket }) => {
      if (heard) run.begin();
      socket.wire.destroy();
    },
    retry: (_, connection) =>
      void connection.faults.push('it sent the run to a server that was started anew'),
    resume: (_, connection) => void connection.faults.push('it resumed at a server that was started anew'),
  },
  judge: ({ length }) => (length >= 2 ? undefined : 'it did not connect again'),
});

const LARGE = 1024 * 1024;

const RESUMED: readonly ClientCase[] = [
  resuming(
    'resumes',
    ['R-118', 'R-119', 'R-120'],
    'it comes back after a broken connection and has all values, each once',
    {
      trace: 'tutorial',
      prints: TUTORIAL,
      script: { run: begun(({ socket }) => socket.wire.destroy()), resume: takeUp },
    },
  ),
  resuming('resumes-after-1001', ['R-055', 'R-296'], 'it comes back to its runs after 1001 too', {
    trace: 'tutorial',
    prints: TUTORIAL,
    script: { run: begun(({ socket }) => socket.close(1001, 'going away')), resume: takeUp },
  }),
  resuming('resumes-after-1008', ['R-371'], 'it comes back to its runs though it did not read in time', {
    trace: 'tutorial',
    prints: TUTORIAL,
    script: { run: begun(({ socket }) => socket.close(1008, 'you take nothing in')), resume: takeUp },
  }),
  resuming('resumes-in-value', ['R-119'], 'a value that was cut off goes on with its next chunk', {
    prints: { lines: [{ save: 'h.0', ...printed(bigValue(LARGE)) }] },
    script: {
      run: async (run, { socket }) => {
        run.begin();
        const whole = run.send;
        // The value and two of its three chunks.
        run.send = (header, payload) => (run.seq <= 5 ? whole(header, payload) : undefined);
        await run.value(run.saveOf('h.0'), bigValue(LARGE));
        await sleep(30);
        socket.wire.destroy();
      },
      resume: ({ after }, connection) => {
        const [run] = connection.runs;
        if (run) void again(run, connection, after, bigValue(LARGE));
      },
    },
  }),
  resuming('sends-again', ['R-302'], 'what nothing had come of is sent again, as the same run', {
    prints: ONE,
    script: {
      run: (_, { socket }) => socket.wire.destroy(),
      resume: (_, connection) => void connection.faults.push('it resumed a run that may not have arrived'),
      retry: (run, connection) => {
        run.moveTo((header, payload) => connection.send(header, payload), 0);
        return run.answer();
      },
    },
    judge: oneRun,
  }),
  resuming('epoch', ['R-280'], 'after a restart of the server its run is lost, and nothing is asked of it', {
    ...another(true),
  }),
  resuming('epoch-unheard', ['R-280'], 'so is a run that nothing had come of', { ...another(false) }),
  resuming(
    'run-lost',
    ['R-121'],
    'a resume that is answered with run_lost is an error, and nothing is run again',
    {
      prints: anError('run_lost'),
      script: {
        run: (run, { socket }) => {
          run.begin();
          socket.wire.destroy();
        },
        resume: ({ run }, connection) =>
          connection.send({
            type: 'error',
            run,
            errors: [{ code: 'run_lost', message: 'The conformance suite has lost it.', run }],
          }),
      },
      judge: oneRun,
    },
  ),
  resuming('no-return', ['R-054'], 'a connection that is closed for a breach is not made again', {
    prints: anError('connection_lost'),
    script: {
      run: (run, { socket }) => {
        run.begin();
        socket.close(4400, 'you broke it');
      },
    },
    judge: once,
  }),
  resuming(
    'key-revoked',
    ['R-317'],
    'a close with 4401 amid a run is an error, and it doesn’t come back with the same key',
    {
      prints: ANY_ERROR,
      script: {
        run: (run, { socket }) => {
          run.begin();
          socket.close(4401, 'the key was revoked');
        },
      },
      judge: once,
    },
  ),
  resuming('run-ids', ['R-129'], 'its run ids are long enough to hold 120 random bits', {
    prints: ONE,
    script: {},
    judge: ([connection]) => {
      const id = connection?.runs[0]?.id ?? '';
      return id.length >= 20 ? undefined : `the run id ${id} has ${id.length} characters`;
    },
  }),
];

const MOVED: ClientCase = {
  id: 'client-run-moved',
  requirements: ['R-451', 'R-453'],
  shows: 'a run that another connection follows now is an error, and it doesn’t come back for it',
  trace: 'one',
  prints: anError('run_moved'),
  profile: ['resume', 'moves'],
  script: {
    capabilities: ['resume', 'moves'],
    run: async (run, connection) => {
      run.begin();
      await run.value(run.saveOf('h.0'), valueOfModule('h.0'));
      connection.send({ type: 'error', run: run.id, errors: [error('run_moved')] });
    },
    resume: (_, connection) => void connection.faults.push('it took the run back'),
    retry: (_, connection) => void connection.faults.push('it sent the run again'),
  },
  judge: oneRun,
};

export const RESUME = [...LOST, ...RESUMED, MOVED];

/** Sends what follows `after` of: received, running, the value, an access error for any other save, completed. */
async function again(
  run: ScriptedRun,
  connection: ScriptedConnection,
  after: number,
  value = valueOfModule('h.0'),
): Promise<void> {
  run.moveTo((header, payload) => {
    const { seq } = header as { readonly seq: number };
    if (seq > after) connection.send(header, payload);
  }, after);
  run.seq = 0;
  run.begin();
  await run.value(run.saveOf('h.0'), value);
  for (const save of run.saves) if (save !== run.saveOf('h.0')) run.accessError(save, 'not_reached');
  run.status('completed');
}
