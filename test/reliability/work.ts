/** Mixed traces on any causal language model, chosen by a seed: what clients of many kinds ask for at once. */
import type { LanguageModel, SavedValue, Trace, TraceOptions } from '@tracewire/client';
import { fingerprint } from '../support/fingerprint.ts';
import type { Random } from '../support/random.ts';

export interface Work {
  readonly kind: string;
  readonly ids: readonly number[];
  /** Every value that it saves. */
  values(model: LanguageModel, options?: TraceOptions): Promise<readonly SavedValue[]>;
  /** Likewise, as text. */
  run(model: LanguageModel, options?: TraceOptions): Promise<string>;
}

export interface ModelShape {
  readonly blocks: readonly string[];
  /** Whose output the logits are. */
  readonly head: string;
  readonly vocabulary: number;
}

export async function shapeOf(model: LanguageModel): Promise<ModelShape> {
  const { blocks, modules } = await model.describe();
  const head = 'lm_head';
  if (blocks.length === 0 || !modules.some(({ path }) => path === head)) {
    throw new Error('This work wants a model with blocks and an lm_head.');
  }
  const logits = await model.trace([1], (m) => m.get(head).output.save());
  return { blocks, head, vocabulary: (logits.value as { dims: readonly number[] }).dims.at(-1) ?? 0 };
}

type Saves = readonly { readonly value: SavedValue }[];
type Kind = (m: Trace, shape: ModelShape, block: string) => Saves;

/** All of these run the whole model, so that a bare pass over the same ids is the same work. */
const KINDS: Readonly<Record<string, Kind>> = {
  'the last logits': (m, { head }) => [m.get(head).output.slice(0, -1).save()],
  'all logits': (m, { head }) => [m.get(head).output.save()],
  'every block': (m, { blocks, head }) => [
    ...blocks.map((block) => m.get(block).output[0].save()),
    m.get(head).output.slice(0, -1).save(),
  ],
  'a steered block': (m, { head }, block) => {
    m.get(block).output[0].set(m.get(block).output[0].mul(1.5));
    return [m.get(head).output.slice(0, -1).save()];
  },
  'an ablated position': (m, { head }, block) => {
    m.get(block).output[0].slice(0, 0).set(0);
    return [m.get(head).output.slice(0, -1).softmax(-1).save()];
  },
};

export function mixedWork(random: Random, shape: ModelShape, count: number, mostTokens: number): Work[] {
  const names = Object.keys(KINDS);
  return Array.from({ length: count }, (_, index) => {
    const kind = names[index % names.length] ?? '';
    const block = random.pick(shape.blocks);
    const ids = Array.from({ length: 1 + random.below(mostTokens) }, () => random.below(shape.vocabulary));
    const record = KINDS[kind];
    if (!record) throw new Error(`There is no work of the kind ${kind}.`);
    const values: Work['values'] = async (model, options = {}) => {
      const saves = await model.trace(ids, options, (m) => record(m, shape, block));
      return saves.map(({ value }) => value);
    };
    const run: Work['run'] = async (model, options) =>
      (await values(model, options)).map(fingerprint).join('\n');
    return { kind, ids, values, run };
  });
}
