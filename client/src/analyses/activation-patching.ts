/**
 * Activation patching (Meng et al., 2022; Wang et al., 2023): run the corrupted prompt with one activation of the clean one,
 * and see how much of the clean answer comes back. Many patches go through the model as prompts of one pass.
 */
import type { Batch } from '../batch.ts';
import { localError } from '../errors.ts';
import { type TraceInput, toInput } from '../input.ts';
import type { LanguageModel } from '../model.ts';
import type { OperandLike } from '../operands.ts';
import type { Saved } from '../saved.ts';
import { Tensor } from '../tensor.ts';
import { type Architecture, architectureOf, type Parts } from './architecture.ts';
import { logitOf, type Target, targetIds } from './targets.ts';

/** Options of `activationPatching`. */
export interface PatchingOptions extends Target {
  readonly clean: TraceInput;
  /** As many tokens as the clean prompt. */
  readonly corrupted: TraceInput;
  /** What is patched: a block's output (`residual`, if left out), its attention's or its MLP's. */
  readonly what?: 'residual' | 'attention' | 'mlp' | undefined;
  /** Which positions; all if left out. */
  readonly positions?: readonly number[] | undefined;
  /** Which blocks, by number; all if left out. */
  readonly blocks?: readonly number[] | undefined;
  readonly parts?: Parts | undefined;
}

/** What each patch brings back; axes are in the order of `blocks` and `positions`. */
export interface PatchingResult {
  /** The target's logit, or the difference, at the last position. */
  readonly clean: number;
  readonly corrupted: number;
  readonly positions: readonly number[];
  readonly blocks: readonly number[];
  /** `[blocks, positions]`: the same with that activation patched. */
  readonly patched: Tensor;
  /** `[blocks, positions]`: 0 is as corrupted, 1 as clean. */
  readonly effect: Tensor;
}

/**
 * Patches each of the blocks at each of the positions. Rejects as `trace` does, and with `bad_input` for prompts of different
 * lengths or where a part of the model isn't found.
 */
export async function activationPatching(
  model: LanguageModel,
  options: PatchingOptions,
): Promise<PatchingResult> {
  const { what = 'residual', parts } = options;
  const architecture = await architectureOf(model, parts);
  const ids = await targetIds(model, options);
  const [clean, corrupted] = await equalPrompts(model, options.clean, options.corrupted);
  const { positions = clean.map((_, position) => position) } = options;
  const { blocks = architecture.blocks.map((_, block) => block) } = options;
  const paths = blocks.map((block) => placeOf(architecture, what, block));
  const unembedding = architecture.part('unembedding');
  const jobs = paths.flatMap((path) => positions.map((position) => ({ path, position })));
  const size = await passSize(model, clean.length);
  const values: number[] = [];
  let plain: readonly number[] = [];
  // Two prompts of each pass are the plain ones: the clean one gives what is patched in.
  for (let start = 0; start < Math.max(1, jobs.length); start += size - 2) {
    const some = jobs.slice(start, start + size - 2);
    const saved = await model.trace((t: Batch) => {
      const donors = new Map<string, OperandLike>();
      const handles: Saved<Tensor>[] = [];
      t.invoke(clean, (m) => {
        for (const { path, position } of some)
          donors.set(`${path} ${position}`, m.get(path).output[0].slice(null, position));
        handles.push(logitOf(m, unembedding, ids, -1).save());
      });
      t.invoke(corrupted, (m) => handles.push(logitOf(m, unembedding, ids, -1).save()));
      for (const { path, position } of some) {
        t.invoke(corrupted, (m) => {
          m.get(path)
            .output[0].slice(null, position)
            .set(donors.get(`${path} ${position}`) as OperandLike);
          handles.push(logitOf(m, unembedding, ids, -1).save());
        });
      }
      return handles;
    });
    const numbers = saved.map(({ value }) => Number(value.item()));
    plain = numbers.slice(0, 2);
    values.push(...numbers.slice(2));
  }
  const [cleanLogit = Number.NaN, corruptedLogit = Number.NaN] = plain;
  const dims = [blocks.length, positions.length];
  const effect = values.map((value) => (value - corruptedLogit) / (cleanLogit - corruptedLogit));
  return {
    clean: cleanLogit,
    corrupted: corruptedLogit,
    positions,
    blocks,
    patched: new Tensor('float32', dims, Float32Array.from(values)),
    effect: new Tensor('float32', dims, Float32Array.from(effect)),
  };
}

function placeOf(architecture: Architecture, what: 'residual' | 'attention' | 'mlp', block: number): string {
  const path = architecture.blocks[block];
  if (path === undefined)
    throw localError('bad_input', `There are ${architecture.blocks.length} blocks, so no ${block}.`);
  return what === 'residual' ? path : architecture.inBlock(what, path);
}

/** Token ids of two prompts. Throws `bad_input` where they are not as many. */
export async function equalPrompts(
  model: LanguageModel,
  clean: TraceInput,
  corrupted: TraceInput,
): Promise<readonly [readonly number[], readonly number[]]> {
  const [first = [], second = []] = await Promise.all(
    [clean, corrupted].map((prompt) => idsOf(model, prompt)),
  );
  if (first.length === second.length) return [first, second];
  const message = `The clean prompt has ${first.length} tokens and the corrupted one ${second.length}; patching wants as many, token by token.`;
  throw localError('bad_input', message, {
    wanted: `${first.length} tokens`,
    got: `${second.length} tokens`,
  });
}

async function idsOf(model: LanguageModel, prompt: TraceInput): Promise<readonly number[]> {
  const input = toInput(prompt);
  if ('ids' in input) return input.ids;
  if ('text' in input) return (await model.tokenizer.encode(input.text)).ids;
  throw localError('bad_input', 'Patching wants prompts of text or token ids, not feeds.');
}

/** How many prompts of that length go through in one pass. Throws `not_offered` for a server of one. */
export async function passSize(model: LanguageModel, tokens: number): Promise<number> {
  const { capabilities, limits } = await model.server();
  if (!capabilities.includes('invokes'))
    throw localError(
      'not_offered',
      'Patching goes from one prompt to another in one pass, and the server takes one prompt a pass.',
    );
  const byTokens = Math.floor((limits.batchTokens ?? Number.POSITIVE_INFINITY) / Math.max(1, tokens));
  const size = Math.min(limits.invokes ?? 1, byTokens);
  if (size >= 3) return size;
  throw localError(
    'input_too_long',
    `Three prompts of ${tokens} tokens don’t fit into one pass of this server (${limits.batchTokens} tokens).`,
  );
}
