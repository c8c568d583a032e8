/** What the cases about lost connections share: a run whose messages another connection may ask for. */
import type { CaseContext, ConformanceCase } from './cases.ts';
import { outputOf } from './model-facts.ts';
import type { Peer } from './peer.ts';
import type { RunView } from './run-view.ts';
import { Sketch } from './sketch.ts';
import { toil } from './work.ts';

export const RESUME = ['resume'] as const;

/** Two saves. */
export function graphOf({ model }: CaseContext): Sketch {
  const sketch = new Sketch({ ids: model.ids });
  const [early, last] = [sketch.read(outputOf(model.early)), sketch.read(outputOf(model.last))];
  sketch.save(early);
  sketch.save(last);
  return sketch;
}

/** A run, and what the connection that began it has seen. */
export interface Begun {
  readonly run: string;
  readonly sketch: Sketch;
  readonly first: RunView;
}

/** A run whose messages have all come; none is acknowledged. */
export async function finished(context: CaseContext, peer: Peer): Promise<Begun> {
  const sketch = graphOf(context);
  const first = peer.run({ ...sketch.request, withholdAcks: true });
  await first.ended('completed');
  return { run: first.id, sketch, first };
}

/** A run that has begun and takes a while. */
export async function toiling({ model }: CaseContext, peer: Peer): Promise<Begun> {
  const sketch = new Sketch({ ids: model.ids });
  sketch.save(toil(sketch, 16));
  const first = peer.run({ ...sketch.request, withholdAcks: true });
  await begun(first);
  return { run: first.id, sketch, first };
}

/** Resolves when something of the run has come. */
export async function begun(view: RunView): Promise<void> {
  await view.until(() => (view.messages.length > 0 ? true : undefined), 'the first message');
}

/** A run whose messages have all come and of which the first `acked` are acknowledged; then the connection goes. */
export async function lose(context: CaseContext, acked = 0): Promise<Begun> {
  const peer = await context.open(RESUME);
  const lost = await finished(context, peer);
  if (acked > 0) {
    lost.first.ack(acked);
    await peer.mustGoOn();
  }
  peer.wire.destroy();
  await peer.wire.closed;
  return lost;
}

export function resume(peer: Peer, { run, sketch }: Begun, after: number): RunView {
  const view = peer.follow(run, sketch.graph, { after, withholdAcks: true });
  peer.send({ type: 'resume', run, after });
  return view;
}

/** The numbered messages, without what may differ. */
export const outline = (view: RunView): readonly string[] =>
  view.messages.map((message) => `${'seq' in message ? message.seq : ''} ${message.type}`);

export const caseOf =
  (profile: 'resume' | 'moves' | 'detach') =>
  (
    id: string,
    requirements: readonly string[],
    shows: string,
    run: (context: CaseContext) => Promise<void>,
  ): ConformanceCase => ({ id, requirements, shows, profile, run });
