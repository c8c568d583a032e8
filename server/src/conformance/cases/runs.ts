/** Sections 2.2 and 2.3: how a run begins, what it sends, how it ends, and what its id is good for. */
import { isTerminal } from '@tracewire/protocol';
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { check, mustEqual, NotApplicable, sleep } from '../mismatch.ts';
import { outputOf } from '../model-facts.ts';
import { newRunId, type Peer } from '../peer.ts';
import type { RunView } from '../run-view.ts';
import { Sketch } from '../sketch.ts';
import { oneTensor } from '../tensors.ts';
import { toil } from '../work.ts';

/** Saves the first block's output. */
export function simple({ model }: CaseContext): { readonly sketch: Sketch; readonly save: number } {
  const sketch = new Sketch({ ids: model.ids });
  const save = sketch.saveRead(outputOf(model.early));
  return { sketch, save };
}

const refusedRun = (
  id: string,
  requirements: readonly string[],
  shows: string,
  fields: (context: CaseContext) => object,
): ConformanceCase => ({
  id,
  requirements: [...requirements, 'R-045'],
  shows: `${shows} gets bad_message`,
  run: async (context) => {
    const peer = await context.open();
    const { graph } = simple(context).sketch;
    peer.send({ type: 'run', run: newRunId(), model: context.model.name, graph, ...fields(context) });
    await peer.error('bad_message');
    await peer.mustGoOn();
  },
});

/** A run that takes about a quarter of a second, then some that wait behind it. */
async function occupied(context: CaseContext, peer: Peer) {
  const slow = new Sketch({ ids: context.model.ids });
  slow.save(toil(slow, 8));
  const { sketch } = simple(context);
  const waiting = Math.min(peer.limits.runs - 2, 4);
  if (waiting < 1) throw new NotApplicable(`limits.runs is ${peer.limits.runs}`);
  const views = [peer.run(slow.request)];
  for (let index = 0; index < waiting; index++) views.push(peer.run(sketch.request));
  return { views };
}

/** Cancels a run that has not ended when the cancel has been taken in; it must end as cancelled then. */
async function cancelled(peer: Peer, view: RunView): Promise<void> {
  peer.send({ type: 'cancel', run: view.id });
  // The answer to what was asked behind the cancel; what the server said before it has come too.
  await peer.mustGoOn();
  if (view.statuses.some(({ state }) => isTerminal(state)))
    throw new NotApplicable('the run ended before the cancel came');
  await view.ended('cancelled');
}

export const RUNS: readonly ConformanceCase[] = [
  {
    id: 'run-completes',
    requirements: ['R-070', 'R-091', 'R-095', 'R-101', 'R-143', 'R-149'],
    shows: 'a run is received, runs, gives its value and completes with a report',
    run: async (context) => {
      const peer = await context.open();
      const { sketch, save } = simple(context);
      const run = peer.run(sketch.request);
      const { report } = await run.ended('completed');
      const states = run.statuses.map(({ state }) => state).filter((state) => state !== 'queued');
      mustEqual('the states', states, ['received', 'running', 'completed']);
      const port = context.model.early.outputs[0];
      mustEqual('the dtype', oneTensor(run.value(save)).dtype, port?.dtype);
      check(
        report !== undefined && report.modulesRun <= report.modulesTotal,
        'a report with at most all modules run',
        () => JSON.stringify(report),
      );
      mustEqual('report.tokens', report.tokens, context.model.ids.length);
    },
  },
  {
    id: 'run-text',
    requirements: ['R-131'],
    shows: 'a text is run as the tokens that tokenize gives',
    run: async ({ open, model }) => {
      const peer = await open();
      const text = 'hello world';
      peer.send({ type: 'tokenize', request: 1, model: model.name, text });
      const { ids } = await peer.next('tokens');
      const sketch = new Sketch({ text });
      sketch.saveRead(outputOf(model.early));
      const { report } = await peer.run(sketch.request).ended('completed');
      mustEqual('report.tokens', report?.tokens, ids.length);
    },
  },
  {
    id: 'values-in-order',
    requirements: ['R-106', 'R-159'],
    shows: 'values come as they come to be: the earlier module’s first, though it was saved last',
    run: async ({ open, model }) => {
      const peer = await open();
      const sketch = new Sketch({ ids: model.ids });
      const late = sketch.saveRead(outputOf(model.last));
      const early = sketch.saveRead(outputOf(model.early));
      const run = peer.run(sketch.request);
      await run.ended('completed');
      const order = run.messages.flatMap((message) => (message.type === 'value' ? [message.save] : []));
      mustEqual('the saves', order, [early, late]);
    },
  },
  refusedRun('run-id-empty', ['R-002', 'R-069'], 'an empty run id', () => ({ run: '' })),
  refusedRun('run-id-long', ['R-002', 'R-069'], 'a run id of 65 characters', () => ({ run: 'a'.repeat(65) })),
  refusedRun('run-id-space', ['R-002', 'R-069'], 'a run id with a space', () => ({ run: 'a b' })),
  refusedRun('run-deadline-0', ['R-071'], 'a deadline of 0 ms', () => ({ options: { deadlineMs: 0 } })),
  refusedRun('run-traceparent-wrong', ['R-393'], 'a traceparent that is none', () => ({
    options: { traceparent: '00-0' },
  })),
  {
    id: 'run-traceparent',
    requirements: ['R-393'],
    shows: 'a run may carry a traceparent',
    run: async (context) => {
      const peer = await context.open();
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      await peer.run({ ...simple(context).sketch.request, options: { traceparent } }).ended('completed');
    },
  },
  refusedRun('run-option-unknown', ['R-004', 'R-071'], 'an option that there isn’t', () => ({
    options: { 'x-conformance': 1 },
  })),
  {
    id: 'run-id-long-enough',
    requirements: ['R-002', 'R-069'],
    shows: 'a run id of 64 of the odder characters is taken',
    run: async (context) => {
      const peer = await context.open();
      const run = `${newRunId().slice(-8)}._~-`.padEnd(64, 'Z');
      await peer.run({ ...simple(context).sketch.request, run }).ended('completed');
    },
  },
  {
    id: 'run-unknown-model',
    requirements: ['R-070', 'R-087', 'R-088'],
    shows: 'a run of no model is refused with unknown_model and its id, and has no status',
    run: async (context) => {
      const peer = await context.open();
      const { graph } = simple(context).sketch;
      const run = newRunId();
      const view = peer.follow(run, graph);
      peer.send({ type: 'run', run, model: 'x-conformance-no-such-model', graph });
      await view.refusedWith('unknown_model');
      await peer.mustGoOn();
    },
  },
  {
    id: 'run-refused-id-free',
    requirements: ['R-088'],
    shows: 'the id of a refused run is free',
    run: async (context) => {
      const peer = await context.open();
      const run = newRunId();
      const bad = new Sketch({ ids: context.model.ids });
      await peer.run({ ...bad.request, run }).refusedWith('nothing_saved');
      await peer.run({ ...simple(context).sketch.request, run }).ended('completed');
    },
  },
  {
    id: 'run-conflict',
    requirements: ['R-050', 'R-069', 'R-089', 'R-125'],
    shows: 'an id in use gets run_conflict; the first run goes on',
    run: async (context) => {
      const peer = await context.open();
      const { sketch, save } = simple(context);
      const run = newRunId();
      const view = peer.run({ ...sketch.request, run, withholdAcks: true });
      peer.send({ type: 'run', run, model: context.model.name, graph: sketch.graph });
      await view.ended('completed');
      view.value(save);
      const refusals = (): boolean =>
        peer.arrivals.some(
          ({ message }) =>
            message.type === 'error' && message.run === run && message.errors[0]?.code === 'run_conflict',
        );
      for (let turn = 0; turn < 50 && !refusals(); turn++) await sleep(10);
      check(refusals(), 'an error run_conflict for the second', () => 'none');
    },
  },
  {
    id: 'run-id-free-after-ack',
    requirements: ['R-111', 'R-120'],
    shows: 'an id is in use until its terminal status is acked, and then free again',
    run: async (context) => {
      const peer = await context.open();
      const { sketch } = simple(context);
      const run = newRunId();
      const first = peer.run({ ...sketch.request, run, withholdAcks: true });
      const { seq } = await first.ended('completed');
      first.ack(seq);
      await peer.run({ ...sketch.request, run }).ended('completed');
    },
  },
  {
    id: 'run-id-held-until-ack',
    requirements: ['R-111'],
    shows: 'an id is still in use when its terminal status has come and is not acked',
    run: async (context) => {
      const peer = await context.open();
      const { sketch } = simple(context);
      const run = newRunId();
      await peer.run({ ...sketch.request, run, withholdAcks: true }).ended('completed');
      await peer.run({ ...sketch.request, run }).refusedWith('run_conflict');
    },
  },
  {
    id: 'too-many-runs',
    requirements: ['R-052'],
    shows: 'more runs than limits.runs at a time get too_many_runs; those taken in complete',
    run: async (context) => {
      const peer = await context.open();
      const { runs } = peer.limits;
      if (runs > 64) throw new NotApplicable(`limits.runs is ${runs}`);
      const slow = new Sketch({ ids: context.model.ids });
      slow.save(toil(slow, 8));
      const { sketch } = simple(context);
      const views = [peer.run(slow.request)];
      while (views.length < runs * 2 + 8) views.push(peer.run(sketch.request));
      const ends = await Promise.all(views.map((view) => view.end()));
      const refused = ends.flatMap((end) => end.refused ?? []);
      if (refused.length === 0) throw new NotApplicable('the server ends runs faster than they come');
      check(
        refused.every(({ code }) => code === 'too_many_runs' || code === 'queue_full'),
        'too_many_runs',
        () => refused.map(({ code }) => code).join(', '),
      );
      const states = ends.flatMap(({ status }) => status?.state ?? []);
      check(
        states.length >= runs || refused.some(({ code }) => code === 'queue_full'),
        `at least ${runs} runs taken in`,
        () => String(states.length),
      );
      check(
        states.every((state) => state === 'completed'),
        'all others completed',
        () => states.join(', '),
      );
    },
  },
  {
    id: 'queued',
    requirements: ['R-092', 'R-107'],
    shows: 'runs that wait are told so, if at all, with the number of those ahead, which falls',
    run: async (context) => {
      const peer = await context.open();
      const { views } = await occupied(context, peer);
      for (const view of views) await view.ended('completed');
      const positions = views.map((view) =>
        view.statuses.flatMap(({ state, position }) =>
          state === 'queued' && position !== undefined ? [position] : [],
        ),
      );
      for (const list of positions) {
        const falls = list.every((position, index) => index === 0 || position <= (list[index - 1] ?? 0));
        check(falls, 'positions that fall', () => list.join(', '));
      }
    },
  },
  {
    id: 'cancel-waiting',
    requirements: ['R-072', 'R-110'],
    shows: 'a run cancelled before its end ends as cancelled, its saves with outcomes',
    run: async (context) => {
      const peer = await context.open();
      const { views } = await occupied(context, peer);
      const last = views.at(-1);
      if (!last) throw new NotApplicable('limits.runs is 0');
      await cancelled(peer, last);
      for (const view of views.slice(0, -1)) await view.ended('completed');
    },
  },
  {
    id: 'cancel-at-once',
    requirements: ['R-072', 'R-102', 'R-110'],
    shows:
      'a run cancelled right behind its start ends, as cancelled unless it was faster; saves without value say cancelled',
    run: async (context) => {
      const peer = await context.open();
      const sketch = new Sketch({ ids: context.model.ids });
      const save = sketch.save(toil(sketch, 8));
      const view = peer.run(sketch.request);
      await cancelled(peer, view);
      if (!view.values.has(save)) view.accessError(save, 'cancelled');
    },
  },
  {
    id: 'cancel-after-end',
    requirements: ['R-072', 'R-109'],
    shows: 'a cancel after the terminal status changes nothing and is answered with nothing',
    run: async (context) => {
      const peer = await context.open();
      const { sketch } = simple(context);
      const view = peer.run({ ...sketch.request, withholdAcks: true });
      const { seq } = await view.ended('completed');
      peer.send({ type: 'cancel', run: view.id });
      await peer.mustGoOn();
      mustEqual('the last seq', view.seq, seq);
    },
  },
  {
    id: 'cancel-unknown',
    requirements: ['R-073'],
    shows: 'a cancel of no run means nothing',
    run: async ({ open }) => {
      const peer = await open();
      peer.send({ type: 'cancel', run: newRunId() });
      await peer.mustGoOn();
    },
  },
  {
    id: 'ack-unknown',
    requirements: ['R-075'],
    shows: 'an ack of no run means nothing',
    run: async ({ open }) => {
      const peer = await open();
      peer.send({ type: 'ack', run: newRunId(), seq: 3 });
      await peer.mustGoOn();
    },
  },
  {
    id: 'ack-ahead',
    requirements: ['R-048'],
    shows: 'an ack of what has not been sent gets bad_message, and it goes on',
    run: async (context) => {
      const peer = await context.open();
      const view = peer.run({ ...simple(context).sketch.request, withholdAcks: true });
      const { seq } = await view.ended('completed');
      peer.send({ type: 'ack', run: view.id, seq: seq + 1 });
      await peer.error('bad_message');
      await peer.mustGoOn();
    },
  },
  {
    id: 'ack-again',
    requirements: ['R-048', 'R-298'],
    shows: 'an ack of what was acked, or of 0, means nothing new',
    run: async (context) => {
      const peer = await context.open();
      const view = peer.run({ ...simple(context).sketch.request, withholdAcks: true });
      const { seq } = await view.ended('completed');
      for (const acked of [0, seq - 1, 1, seq - 1]) peer.send({ type: 'ack', run: view.id, seq: acked });
      await peer.mustGoOn();
    },
  },
  {
    id: 'deadline',
    requirements: ['R-071', 'R-115'],
    shows: 'a run that does not end by its deadline fails with deadline_exceeded, its saves with cancelled',
    run: async (context) => {
      const peer = await context.open();
      const { views } = await occupied(context, peer);
      const { sketch, save } = simple(context);
      const view = peer.run({ ...sketch.request, options: { deadlineMs: 20 } });
      const { status, refused } = await view.end();
      for (const other of views) await other.end();
      if (status?.state === 'completed') throw new NotApplicable('the run ended within 20 ms');
      if (refused?.every(({ code }) => code === 'too_many_runs'))
        throw new NotApplicable('limits.runs is too low');
      check(
        status?.state === 'failed' && status.errors?.[0]?.code === 'deadline_exceeded',
        'failed with deadline_exceeded',
        () => JSON.stringify(status ?? refused),
      );
      if (!view.values.has(save)) view.accessError(save, 'cancelled');
    },
  },
  {
    id: 'deadline-running',
    requirements: ['R-115'],
    shows: 'a run that is running at its deadline fails with deadline_exceeded',
    run: async (context) => {
      const peer = await context.open();
      const sketch = new Sketch({ ids: context.model.ids });
      const save = sketch.save(toil(sketch, 16));
      sketch.saveRead(outputOf(context.model.last));
      const view = peer.run({ ...sketch.request, options: { deadlineMs: 50 } });
      const { errors } = await view.ended('failed');
      mustEqual('the error', errors?.[0]?.code, 'deadline_exceeded');
      if (!view.values.has(save)) view.accessError(save, 'cancelled');
    },
  },
  {
    id: 'deadline-far',
    requirements: ['R-115'],
    shows: 'a run that ends before its deadline completes',
    run: async (context) => {
      const peer = await context.open();
      await peer
        .run({ ...simple(context).sketch.request, options: { deadlineMs: 60_000 } })
        .ended('completed');
    },
  },
  {
    id: 'lost-connection-frees-id',
    requirements: ['R-116'],
    shows: 'a lost connection cancels its runs: their ids are free',
    run: async (context) => {
      const first = await context.open();
      const { sketch } = simple(context);
      const run = newRunId();
      const view = first.run({ ...sketch.request, run, withholdAcks: true });
      await view.ended('completed');
      first.wire.close();
      await first.wire.closed;
      const second = await context.open();
      await second.run({ ...sketch.request, run }).ended('completed');
    },
  },
];
