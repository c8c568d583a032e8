/** A user's program beside the declaration file of its models. Each error that is expected is one that an editor marks. */
import { LanguageModel, type Saved, type Tensor, type Trace } from '@tracewire/client';
import type { TinyGpt2 } from './tiny-gpt2.js';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is = <_T extends true>(): void => undefined;

const model = new LanguageModel('tiny-gpt2', { url: 'ws://127.0.0.1:7331' });

export const { hidden, tuple, logits } = await model.trace('a', (m) => {
  const hidden = m.transformer.h[0].attn.c_proj.output.save();
  const tuple = m.transformer.h[5].output.save();
  const { weight, bias } = m.transformer.h[0].attn.c_proj;
  m.transformer.h
    .at(-1)
    .mlp.act.output.slice(0, -1)
    .set(bias.add(weight.sum(0)));
  for (const block of m.transformer.h) block.skip(block.input);
  for (let index = 0; index < m.transformer.h.length; index++) m.transformer.h[index]?.ln_1.output.log();
  m.get('transformer.h.3.attn').output[0].set(m.parameter('transformer.ln_f.bias'));
  m.get('transformer.h').at(2).output.stop();
  m.log('ends', m.transformer.h[4].attn.source.attentionProbabilities);

  // @ts-expect-error: no such module at the root
  m.transfomer;
  // @ts-expect-error: nor inside
  m.transformer.h[0].atn;
  // @ts-expect-error: nor in a block taken by at()
  m.transformer.h.at(0).mlp.c_attn;
  // @ts-expect-error: six blocks end at 5
  m.transformer.h[6].output;
  // @ts-expect-error: a list of modules is none itself
  m.transformer.h.output;
  // @ts-expect-error: a layer norm's output is no tuple
  m.transformer.ln_f.output.save().value[0];
  // @ts-expect-error: no bias there
  m.lm_head.bias;
  // @ts-expect-error: a path, spelt wrongly
  m.get('transformer.h.0.attm');
  // @ts-expect-error: a parameter's name, spelt wrongly
  m.parameter('transformer.ln_f.biass');
  // @ts-expect-error: another family's name
  m.model;
  return { hidden, tuple, logits: m.lm_head(m.transformer.ln_f(m.transformer.h[2].output[0])).save() };
});
is<Equal<typeof hidden, Saved<Tensor>>>();
is<Equal<typeof tuple, Saved<readonly [Tensor, Tensor, Tensor]>>>();
is<Equal<typeof logits, Saved<Tensor>>>();

await model.trace((t) =>
  t.invoke('a', (m) => {
    // @ts-expect-error: in an invoke as well
    m.transformer.h[0].atn;
    return m.transformer.wte.output.save();
  }),
);

await model.generate('a', { maxNewTokens: 3 }, (m) => {
  // @ts-expect-error: in a step as well
  m.all().transformer.g;
  return m.next().transformer.h[1].output[0].save();
});

await model
  .edit((m) => {
    // @ts-expect-error: in an edit as well
    m.transformer.h[0].atn;
    m.transformer.h[0].attn.output[0].add_(1);
  })
  .trace('a', (m) => {
    // @ts-expect-error: and in the edited model
    m.transformer.h[0].atn;
    return m.transformer.ln_f.output.save();
  });

// A server may call it what it likes: then the type is named.
const renamed = new LanguageModel<TinyGpt2>('production');
await renamed.start('a', (m) => {
  // @ts-expect-error: its tree is known
  m.transformer.h[0].atn;
  return m.transformer.h[0].attn.output.save();
});

// With a generation's options it is one, in steps.
const told = await renamed.start('a', { maxNewTokens: 2 }, (m) => {
  // @ts-expect-error: its tree is known in each step
  m.all().transformer.h[0].atn;
  return m.iter(1).transformer.h[0].output[0].save();
});
for await (const { id } of told) id.toFixed();
const { tokens, saved } = await (await renamed.attach(told.run, { maxNewTokens: 2 }, () => 5)).wait();
tokens.map((id) => id.toFixed() + saved.toFixed());
const plain: undefined = (await (await renamed.start('a', { maxNewTokens: 2 })).wait()).saved;
void plain;
// @ts-expect-error: a trace has no tokens
for await (const _ of await renamed.start('a', { deadlineMs: 5 }, (m) => m.lm_head.output.save())) break;

// The other family in the same project.
const llama = new LanguageModel('tiny-llama');
await llama.trace('a', (m) => {
  // @ts-expect-error: that is GPT-2's
  m.transformer;
  return m.model.layers[0].self_attn.q_proj.output.save();
});

// A function for any model takes each of them, and lets any name pass.
async function anyModel(any: LanguageModel): Promise<Saved<Tensor>> {
  return any.trace('a', (m) => m.transformer.h[0].whatever?.output.save<Tensor>() ?? m.lm_head.output.save());
}
await anyModel(model);
await anyModel(llama);

// Loose on purpose.
await new LanguageModel<string>('tiny-gpt2').trace('a', (m: Trace) => m.transformer.nonsense?.output.save());
