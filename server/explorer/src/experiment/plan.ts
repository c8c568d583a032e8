/** From a target and a wish to the recipe that does it, with its arguments. */
import type { Context } from '../context.ts';
import type { Model } from '../recipe.ts';
import { ablateBlock } from '../recipes/ablate-block.js';
import ablateBlockSource from '../recipes/ablate-block.js?raw';
import { ablatePart } from '../recipes/ablate-part.js';
import ablatePartSource from '../recipes/ablate-part.js?raw';
import { cutAttention } from '../recipes/cut-attention.js';
import cutAttentionSource from '../recipes/cut-attention.js?raw';
import { patch } from '../recipes/patch.js';
import patchSource from '../recipes/patch.js?raw';
import { silenceHead } from '../recipes/silence-head.js';
import silenceHeadSource from '../recipes/silence-head.js?raw';
import { steer } from '../recipes/steer.js';
import steerSource from '../recipes/steer.js?raw';
import { visible } from '../token-texts.ts';
import type { Part, Target, Wish } from './target.ts';

export type NextTokens = Awaited<ReturnType<typeof patch>>;

export interface Plan {
  /** In a few words, for the list of runs. */
  readonly what: string;
  readonly source: string;
  readonly at: Readonly<Record<string, string | number>>;
  readonly paths: readonly string[];
  run(model: Model): Promise<NextTokens>;
}

/** How many tokens of each distribution are asked for. */
const TOP = 8;

/** `donorLength`: the tokens of the other prompt, which a patch waits for; without them there is no plan yet. */
export function planOf(
  context: Context,
  target: Target,
  wish: Wish,
  donorLength: number | undefined,
): Plan | undefined {
  if (target.kind === 'connection') return connectionPlan(context, target);
  const { prompt, anatomy } = context;
  const { block, position } = target;
  const base = { prompt: prompt.text, position, top: TOP };
  const { head } = anatomy;
  const place = placeOf(context, block, wish.part);
  const where = `block ${block}${wish.part === 'block' ? '' : `’s ${wish.part}`} at ${visible(prompt.tokens[position] ?? '')}`;
  if (wish.action === 'steer') {
    const { toward, away, strength } = wish;
    const at = { ...base, toward, away, strength, place, head };
    return {
      what: `Steer ${where}`,
      source: steerSource,
      at,
      paths: ['place', 'head'],
      run: (m) => steer(m, at),
    };
  }
  if (wish.action === 'patch') {
    if (donorLength === undefined) return undefined;
    const donorPosition = donorPositionOf(wish, position, prompt.ids.length, donorLength);
    const at = { ...base, donor: wish.donor, donorPosition, place, head };
    return {
      what: `Patch ${where}`,
      source: patchSource,
      at,
      paths: ['place', 'head'],
      run: (m) => patch(m, at),
    };
  }
  const what = `Ablate ${where}`;
  if (wish.part === 'block') {
    const at = { ...base, block: place, head };
    return { what, source: ablateBlockSource, at, paths: ['block', 'head'], run: (m) => ablateBlock(m, at) };
  }
  const at = { ...base, place, head };
  return { what, source: ablatePartSource, at, paths: ['place', 'head'], run: (m) => ablatePart(m, at) };
}

function connectionPlan(context: Context, target: Extract<Target, { kind: 'connection' }>): Plan {
  const { prompt, anatomy } = context;
  const { block, head: attentionHead, from, to } = target;
  const attention = placeOf(context, block, 'attention');
  const base = { prompt: prompt.text, attention, attentionHead, top: TOP, head: anatomy.head };
  const paths = ['attention', 'head'];
  const name = `head ${attentionHead} of block ${block}`;
  if (from === undefined || to === undefined) {
    return {
      what: `Silence ${name}`,
      source: silenceHeadSource,
      at: base,
      paths,
      run: (m) => silenceHead(m, base),
    };
  }
  const at = { ...base, from, to };
  return { what: `Cut ${name}`, source: cutAttentionSource, at, paths, run: (m) => cutAttention(m, at) };
}

function placeOf({ anatomy }: Context, block: number, part: Part): string {
  const path = anatomy.blockPaths[block] ?? '';
  const inside = part === 'block' ? undefined : anatomy[part];
  return inside === undefined ? path : `${path}.${inside}`;
}

/** As far from the other prompt's end as the position is from this one's. */
export function donorPositionOf(
  { donorPosition }: Wish,
  position: number,
  length: number,
  donorLength: number,
): number {
  const matching = donorLength - (length - position);
  return Math.max(0, Math.min(donorPosition ?? matching, donorLength - 1));
}
