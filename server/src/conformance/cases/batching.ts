/** Section 6.6: runs that share a pass, each as if it ran alone. */
import type { Place, RunOptions, TensorLike } from '@tracewire/protocol';
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { brief, check, mustEqual, NotApplicable } from '../mismatch.ts';
import { outputOf } from '../model-facts.ts';
import { newRunId, type Peer } from '../peer.ts';
import type { RunView } from '../run-view.ts';
import { Sketch } from '../sketch.ts';
import { mustBeClose, numbersOf, oneTensor } from '../tensors.ts';
import { toil } from '../work.ts';

const BATCHING = ['batching', 'invokes'] as const;
const SHARED = { batching: 'shared' } as const;

const batchingCase = (
  id: string,
  requirements: readonly string[],
  shows: string,
  run: (context: CaseContext) => Promise<void>,
): ConformanceCase => ({ id, requirements, shows, profile: 'batching', run });

interface Wanted {
  readonly sketch: Sketch;
  readonly saves: readonly number[];
}

/** Reads an early and the last place for a prompt of so many tokens. */
function reading({ model }: CaseContext, tokens: number): Wanted {
  const ids = model.prompt(6);
  if (ids.length < 6) throw new NotApplicable('the model’s context has no room for six tokens');
  const sketch = new Sketch({ ids: ids.slice(6 - tokens) });
  return {
    sketch,
    saves: [outputOf(model.early), outputOf(model.last)].map((place) => sketch.saveRead(place)),
  };
}

const tensors = (view: RunView, { saves }: Wanted): TensorLike[] =>
  saves.map((save) => oneTensor(view.value(save)));

/** Its values with nothing else under way. */
async function alone(peer: Peer, wanted: Wanted): Promise<TensorLike[]> {
  const view = peer.run({ ...wanted.sketch.request, options: { batching: 'exact' } });
  await view.ended('completed');
  return tensors(view, wanted);
}

function mustBeAlike(what: string, got: readonly TensorLike[], wanted: readonly TensorLike[]): void {
  for (const [index, tensor] of wanted.entries()) {
    const other = got[index] as TensorLike;
    mustEqual(`the dims of ${what}`, other.dims, tensor.dims);
    mustBeClose(what, numbersOf(other), numbersOf(tensor), 1e-3);
  }
}

/** Starts runs while another one is in hand, so that they wait together. */
function atOnce(
  context: CaseContext,
  peer: Peer,
  sketches: readonly Sketch[],
  options?: RunOptions,
): RunView[] {
  const { runs } = peer.limits;
  if (runs < sketches.length + 1) throw new NotApplicable(`limits.runs is ${runs}`);
  const slow = new Sketch({ ids: context.model.ids });
  slow.save(toil(slow, 4));
  peer.run(slow.request);
  return sketches.map((sketch) => peer.run({ ...sketch.request, ...(options ? { options } : {}) }));
}

/** The first place behind which everything lies, and a value of its dims that is not a number. */
function spoil(sketch: Sketch, place: Place): number {
  const value = sketch.read(place);
  const zero = sketch.operator('Sub', [value, value]);
  return sketch.write(place, sketch.operator('Div', [zero, zero]));
}

export const NOT_SHARED: ConformanceCase = {
  id: 'batching-not-announced',
  requirements: ['R-187'],
  shows: 'options.batching from a client that didn’t announce the capability gets not_offered',
  run: async (context) => {
    const peer = await context.open();
    const { sketch } = reading(context, 2);
    const error = await peer.run({ ...sketch.request, options: SHARED }).refusedWith('not_offered');
    mustEqual('wanted', error.wanted, 'batching');
    await peer.mustGoOn();
  },
};

export const BATCHING_CASES: readonly ConformanceCase[] = [
  batchingCase(
    'batching-word',
    ['R-430'],
    'another word than exact or shared gets bad_message',
    async (context) => {
      const peer = await context.open(BATCHING);
      const { graph } = reading(context, 2).sketch;
      for (const batching of ['', 'Shared', true, 1]) {
        peer.send({ type: 'run', run: newRunId(), model: context.model.name, graph, options: { batching } });
        await peer.error('bad_message');
      }
      await peer.mustGoOn();
    },
  ),
  batchingCase(
    'batching-welcome',
    ['R-431'],
    'the welcome has the default for a client that announced the capability, and for no other',
    async ({ openSilent }) => {
      const { batching } = await (await openSilent()).hello(BATCHING);
      check(batching === 'exact' || batching === 'shared', 'exact or shared', () => brief(batching));
      mustEqual('batching for others', (await (await openSilent()).hello()).batching, undefined);
    },
  ),
  batchingCase(
    'batching-exact',
    ['R-432'],
    'exact runs that wait together each have the bytes that they have alone',
    async (context) => {
      const peer = await context.open(BATCHING);
      const wanted = [6, 3, 1].map((tokens) => reading(context, tokens));
      const values: TensorLike[][] = [];
      for (const one of wanted) values.push(await alone(peer, one));
      const sketches = wanted.map(({ sketch }) => sketch);
      for (const [index, view] of atOnce(context, peer, sketches, { batching: 'exact' }).entries()) {
        mustEqual('shared', (await view.ended('completed')).report?.shared, undefined);
        for (const [save, tensor] of tensors(view, wanted[index] as Wanted).entries())
          mustEqual('the bytes', String(tensor.data), String(values[index]?.[save]?.data));
      }
    },
  ),
  batchingCase(
    'batching-shared',
    ['R-433', 'R-434'],
    'shared runs that wait together each have the dims and numbers, tokens and end that they have alone',
    async (context) => {
      const peer = await context.open(BATCHING);
      const wanted = [6, 3, 1].map((tokens) => reading(context, tokens));
      const values: TensorLike[][] = [];
      for (const one of wanted) values.push(await alone(peer, one));
      const stopping = new Sketch({ ids: context.model.ids });
      const missed = stopping.saveRead(outputOf(context.model.last));
      stopping.stop(outputOf(context.model.early));
      const views = atOnce(context, peer, [...wanted.map(({ sketch }) => sketch), stopping], SHARED);
      for (const [index, one] of wanted.entries()) {
        const view = views[index] as RunView;
        const { report } = await view.ended('completed');
        mustBeAlike(`run ${index}`, tensors(view, one), values[index] ?? []);
        mustEqual('tokens', report?.tokens, [6, 3, 1][index]);
      }
      const last = views[3] as RunView;
      const { report } = await last.ended('completed');
      mustEqual('stoppedAfter', report?.stoppedAfter, context.model.early.path);
      const { message } = last.accessError(missed, 'not_reached');
      check(!/invoke/.test(message), 'a message that tells of no other prompt', () => message);
    },
  ),
  batchingCase(
    'batching-apart',
    ['R-433', 'R-435', 'R-436'],
    'a shared run is untouched by others that write what is not a number, fail, and are cancelled',
    async (context) => {
      const { early, last } = context.model;
      const peer = await context.open(BATCHING);
      const victims = [6, 1].map((tokens) => reading(context, tokens));
      const values: TensorLike[][] = [];
      for (const one of victims) values.push(await alone(peer, one));
      const spoiling = new Sketch({ ids: context.model.ids });
      spoil(spoiling, outputOf(early));
      const spoilt = spoiling.saveRead(outputOf(last));
      const failing = new Sketch({ ids: context.model.ids });
      const [one, none] = [1, 0].map((number) => failing.constant('int64', [1], [number])) as [
        number,
        number,
      ];
      failing.save(failing.operator('Div', [one, none]));
      const cancelled = reading(context, 3);
      const sketches = [spoiling, ...victims.map(({ sketch }) => sketch), failing, cancelled.sketch];
      const views = atOnce(context, peer, sketches, SHARED) as [RunView, RunView, RunView, RunView, RunView];
      peer.send({ type: 'cancel', run: views[4].id });
      for (const [index, one] of victims.entries()) {
        const view = views[index + 1] as RunView;
        await view.ended('completed');
        mustBeAlike(`run ${index}`, tensors(view, one), values[index] ?? []);
      }
      await views[0].ended('completed');
      const numbers = numbersOf(oneTensor(views[0].value(spoilt)));
      check(numbers.every(Number.isNaN), 'no number in the run that wrote none', () =>
        brief(numbers.slice(0, 9)),
      );
      await views[3].end();
      await views[4].end();
    },
  ),
  batchingCase(
    'batching-reference',
    ['R-435'],
    'a shared run names no node and no prompt but its own',
    async (context) => {
      const peer = await context.open(BATCHING);
      const neighbour = reading(context, 3);
      const beyond = new Sketch({ ids: context.model.ids });
      beyond.save(beyond.add({ kind: 'member', of: 2, index: 0 }));
      const other = new Sketch({ ids: context.model.ids });
      other.saveRead({ ...outputOf(context.model.early), invoke: 1 });
      const [view, first, second] = atOnce(context, peer, [neighbour.sketch, beyond, other], SHARED);
      await first?.refusedWith('bad_reference');
      await second?.refusedWith('bad_reference');
      await view?.ended('completed');
    },
  ),
];
