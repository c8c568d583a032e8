/** Section 2.4: what a server that announces `moves` tells the connection that a run moves away from. */
import type { ConformanceCase } from '../cases.ts';
import { mustEqual, NotApplicable } from '../mismatch.ts';
import { begun, caseOf, finished, RESUME, resume, toiling } from '../resuming.ts';

const MOVES = ['resume', 'moves'] as const;
const movesCase = caseOf('moves');

export const MOVING: readonly ConformanceCase[] = [
  movesCase(
    'moves-told',
    ['R-451', 'R-122'],
    'the connection that a run moves away from is told run_moved, unless it has seen the end',
    async (context) => {
      const old = await context.open(MOVES);
      const moving = await toiling(context, old);
      const { first } = moving;
      const other = await context.open(MOVES);
      const view = resume(other, moving, 0);
      if (await first.endHere()) throw new NotApplicable('the run ended before it moved');
      const before = first.messages.length;
      other.send({ type: 'cancel', run: first.id });
      const { refused } = await view.end();
      mustEqual('a refusal on the new connection', refused ?? null, null);
      view.ack(view.seq);
      await old.mustGoOn();
      mustEqual('messages on the old connection', first.messages.length, before);
    },
  ),
  movesCase(
    'moves-behind-the-end',
    ['R-452'],
    'a connection that was sent the end of a run is not told that it moves',
    async (context) => {
      const old = await context.open(MOVES);
      const moving = await finished(context, old);
      const { first } = moving;
      const view = resume(await context.open(MOVES), moving, 0);
      await view.ended('completed');
      view.ack(view.seq);
      await old.mustGoOn();
      mustEqual('told that it moved', first.moved, false);
    },
  ),
  movesCase(
    'moves-back',
    ['R-451'],
    'a run that is taken back moves again, and the other connection is told',
    async (context) => {
      const peers = [await context.open(MOVES), await context.open(MOVES)] as const;
      const moving = await toiling(context, peers[0]);
      const { first } = moving;
      const second = resume(peers[1], moving, 0);
      if (await first.endHere()) throw new NotApplicable('the run ended before it moved');
      const third = resume(peers[0], moving, 0);
      if (await second.endHere()) throw new NotApplicable('the run ended before it moved back');
      peers[0].send({ type: 'cancel', run: first.id });
      await third.end();
      third.ack(third.seq);
      await peers[0].mustGoOn();
    },
  ),
  movesCase(
    'moves-not-announced',
    ['R-117', 'R-186'],
    'a client that doesn’t know of it hears nothing of a run that has moved',
    async (context) => {
      const old = await context.open(RESUME);
      const moving = await toiling(context, old);
      const { first } = moving;
      const other = await context.open(RESUME);
      const view = resume(other, moving, 0);
      await begun(view);
      await old.mustGoOn();
      other.send({ type: 'cancel', run: first.id });
      await view.end();
      view.ack(view.seq);
      await old.mustGoOn();
      mustEqual('told that it moved', first.moved, false);
    },
  ),
  movesCase('moves-with-resume', ['R-450'], 'a server that offers moves offers resume', async (context) => {
    const { capabilities } = await (await context.openSilent()).hello(MOVES);
    mustEqual('resume offered', capabilities.includes('resume'), true);
  }),
];
