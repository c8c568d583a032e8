/** Section 6.3: several traces in one run. */
import { PayloadWriter } from '@tracewire/protocol';
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { mustEqual } from '../mismatch.ts';
import { outputOf } from '../model-facts.ts';
import { type PlainRun, talk } from '../plain-peer.ts';
import { numbersOf, oneTensor, tensorOf } from '../tensors.ts';

interface Session {
  readonly context: CaseContext;
  /** Runs these lists of nodes, each a trace on the short prompt. */
  readonly traces: (lists: readonly (readonly object[])[], payload?: Uint8Array) => Promise<PlainRun>;
  readonly read: object;
}

const sessionCase = (
  id: string,
  requirements: readonly string[],
  shows: string,
  run: (session: Session) => Promise<void>,
): ConformanceCase => ({
  id,
  requirements,
  shows,
  profile: 'sessions',
  run: (context) =>
    talk(context, ['sessions'], async (peer) => {
      const invokes = [{ input: { ids: context.model.ids } }];
      await run({
        context,
        traces: (lists, payload) =>
          peer.run({ traces: lists.map((nodes) => ({ graph: { invokes, nodes } })) }, payload),
        read: { kind: 'read', place: outputOf(context.model.early) },
      });
    }),
});

const save = (value: number): object => ({ kind: 'save', value });
const earlier = (trace: number, node: number): object => ({ kind: 'earlier', trace, node });

export const SESSIONS: readonly ConformanceCase[] = [
  sessionCase(
    'session',
    ['R-359', 'R-360', 'R-361'],
    'a later trace has an earlier one’s value, though it wasn’t saved; outcomes come trace by trace',
    async ({ traces, read }) => {
      const run = await traces([
        [read, save(0)],
        [earlier(0, 0), save(0), read, save(2)],
        [earlier(1, 0), save(0)],
      ]);
      const reports = run.ended('completed')['reports'];
      mustEqual('reports', Array.isArray(reports) ? reports.length : reports, 3);
      mustEqual(
        'the traces',
        run.outcomes.map(({ trace }) => trace),
        [0, 1, 1, 2],
      );
      const [first, ...rest] = [
        run.value(1, { trace: 0 }),
        run.value(1, { trace: 1 }),
        run.value(1, { trace: 2 }),
      ].map((value) => numbersOf(oneTensor(value)));
      for (const other of rest) mustEqual('the value', other, first);
    },
  ),
  sessionCase(
    'session-not-earlier',
    ['R-362'],
    'what refers to no value of an earlier trace is a bad_reference, with its trace and node',
    async ({ traces, read }) => {
      for (const wrong of [earlier(1, 0), earlier(2, 0), earlier(0, 1), earlier(0, 9)]) {
        const run = await traces([
          [read, save(0)],
          [wrong, save(0)],
        ]);
        const { trace, node } = run.refusedWith('bad_reference');
        mustEqual('trace and node', [trace, node], [1, 0]);
      }
    },
  ),
  sessionCase(
    'session-fails',
    ['R-363', 'R-364'],
    'a trace that fails has failed saves, and so has what needs it, with the cause; the others run',
    async ({ traces, read, context: { model } }) => {
      const payload = new PayloadWriter();
      const tensor = payload.tensor(tensorOf('int64', [1], [7919]));
      const fails = { kind: 'operator', operator: 'Reshape', inputs: [0, 1] };
      const write = { kind: 'write', place: outputOf(model.early), value: 2 };
      const later = { kind: 'read', place: outputOf(model.last) };
      const run = await traces(
        [
          [read, { kind: 'constant', tensor }, fails, write, later, save(4)],
          [earlier(0, 4), save(0), read, save(2)],
        ],
        Buffer.concat(payload.parts),
      );
      run.ended('completed');
      run.accessError(5, { trace: 0 }, { code: 'failed' });
      run.accessError(1, { trace: 1 }, { code: 'failed', cause: { code: 'failed' } });
      run.value(3, { trace: 1 });
    },
  ),
  sessionCase(
    'session-stops',
    ['R-363', 'R-364'],
    'a stop ends its own trace; what needs a value behind it is failed, with not_reached as the cause',
    async ({ traces, read, context: { model } }) => {
      const stop = { kind: 'stop', place: outputOf(model.early) };
      const later = { kind: 'read', place: outputOf(model.last) };
      const run = await traces([
        [later, stop, read, save(2)],
        [earlier(0, 0), save(0), later, save(2)],
      ]);
      run.ended('completed');
      run.accessError(1, { trace: 1 }, { code: 'failed', cause: { code: 'not_reached' } });
      run.value(3, { trace: 1 });
    },
  ),
  sessionCase('session-and-graph', ['R-358'], 'traces beside a graph get bad_message', async (session) => {
    const { context, read } = session;
    await talk(context, ['sessions'], async (peer) => {
      const graph = { invokes: [{ input: { ids: context.model.ids } }], nodes: [read, save(0)] };
      (await peer.run({ graph, traces: [{ graph }] })).refusedWith('bad_message');
      (await peer.run({})).refusedWith('bad_message');
    });
  }),
];
