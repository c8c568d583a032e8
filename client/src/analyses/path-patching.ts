/**
 * Path patching (Goldowsky-Dill et al., 2023; Wang et al., 2023): one sender's output is taken from the corrupted prompt, but only
 * one receiver sees it, straight through the residual stream; all in between stays as in the clean run. What the receiver
 * then does goes on as ever. A write to a module's input acts on that module alone, so each path is one write.
 */

import { localError } from '../errors.ts';
import type { TraceInput } from '../input.ts';
import type { LanguageModel } from '../model.ts';
import type { PlaceSlice } from '../place-slice.ts';
import type { Saved } from '../saved.ts';
import { Tensor } from '../tensor.ts';
import type { Trace } from '../trace-context.ts';
import type { TracedValue } from '../traced.ts';
import { equalPrompts, passSize } from './activation-patching.ts';
import { type Architecture, architectureOf, type Parts } from './architecture.ts';
import { headOutputs } from './direct-logit-attribution.ts';
import { logitOf, type Target, targetIds } from './targets.ts';

/** Options of `pathPatching`. */
export interface PathPatchingOptions extends Target {
  readonly clean: TraceInput;
  /** As many tokens as the clean prompt. */
  readonly corrupted: TraceInput;
  /** A head, or a block's attention or MLP. */
  readonly sender:
    | { readonly block: number; readonly head: number }
    | { readonly block: number; readonly what: 'attention' | 'mlp' };
  /**
   * Modules that take the residual stream: norms before attention and MLPs, the final norm. Left out, all of them behind the
   * sender.
   */
  readonly receivers?: readonly string[] | undefined;
  /** At which position the sender's output is taken and given; the last if left out. */
  readonly position?: number | undefined;
  readonly parts?: Parts | undefined;
}

/** What each path brings; axes are in the order of `receivers`. */
export interface PathPatchingResult {
  /** The target's logit, or the difference, at the last position, with nothing patched. */
  readonly clean: number;
  readonly receivers: readonly string[];
  /** `[receivers]`: the same with that path patched. */
  readonly patched: Tensor;
  /** `[receivers]`: how much it changed. */
  readonly effect: Tensor;
}

/** Patches the path from the sender to each of the receivers. Rejects as `activationPatching` does. */
export async function pathPatching(
  model: LanguageModel,
  options: PathPatchingOptions,
): Promise<PathPatchingResult> {
  const { sender, position = -1, parts } = options;
  const architecture = await architectureOf(model, parts);
  const receivers = options.receivers ?? receiversBehind(architecture, sender);
  const ids = await targetIds(model, options);
  const [clean, corrupted] = await equalPrompts(model, options.clean, options.corrupted);
  const unembedding = architecture.part('unembedding');
  const size = await passSize(model, clean.length);
  const send = (m: Trace): TracedValue | PlaceSlice => sent(m, architecture, sender, position);
  const values: number[] = [];
  let plain = Number.NaN;
  for (let start = 0; start < Math.max(1, receivers.length); start += size - 2) {
    const some = receivers.slice(start, start + size - 2);
    const saved = await model.trace((t) => {
      const donor = t.invoke(corrupted, send);
      const difference: Saved<Tensor>[] = [];
      difference.push(t.invoke(clean, (m) => logitOf(m, unembedding, ids, -1).save()));
      for (const receiver of some) {
        t.invoke(clean, (m) => {
          m.get(receiver)
            .input.slice(0, position)
            .add_(donor.sub(send(m)));
          difference.push(logitOf(m, unembedding, ids, -1).save());
        });
      }
      return difference;
    });
    const numbers = saved.map(({ value }) => Number(value.item()));
    plain = numbers[0] ?? plain;
    values.push(...numbers.slice(1));
  }
  return {
    clean: plain,
    receivers,
    patched: Tensor.from(values),
    effect: Tensor.from(values.map((value) => value - plain)),
  };
}

/** `[width]`: what the sender adds to the residual stream at a position. */
function sent(
  m: Trace,
  architecture: Architecture,
  sender: PathPatchingOptions['sender'],
  position: number,
): TracedValue | PlaceSlice {
  const block = architecture.blocks[sender.block];
  if (block === undefined)
    throw localError('bad_input', `There are ${architecture.blocks.length} blocks, so no ${sender.block}.`);
  if ('what' in sender) return m.get(architecture.inBlock(sender.what, block)).output[0].slice(0, position);
  return headOutputs(m, architecture.inBlock('projection', block), position).slice(sender.head);
}

function receiversBehind(architecture: Architecture, sender: PathPatchingOptions['sender']): string[] {
  const behind = architecture.blocks.slice(sender.block + 1);
  const own = architecture.blocks[sender.block];
  const isMlp = 'what' in sender && sender.what === 'mlp';
  return [
    ...(own === undefined || isMlp ? [] : [architecture.inBlock('mlpNorm', own)]),
    ...behind.flatMap((block) => [
      architecture.inBlock('attentionNorm', block),
      architecture.inBlock('mlpNorm', block),
    ]),
    architecture.part('finalNorm'),
  ];
}
