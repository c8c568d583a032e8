/**
 * Whether a model generates for several prompts in one batch, and on which side of a shorter one's keys and values it takes
 * padding. Measured, as what a batch mixes is (intake/probe-batch.ts): a model may number positions by the cache's length, or
 * hold its operators to a cache without gaps.
 */
import { float16FromBits, type TensorLike } from '@tracewire/protocol';
import { type FeedSizes, type Padded, presentOf } from './feeds.ts';
import type { Model } from './model.ts';
import { positionsFeed } from './positions.ts';
import { moveToEnd, padRows, sizesAlone, sizesOfStep, sizesTogether } from './rows.ts';
import { lastLogits } from './sampler.ts';
import type { SegmentCache } from './segment-cache.ts';
import { POSITIONS } from './tail.ts';

/** Prompts of different lengths, and what comes behind each, of tokens that every vocabulary has. */
const PROMPTS = [
  [1, 2],
  [2, 3, 1, 1, 0],
  [3, 1, 0],
];
const NEXT = [
  [3, 0, 2],
  [2, 1, 3],
];

/** Largest error that the order of sums may make, against the largest logit. */
const FLOAT_ERROR = 1e-3;

type Give = (
  feeds: ReadonlyMap<string, TensorLike>,
  sizes: FeedSizes,
) => Promise<ReadonlyMap<string, TensorLike>>;

/** Why a model's rows can't be told apart where a generation needs that; undefined if they can. */
export function rowsFault({ tree, feeds, description }: Model): string | undefined {
  const names = tree.modules.get('')?.outputs ?? [];
  const ports = description.modules.find(({ path }) => path === '')?.outputs ?? [];
  for (const name of ['logits', ...feeds.cacheNames.map(presentOf)]) {
    const port = ports[names.indexOf(name)];
    const axis = name === 'logits' ? 'sequence' : 'past + sequence';
    if (port && !port.mixed && port.dims.includes('batch') && port.dims.includes(axis)) continue;
    return `which part of ${name} belongs to which prompt can’t be told`;
  }
  return undefined;
}

/** Undefined where the model gives neither way what it gives each prompt alone. */
export async function findPadding(model: Model, segments: SegmentCache): Promise<Padded | undefined> {
  const names = ['logits', ...model.feeds.cacheNames.map(presentOf)];
  const segment = await segments.get(model.whole);
  const give: Give = (feeds, sizes) => {
    const positions = positionsFeed(undefined, [], sizes);
    return segment.run(model.whole.tail ? new Map([...feeds, [POSITIONS, positions]]) : feeds, names);
  };
  const alone: number[][] = [];
  for (const [row, prompt] of PROMPTS.entries()) alone.push(...(await inSteps(model, give, [prompt], row)));
  for (const padded of ['left', 'right'] as const) {
    const together = await inSteps(model, give, PROMPTS, 0, padded).catch(() => []);
    const wanted = PROMPTS.flatMap((_, row) => NEXT.map((_, step) => alone[row * NEXT.length + step] ?? []));
    if (wanted.every((numbers, index) => alike(numbers, together[index] ?? []))) return padded;
  }
  return undefined;
}

/** Logits of the steps behind the prompts', prompt by prompt. */
async function inSteps(
  model: Model,
  give: Give,
  prompts: readonly (readonly number[])[],
  first: number,
  padded: Padded = 'left',
): Promise<number[][]> {
  const { feeds, types } = model;
  const lengths = prompts.map((prompt) => prompt.length);
  const [length = 0] = lengths;
  const sizes = prompts.length > 1 ? sizesTogether(lengths) : sizesAlone(length);
  let gave = await give(feeds.make(padRows(prompts), sizes), sizes);
  const logits: number[][][] = prompts.map(() => []);
  for (const [step, tokens] of NEXT.entries()) {
    const cache = new Map<string, TensorLike>();
    for (const name of feeds.cacheNames) {
      const present = gave.get(presentOf(name));
      if (!present) throw new Error(`The model gave no ${presentOf(name)}.`);
      const moves = step === 0 && prompts.length > 1 && padded === 'left';
      cache.set(name, moves ? moveToEnd(present, types.get(presentOf(name))?.dims ?? [], lengths) : present);
    }
    const ids = prompts.map((_, row) => tokens[first + row] ?? 0);
    const next = sizesOfStep({ own: lengths.map((length) => length + step), padded });
    gave = await give(feeds.make(ids, next, cache), next);
    for (const row of prompts.keys()) {
      const given = gave.get('logits');
      if (given) logits[row]?.push([...lastLogits(given, float16FromBits, { row, position: 0 })]);
    }
  }
  return logits.flat();
}

function alike(wanted: readonly number[], got: readonly number[]): boolean {
  const most = wanted.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) * FLOAT_ERROR;
  return (
    wanted.length > 0 &&
    wanted.length === got.length &&
    wanted.every((value, index) => Math.abs(value - (got[index] ?? Number.NaN)) <= most)
  );
}
