/** Section 2.4: what a server that announces `detach` does with runs that need no client. */
import type { ConformanceCase } from '../cases.ts';
import { mustEqual } from '../mismatch.ts';
import { outputOf } from '../model-facts.ts';
import { begun, caseOf, graphOf, outline } from '../resuming.ts';
import { Sketch } from '../sketch.ts';

const DETACH = ['resume', 'detach'] as const;
const detachCase = caseOf('detach');

export const DETACHED: readonly ConformanceCase[] = [
  detachCase(
    'detach-with-resume',
    ['R-195'],
    'a server that offers detach offers resume',
    async (context) => {
      const { capabilities } = await (await context.openSilent()).hello(DETACH);
      mustEqual('resume offered', capabilities.includes('resume'), true);
    },
  ),
  detachCase(
    'detach-id-in-use',
    ['R-197'],
    'the id of a detached run is in use though all of it was acked',
    async (context) => {
      const peer = await context.open(DETACH);
      const first = peer.run({ ...graphOf(context).request, options: { detach: true } });
      await first.ended('completed');
      const other = new Sketch({ ids: context.model.ids });
      other.saveRead(outputOf(context.model.early));
      await peer.mustGoOn();
      await peer.run({ ...other.request, run: first.id }).refusedWith('run_conflict');
    },
  ),
  detachCase(
    'detach',
    ['R-126', 'R-127', 'R-128'],
    'a detached run goes on without its connection, and all of it can be fetched, twice, though it was acked',
    async (context) => {
      const peer = await context.open(DETACH);
      const sketch = graphOf(context);
      const first = peer.run({ ...sketch.request, options: { detach: true } });
      await begun(first);
      peer.wire.destroy();
      await peer.wire.closed;
      for (let turn = 0; turn < 2; turn++) {
        const next = await context.open(DETACH);
        const view = next.follow(first.id, sketch.graph);
        next.send({ type: 'resume', run: first.id, after: 0 });
        await view.ended('completed');
        mustEqual('the values', view.values.size, 2);
        next.wire.destroy();
        await next.wire.closed;
      }
    },
  ),
  detachCase(
    'detach-any-after',
    ['R-127', 'R-128'],
    'a detached run is fetched from any number on',
    async (context) => {
      const peer = await context.open(DETACH);
      const sketch = graphOf(context);
      const first = peer.run({ ...sketch.request, options: { detach: true } });
      const { seq } = await first.ended('completed');
      peer.wire.destroy();
      await peer.wire.closed;
      const next = await context.open(DETACH);
      const view = next.follow(first.id, sketch.graph, { after: seq - 1 });
      next.send({ type: 'resume', run: first.id, after: seq - 1 });
      await view.ended('completed');
      mustEqual('the messages', outline(view), outline(first).slice(seq - 1));
    },
  ),
];

/** Without the capability, an option of it is refused. */
export const NOT_DETACHED: ConformanceCase = {
  id: 'detach-not-announced',
  requirements: ['R-071', 'R-117', 'R-187'],
  shows: 'options.detach without the capability gets not_offered',
  run: async (context) => {
    const peer = await context.open();
    const view = peer.run({ ...graphOf(context).request, options: { detach: true } });
    const error = await view.refusedWith('not_offered');
    mustEqual('wanted', error.wanted, 'detach');
  },
};
