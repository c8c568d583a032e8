/** Section 6.3: several traces in one run. */
import { PayloadWriter } from '@tracewire/protocol';
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { mustEqual, NotApplicable } from '../mismatch.ts';
import { outputOf } from '../model-facts.ts';
import { newRunId } from '../peer.ts';
import { type Fields, type PlainRun, talk } from '../plain-peer.ts';
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

const reportsOf = (status: Fields): readonly Fields[] => (status['reports'] ?? []) as readonly Fields[];
const statesOf = (status: Fields): unknown[] => reportsOf(status).map(({ state }) => state);
const save = (value: number): object => ({ kind: 'save', value });
const earlier = (trace: number, node: number): object => ({ kind: 'earlier', trace, node });

/** Nodes of a trace that fails when it runs, and not before: what would be written is gathered from beyond the end. */
function failing(
  read: object,
  place: object,
): { readonly nodes: readonly object[]; readonly bytes: Uint8Array } {
  const payload = new PayloadWriter();
  const index = (of: number): object => ({
    kind: 'constant',
    tensor: payload.tensor(tensorOf('int64', [1], [of])),
  });
  const nodes = [
    read,
    index(7919),
    index(0),
    // Not the constant itself, whose elements a server may look at before it runs.
    { kind: 'operator', operator: 'Add', inputs: [1, 2] },
    { kind: 'operator', operator: 'Gather', inputs: [0, 3] },
    { kind: 'write', place, value: 4 },
  ];
  return { nodes, bytes: Buffer.concat(payload.parts) };
}

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
      run.ended('completed');
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
    ['R-362', 'R-399', 'R-400'],
    'what refers to no value of an earlier trace is a bad_reference, with its trace and node',
    async ({ traces, read }) => {
      const step = { ...earlier(0, 0), step: 0 };
      for (const wrong of [earlier(1, 0), earlier(2, 0), earlier(0, 1), earlier(0, 9), step]) {
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
      const later = { kind: 'read', place: outputOf(model.last) };
      const { nodes, bytes } = failing(read, outputOf(model.early));
      const run = await traces(
        [
          [...nodes, later, save(6)],
          [earlier(0, 6), save(0), read, save(2)],
        ],
        bytes,
      );
      run.ended('completed');
      run.accessError(7, { trace: 0 }, { code: 'failed' });
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
  sessionCase(
    'session-reports',
    ['R-402'],
    'the terminal status has one report a trace, with its state, and no other report',
    async ({ traces, read, context: { model } }) => {
      const { nodes, bytes } = failing(read, outputOf(model.early));
      const wrong = [...nodes, save(0)];
      const some = (await traces([wrong, [read, save(0)]], bytes)).ended('completed');
      mustEqual('the states', statesOf(some), ['failed', 'completed']);
      mustEqual('report', some['report'], undefined);
      mustEqual('reports that are there', reportsOf(some)[1]?.['report'] !== undefined, true);
      mustEqual('errors that are there', reportsOf(some)[0]?.['errors'] !== undefined, true);
      const none = (await traces([wrong], bytes)).ended('failed');
      mustEqual('the states', statesOf(none), ['failed']);
      const [error] = none['errors'] as readonly Fields[];
      mustEqual('the trace of the error', error?.['trace'], 0);
    },
  ),
  sessionCase(
    'session-unsaved',
    ['R-401'],
    'a trace of which a later one uses a value need save nothing; one of which none does must',
    async ({ traces, read }) => {
      const run = await traces([[read], [earlier(0, 0), save(0)]]);
      run.ended('completed');
      run.value(1, { trace: 1 });
      mustEqual('trace', (await traces([[read], [read, save(0)]])).refusedWith('nothing_saved')['trace'], 0);
    },
  ),
  sessionCase(
    'session-payload',
    ['R-398', 'R-361'],
    'each trace has its own tensors, one’s behind the other’s',
    async ({ traces }) => {
      const payload = new PayloadWriter();
      const constants = [3, 5].map((number) => ({
        kind: 'constant',
        tensor: payload.tensor(tensorOf('float32', [1], [number])),
      }));
      const [first = {}, second = {}] = constants;
      const bytes = Buffer.concat(payload.parts);
      const add = { kind: 'operator', operator: 'Add', inputs: [0, 1] };
      const nodes = [second, earlier(0, 0), add, save(2)];
      const run = await traces([[first, save(0)], nodes], bytes);
      run.ended('completed');
      mustEqual('the sum', numbersOf(oneTensor(run.value(3, { trace: 1 }))), [8]);
    },
  ),
  sessionCase(
    'session-payload-order',
    ['R-398'],
    'tensors that lie in another order than their traces are a bad_message',
    async ({ traces }) => {
      const payload = new PayloadWriter();
      const constants = [3, 5].map((number) => ({
        kind: 'constant',
        tensor: payload.tensor(tensorOf('float32', [1], [number])),
      }));
      const lists = constants.toReversed().map((constant) => [constant, save(0)]);
      (await traces(lists, Buffer.concat(payload.parts))).refusedWith('bad_message');
    },
  ),
  sessionCase(
    'session-limits',
    ['R-396', 'R-397'],
    'more traces than limits.traces, and more nodes than limits.nodes in all of them, are a bad_message',
    async ({ context, read }) => {
      await talk(context, ['sessions'], async (peer, welcome) => {
        const { traces, nodes } = welcome['limits'] as { readonly traces?: number; readonly nodes: number };
        mustEqual('limits.traces is there', traces !== undefined, true);
        const graph = { invokes: [{ input: { ids: context.model.ids } }], nodes: [read, save(0)] };
        const many = new Array(Number(traces) + 1).fill({ graph });
        (await peer.run({ traces: many })).refusedWith('bad_message');
        const half = Math.floor(nodes / 2);
        const full = { ...graph, nodes: [read, ...new Array(half).fill(save(0))] };
        (await peer.run({ traces: [{ graph: full }, { graph: full }] })).refusedWith('bad_message');
      });
    },
  ),
  sessionCase(
    'session-steps',
    ['R-400'],
    'of a value in several steps a later trace names one, which may never have come',
    async ({ context, read }) => {
      const { capabilities } = context.welcome;
      if (!capabilities.includes('generation')) throw new NotApplicable('the server generates nothing');
      await talk(context, ['sessions', 'generation'], async (peer) => {
        const invokes = [{ input: { ids: context.model.ids } }];
        const place = { ...(read as { readonly place: object }).place, steps: [0, 1, 5] };
        const generate = { maxNewTokens: 2, stopTokens: [] };
        const first = { graph: { invokes, nodes: [{ kind: 'read', place }, save(0)] }, generate };
        const ask = (nodes: readonly object[]): Promise<PlainRun> =>
          peer.run({ traces: [first, { graph: { invokes, nodes } }] });
        const run = await ask([
          { ...earlier(0, 0), step: 1 },
          save(0),
          { ...earlier(0, 0), step: 5 },
          save(2),
        ]);
        run.ended('completed');
        const values = [run.value(1, { trace: 1 }), run.value(1, { trace: 0, step: 1 })];
        const [taken, saved] = values.map((value) => numbersOf(oneTensor(value)));
        mustEqual('the value of the step', taken, saved);
        run.accessError(3, { trace: 1 }, { code: 'failed', cause: { code: 'not_reached' } });
        (await ask([earlier(0, 0), save(0)])).refusedWith('bad_reference');
        (await ask([{ ...earlier(0, 0), step: 2 }, save(0)])).refusedWith('bad_reference');
      });
    },
  ),
  sessionCase(
    'session-retry',
    ['R-404'],
    'a retry has the same traces in the same order; another order is another run',
    async ({ context, read }) => {
      const { capabilities } = context.welcome;
      if (!capabilities.includes('resume')) throw new NotApplicable('the server resumes nothing');
      await talk(context, ['sessions', 'resume'], async (peer) => {
        const invokes = [{ input: { ids: context.model.ids } }];
        const one = { graph: { invokes, nodes: [read, save(0)] } };
        const place = outputOf(context.model.last);
        const other = { graph: { invokes, nodes: [{ kind: 'read', place }, save(0)] } };
        const run = newRunId();
        const first = await peer.run({ run, traces: [one, other] }, undefined, { acks: false });
        first.ended('completed');
        const again = await peer.run({ run, traces: [one, other] }, undefined, { acks: false });
        mustEqual('the messages', again.of('value').length, first.of('value').length);
        (await peer.run({ run, traces: [other, one] })).refusedWith('run_conflict');
        (await peer.run({ run, traces: [one] })).refusedWith('run_conflict');
      });
    },
  ),
  sessionCase(
    'session-cancel',
    ['R-403'],
    'past its deadline a run ends with the trace that runs: it and all later ones are cancelled',
    async ({ context, read }) => {
      await talk(context, ['sessions'], async (peer, welcome) => {
        const { traces } = welcome['limits'] as { readonly traces?: number };
        const graph = { invokes: [{ input: { ids: context.model.ids } }], nodes: [read, save(0)] };
        const many = new Array(Math.min(64, Number(traces))).fill({ graph });
        const run = await peer.run({ traces: many, options: { deadlineMs: 1 } });
        run.ended('failed');
        mustEqual('outcomes', run.outcomes.length, many.length);
        const codes = run.of('access_error').map(({ header }) => (header['error'] as Fields)['code']);
        mustEqual('the last outcome', codes.at(-1), 'cancelled');
      });
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
