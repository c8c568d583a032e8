/** Section 1.6: which runs of a key go on, told and cancelled over HTTP. */
import { createHash } from 'node:crypto';
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { check, mustEqual, NotApplicable } from '../mismatch.ts';
import type { Peer } from '../peer.ts';
import type { RunView } from '../run-view.ts';
import { Sketch } from '../sketch.ts';
import { mustNotWait } from '../upgrade.ts';
import { toil } from '../work.ts';
import { simple } from './runs.ts';

interface Listed {
  readonly handle: string;
  readonly model: string;
  readonly state: string;
  readonly position?: number;
  readonly ageMs: number;
  readonly runningMs?: number;
}

const handleOf = (id: string): string => createHash('sha256').update(id).digest('hex').slice(0, 32);

async function ask({ target }: CaseContext, handle = '', key = target.key ?? ''): Promise<Response> {
  const url = new URL(`/v2/runs${handle && `/${handle}`}`, target.name.replace(/^ws/, 'http'));
  const headers = key === '' ? undefined : { authorization: `Bearer ${key}` };
  const answer = await fetch(url, { method: handle === '' ? 'GET' : 'DELETE', ...(headers && { headers }) });
  mustNotWait(answer.status);
  return answer;
}

/** Skips the case where the server tells none. */
async function listOf(context: CaseContext, key?: string): Promise<readonly Listed[]> {
  const answer = await ask(context, '', key);
  // 426: it speaks WebSocket alone.
  if (answer.status === 404 || answer.status === 426)
    throw new NotApplicable('the server doesn’t tell which runs go on');
  mustEqual('the status', answer.status, 200);
  const { runs } = (await answer.json()) as { readonly runs?: unknown };
  check(Array.isArray(runs), 'a list of runs', () => JSON.stringify(runs));
  return runs as Listed[];
}

/** One that takes its time, and one that waits behind it. */
function busy(context: CaseContext, peer: Peer): readonly [slow: RunView, waiting: RunView] {
  if (peer.limits.runs < 2) throw new NotApplicable(`limits.runs is ${peer.limits.runs}`);
  const slow = new Sketch({ ids: context.model.ids });
  slow.save(toil(slow, 40));
  return [peer.run(slow.request), peer.run(simple(context).sketch.request)];
}

async function begun(view: RunView): Promise<void> {
  await view.until(
    () => view.statuses.find(({ state }) => state !== 'received' && state !== 'queued'),
    'a run that begins',
  );
}

function mustBeThere(listed: readonly Listed[], { id }: RunView): Listed {
  const found = listed.find(({ handle }) => handle === handleOf(id));
  if (!found) throw new NotApplicable('the runs had ended before they could be asked for');
  return found;
}

const whole = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;

export const QUEUE: readonly ConformanceCase[] = [
  {
    id: 'runs-listed',
    requirements: ['R-490', 'R-491'],
    shows:
      'runs that have not ended are told by handles that their ids make, those that run first; ended ones are not',
    socket: true,
    run: async (context) => {
      await listOf(context);
      const peer = await context.open();
      const [slow, waiting] = busy(context, peer);
      await begun(slow);
      const listed = await listOf(context);
      const [first, second] = [mustBeThere(listed, slow), mustBeThere(listed, waiting)];
      check(!JSON.stringify(listed).includes(slow.id), 'no id in the list', () => JSON.stringify(listed));
      for (const { model, ageMs } of [first, second]) {
        mustEqual('the model', model, context.model.name);
        check(whole(ageMs), 'ageMs, a uint', () => String(ageMs));
      }
      mustEqual('the state of the first', first.state, 'running');
      check(whole(first.runningMs), 'runningMs, a uint', () => String(first.runningMs));
      check(listed.indexOf(first) < listed.indexOf(second), 'what runs before what waits', () =>
        JSON.stringify(listed),
      );
      await Promise.all([slow.ended('completed'), waiting.ended('completed')]);
      const after = await listOf(context);
      const left = after.some(({ handle }) => [slow, waiting].some(({ id }) => handleOf(id) === handle));
      check(!left, 'no run that has ended', () => JSON.stringify(after));
    },
  },
  {
    id: 'runs-cancelled',
    requirements: ['R-492'],
    shows: 'a run is cancelled by its handle; a handle of none gets 404',
    socket: true,
    run: async (context) => {
      await listOf(context);
      const peer = await context.open();
      const [slow, waiting] = busy(context, peer);
      await begun(slow);
      mustBeThere(await listOf(context), waiting);
      mustEqual('the status for no handle', (await ask(context, '0'.repeat(32))).status, 404);
      const { status } = await ask(context, handleOf(waiting.id));
      if (status === 404) throw new NotApplicable('the run had ended before it could be cancelled');
      mustEqual('the status', status, 204);
      await waiting.ended('cancelled');
      await slow.ended('completed');
      mustEqual('the status for an ended run', (await ask(context, handleOf(waiting.id))).status, 404);
    },
  },
  {
    id: 'runs-of-another-key',
    requirements: ['R-193'],
    shows: 'a key is told of no other key’s runs, and can’t cancel them by their handles',
    profile: 'keys',
    socket: true,
    run: async (context) => {
      const other = String(context.target.otherKey ?? '');
      if (other === '') throw new NotApplicable('there is no second key');
      await listOf(context);
      mustEqual('the status without a key', (await ask(context, '', '')).status, 401);
      const peer = await context.open();
      const [slow, waiting] = busy(context, peer);
      await begun(slow);
      mustBeThere(await listOf(context), waiting);
      const seen = await listOf(context, other);
      check(!seen.some(({ handle }) => handle === handleOf(slow.id)), 'nothing of the other key', () =>
        JSON.stringify(seen),
      );
      mustEqual('the status', (await ask(context, handleOf(slow.id), other)).status, 404);
      await Promise.all([slow.ended('completed'), waiting.ended('completed')]);
    },
  },
];
