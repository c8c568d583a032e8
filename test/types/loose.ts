/** The same without a declaration file: any name passes, and the common ones complete. */
import { LanguageModel, type Saved, type SavedValue, type Tensor } from '@tracewire/client';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is = <_T extends true>(): void => undefined;

const model = new LanguageModel('tiny-gpt2');
export const { logits, block, other } = await model.trace('a', (m) => ({
  logits: m.lm_head.output.save(),
  block: m.transformer.h[0].output.save(),
  other: m.gpt_neox?.layers[3].output.save<Tensor>(),
}));
is<Equal<typeof logits, Saved<Tensor>>>();
is<Equal<typeof block, Saved<SavedValue>>>();
is<Equal<typeof other, Saved<Tensor> | undefined>>();

// @ts-expect-error: what a model is called is text
new LanguageModel(7);
