/**
 * Where a model has what the workbench looks at: blocks, the norm and the head behind them, each block's attention and
 * MLP. Architectures name these differently, so they are told by what they take and give.
 */
import { attentionProbabilities, type ModelDescription, type ModuleDescription } from '@tracewire/protocol';

export interface Anatomy {
  /** The list of blocks, `transformer.h`. */
  readonly blocks: string;
  /** Each block's path, in order. */
  readonly blockPaths: readonly string[];
  /** The last norm before the head, and the head. */
  readonly norm: string;
  readonly head: string;
  /** Names inside a block, from where it stands; undefined where none was found. */
  readonly attention: string | undefined;
  readonly mlp: string | undefined;
  /** Why attention can't be seen; undefined where it can. */
  readonly noAttention: string | undefined;
  readonly heads: number;
}

/** The anatomy, or a sentence that says what the workbench misses. */
export function anatomyOf(model: ModelDescription): Anatomy | { readonly lacks: string } {
  const [block, ...more] = model.blocks;
  if (block === undefined)
    return { lacks: 'The model has no repeated blocks, so there are no depths to compare.' };
  const blocks = block.replace(/\.?[^.]+$/, '');
  if (!more.every((path) => path.startsWith(`${blocks}.`)))
    return { lacks: 'The model’s blocks don’t stand in one list.' };
  const head = findHead(model);
  if (!head)
    return { lacks: 'The model gives no scores over a vocabulary, so there is no next token to look at.' };
  const norm = findNorm(model, head);
  if (!norm) return { lacks: 'No norm was found between the last block and the head.' };
  const inside = model.modules.filter(({ path }) => path.startsWith(`${block}.`));
  const seen = inside.find((module) => 'source' in attentionProbabilities(module, model));
  const attention = seen ?? inside.find((module) => /(^|[._])attn|attention/i.test(lastOf(module.path)));
  const found = attention && attentionProbabilities(attention, model);
  return {
    blocks,
    blockPaths: model.blocks,
    norm: norm.path,
    head: head.path,
    attention: attention?.path.slice(block.length + 1),
    mlp: findMlp(inside, block, attention?.path)?.path.slice(block.length + 1),
    noAttention: found
      ? 'source' in found
        ? undefined
        : found.unavailable
      : 'no module of a block computes attention',
    heads: model.attention?.heads ?? 0,
  };
}

/** The last module, not the whole, that gives a score for each token of the vocabulary. */
function findHead({ modules, vocabularySize }: ModelDescription): ModuleDescription | undefined {
  return modules
    .filter(
      ({ path, outputs }) =>
        path !== '' && outputs.length === 1 && outputs[0]?.dims.at(-1) === vocabularySize,
    )
    .sort(byOutput)
    .at(-1);
}

/** What runs last before the head, behind all blocks, on values as wide as the head takes. */
function findNorm(
  { modules, blocks }: ModelDescription,
  head: ModuleDescription,
): ModuleDescription | undefined {
  const width = head.inputs[0]?.dims.at(-1);
  const begin = head.order.input ?? Number.POSITIVE_INFINITY;
  const behind = modules.find(({ path }) => path === blocks.at(-1))?.order.output ?? 0;
  return modules
    .filter(({ path, order, outputs }) => {
      if (path === '' || outputs.length !== 1 || outputs[0]?.dims.at(-1) !== width) return false;
      return (order.input ?? 0) >= behind && (order.output ?? Number.POSITIVE_INFINITY) <= begin;
    })
    .sort(byOutput)
    .at(-1);
}

/** The block's own child that runs last and is no norm. */
function findMlp(
  inside: readonly ModuleDescription[],
  block: string,
  attention: string | undefined,
): ModuleDescription | undefined {
  const children = inside.filter(({ path, outputs }) => {
    const isChild = !path.slice(block.length + 1).includes('.');
    return isChild && path !== attention && outputs.length === 1 && !/norm|ln|dropout/i.test(lastOf(path));
  });
  return [...children].sort(byOutput).at(-1);
}

const byOutput = (a: ModuleDescription, b: ModuleDescription): number =>
  (a.order.output ?? -1) - (b.order.output ?? -1);

const lastOf = (path: string): string => path.slice(path.lastIndexOf('.') + 1);
