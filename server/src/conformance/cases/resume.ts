/** Section 2.4: what a server that announces `resume` does when a connection is lost, and when a run is sent again. */
import type { ConformanceCase } from '../cases.ts';
import { check, mustEqual, NotApplicable, sleep } from '../mismatch.ts';
import { outputOf } from '../model-facts.ts';
import { newRunId } from '../peer.ts';
import { begun, caseOf, finished, graphOf, lose, outline, RESUME, resume, toiling } from '../resuming.ts';
import { Sketch } from '../sketch.ts';

const resumeCase = caseOf('resume');

export const RESUMING: readonly ConformanceCase[] = [
  resumeCase(
    'resume-all',
    ['R-118', 'R-119'],
    'resume after 0 on a new connection gives all messages again, in order',
    async (context) => {
      const lost = await lose(context);
      const view = resume(await context.open(RESUME), lost, 0);
      await view.ended('completed');
      mustEqual('the messages', outline(view), outline(lost.first));
      view.ack(view.seq);
    },
  ),
  resumeCase(
    'resume-after',
    ['R-118', 'R-119', 'R-120'],
    'resume after n gives what follows n',
    async (context) => {
      const lost = await lose(context, 1);
      const view = resume(await context.open(RESUME), lost, 2);
      await view.ended('completed');
      mustEqual('the messages', outline(view), outline(lost.first).slice(2));
      view.ack(view.seq);
    },
  ),
  resumeCase(
    'resume-in-the-middle',
    ['R-118', 'R-119'],
    'a run whose connection goes right behind its start still comes to its end',
    async (context) => {
      const peer = await context.open(RESUME);
      const sketch = graphOf(context);
      const first = peer.run({ ...sketch.request, withholdAcks: true });
      await begun(first);
      peer.wire.destroy();
      await peer.wire.closed;
      const view = resume(await context.open(RESUME), { run: first.id, sketch, first }, 0);
      await view.ended('completed');
      mustEqual('the values', view.values.size, 2);
      view.ack(view.seq);
    },
  ),
  resumeCase(
    'resume-frees-acked',
    ['R-120', 'R-121'],
    'a resume after less than was acked is run_lost',
    async (context) => {
      const lost = await lose(context, 3);
      await resume(await context.open(RESUME), lost, 1).refusedWith('run_lost');
    },
  ),
  resumeCase('resume-ahead', ['R-121'], 'a resume after more than was sent is run_lost', async (context) => {
    const lost = await lose(context);
    await resume(await context.open(RESUME), lost, lost.first.seq + 1).refusedWith('run_lost');
  }),
  resumeCase(
    'resume-unknown',
    ['R-121', 'R-051'],
    'a resume of no run is run_lost, and nothing runs',
    async (context) => {
      const peer = await context.open(RESUME);
      const sketch = graphOf(context);
      const run = newRunId();
      const view = peer.follow(run, sketch.graph);
      peer.send({ type: 'resume', run, after: 0 });
      await view.refusedWith('run_lost');
      await sleep(50);
      mustEqual('the messages', view.messages.length, 0);
      await peer.mustGoOn();
    },
  ),
  resumeCase(
    'resume-acked-to-the-end',
    ['R-111', 'R-121'],
    'a run that was acked to its end is gone',
    async (context) => {
      const lost = await lose(context);
      const peer = await context.open(RESUME);
      const view = resume(peer, lost, 0);
      await view.ended('completed');
      view.ack(view.seq);
      await peer.mustGoOn();
      await resume(await context.open(RESUME), lost, view.seq).refusedWith('run_lost');
    },
  ),
  resumeCase(
    'resume-moves',
    ['R-122'],
    'a run moves to the connection that resumes it; the old one gets no more of it',
    async (context) => {
      const old = await context.open(RESUME);
      const moving = await finished(context, old);
      const { first } = moving;
      const view = resume(await context.open(RESUME), moving, 0);
      await view.ended('completed');
      const before = first.messages.length;
      view.ack(view.seq);
      await old.mustGoOn();
      mustEqual('messages on the old connection', first.messages.length, before);
    },
  ),
  resumeCase(
    'retry',
    ['R-123', 'R-173'],
    'the same run message again is answered from the start',
    async (context) => {
      const lost = await lose(context);
      const peer = await context.open(RESUME);
      const view = peer.run({ ...lost.sketch.request, run: lost.run, withholdAcks: true });
      await view.ended('completed');
      mustEqual('the messages', outline(view), outline(lost.first));
      view.ack(view.seq);
    },
  ),
  resumeCase(
    'retry-here',
    ['R-297'],
    'the same run message again on the connection that has the run is answered from the start too',
    async (context) => {
      const peer = await context.open(RESUME);
      const sketch = new Sketch({ ids: context.model.ids });
      sketch.save(sketch.read(outputOf(context.model.early)));
      const first = peer.run({ ...sketch.request, withholdAcks: true });
      await first.ended('completed');
      const again = peer.run({ ...sketch.request, run: first.id, withholdAcks: true });
      await again.ended('completed');
      mustEqual('the messages', outline(again), outline(first));
      again.ack(again.seq);
    },
  ),
  resumeCase(
    'retry-reordered',
    ['R-123', 'R-173'],
    'a graph with unrelated statements in another order, its saves under the same ids, is a retry',
    async (context) => {
      const lost = await lose(context);
      const sketch = new Sketch({ ids: context.model.ids });
      const [last, early] = [
        sketch.read(outputOf(context.model.last)),
        sketch.read(outputOf(context.model.early)),
      ];
      sketch.save(early);
      sketch.save(last);
      const view = (await context.open(RESUME)).run({ ...sketch.request, run: lost.run, withholdAcks: true });
      const { status, refused } = await view.end();
      check(status?.state === 'completed', 'the run again', () => JSON.stringify(refused ?? status));
      view.ack(view.seq);
    },
  ),
  resumeCase(
    'retry-renumbered',
    ['R-124', 'R-198'],
    'the same graph with its saves under other ids is run_conflict, for values are named by these',
    async (context) => {
      const lost = await lose(context);
      const sketch = new Sketch({ ids: context.model.ids });
      const [early, last] = [
        sketch.read(outputOf(context.model.early)),
        sketch.read(outputOf(context.model.last)),
      ];
      sketch.save(last);
      sketch.save(early);
      await (await context.open(RESUME))
        .run({ ...sketch.request, run: lost.run })
        .refusedWith('run_conflict');
    },
  ),
  resumeCase(
    'retry-conflict',
    ['R-124', 'R-173'],
    'another graph under the same id is run_conflict',
    async (context) => {
      const lost = await lose(context);
      const other = new Sketch({ ids: context.model.ids });
      other.saveRead(outputOf(context.model.early));
      await (await context.open(RESUME)).run({ ...other.request, run: lost.run }).refusedWith('run_conflict');
    },
  ),
  resumeCase(
    'retry-other-options',
    ['R-124'],
    'the same graph with other options is run_conflict',
    async (context) => {
      const lost = await lose(context);
      const options = { deadlineMs: 54_321 };
      const peer = await context.open(RESUME);
      await peer.run({ ...lost.sketch.request, run: lost.run, options }).refusedWith('run_conflict');
    },
  ),
  resumeCase(
    'resume-forgotten',
    ['R-118', 'R-121'],
    'a run that nobody resumes within limits.resumeMs is forgotten',
    async (context) => {
      const { resumeMs = Number.POSITIVE_INFINITY } = (await context.open(RESUME)).limits;
      if (resumeMs > 5000) throw new NotApplicable(`limits.resumeMs is ${resumeMs}`);
      const lost = await lose(context);
      await sleep(resumeMs + 500);
      await resume(await context.open(RESUME), lost, 0).refusedWith('run_lost');
    },
  ),
  resumeCase(
    'resume-not-announced',
    ['R-116', 'R-117', 'R-125'],
    'a client that didn’t announce resume loses its runs with its connection',
    async (context) => {
      const peer = await context.open();
      const sketch = graphOf(context);
      const run = newRunId();
      const first = peer.run({ ...sketch.request, run, withholdAcks: true });
      await first.ended('completed');
      peer.wire.destroy();
      await peer.wire.closed;
      await sleep(50);
      await resume(await context.open(RESUME), { run, sketch, first }, 0).refusedWith('run_lost');
    },
  ),
  resumeCase(
    'resume-closed',
    ['R-194'],
    'a connection that was closed with 1000 is not lost: its runs are gone',
    async (context) => {
      const peer = await context.open(RESUME);
      const lost = await finished(context, peer);
      peer.wire.close();
      await peer.wire.closed;
      await sleep(50);
      await resume(await context.open(RESUME), lost, 0).refusedWith('run_lost');
    },
  ),
  resumeCase(
    'resume-cancel-elsewhere',
    ['R-196'],
    'a cancel counts on any connection of the key; an ack only where the run is',
    async (context) => {
      const peer = await context.open(RESUME);
      const { first: view } = await toiling(context, peer);
      const other = await context.open(RESUME);
      other.send({ type: 'ack', run: view.id, seq: 999 });
      await other.mustGoOn();
      other.send({ type: 'cancel', run: view.id });
      const { status } = await view.end();
      if (status?.state === 'completed') throw new NotApplicable('the run ended before the cancel came');
      mustEqual('the state', status?.state, 'cancelled');
    },
  ),
];
