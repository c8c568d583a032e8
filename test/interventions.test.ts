/** Interventions that nnsight made on the same weights: the logits after each must be the same. */
import { LanguageModel, type Trace } from '@tracewire/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readReference, relativeError } from './support/reference.ts';
import { startServer, type TestServer, TINY_LLAMA } from './support/server.ts';

const PROMPT = 'The Eiffel Tower is in the city of';
const OTHER = 'The Colosseum is in the city of';

/** What differs between the fixtures: where the blocks are, and the names in a block. */
const NAMES = {
  'tiny-gpt2': {
    blocks: 'transformer.h',
    mlp: 'mlp',
    projection: 'attn.c_proj',
    norm: 'transformer.ln_f',
    head: 32,
  },
  'tiny-llama': {
    blocks: 'model.layers',
    mlp: 'mlp',
    projection: 'self_attn.o_proj',
    norm: 'model.norm',
    head: 12,
  },
} as const;

let server: TestServer;
beforeAll(async () => {
  server = await startServer('--model', 'tiny-gpt2', '--model', TINY_LLAMA);
});
afterAll(() => server.stop());

describe.each(Object.keys(NAMES) as (keyof typeof NAMES)[])('%s', (name) => {
  const reference = readReference(name);
  const { blocks } = NAMES[name];

  async function compare(intervention: string, write: (m: Trace) => void): Promise<void> {
    const index = reference.interventions.findIndex((known) => known.name === intervention);
    const wanted = reference.tensor(`i${index}/logits`);
    const untouched = reference.tensor(
      `p${reference.prompts.findIndex(({ text }) => text === PROMPT)}/logits`,
    );
    if (!wanted || !untouched) throw new Error(`The reference has no ${intervention}.`);
    const model = new LanguageModel(name, { url: server.url });
    const saved = await model.trace(PROMPT, (m) => {
      write(m);
      return m.lm_head.output.save();
    });
    await model.close();
    const { dims, data } = saved.value;
    expect(relativeError(wanted, dims, data)).toBeLessThan(1e-4);
    // It must have done something, or agreeing would mean nothing.
    expect(relativeError(untouched, dims, data)).toBeGreaterThan(1e-2);
  }

  it('zeroes an MLP', () =>
    compare('zero_mlp', (m) => {
      const mlp = m.get(`${blocks}.1.${NAMES[name].mlp}`).output;
      mlp.set(mlp.mul(0));
    }));

  it('doubles the last token’s residual', () =>
    compare('double_last', (m) => {
      const last = m.get(`${blocks}.1`).output[0].slice(null, -1);
      last.set(last.mul(2));
    }));

  it('zeroes a head, at the input of the output projection', () =>
    compare('zero_head', (m) => {
      m.get(`${blocks}.2.${NAMES[name].projection}`).input.slice(null, null, [0, NAMES[name].head]).set(0);
    }));

  it('patches the last token from another prompt', async () => {
    const model = new LanguageModel(name, { url: server.url });
    const other = await model.trace(OTHER, (m) => m.get(`${blocks}.1`).output[0].slice(null, -1).save());
    await model.close();
    await compare('patch_last', (m) => m.get(`${blocks}.1`).output[0].slice(null, -1).set(other.value));
  });

  it('reads a logit lens', async () => {
    const index = reference.interventions.findIndex((known) => known.name === 'logit_lens');
    const module = reference.interventions[index]?.module ?? '';
    const wanted = reference.tensor(`i${index}/logits`);
    if (!wanted) throw new Error('The reference has no logit lens.');
    const model = new LanguageModel(name, { url: server.url });
    const lens = await model.trace(PROMPT, (m) =>
      m.lm_head(m.get(NAMES[name].norm)(m.get(module).output[0])).save(),
    );
    await model.close();
    expect(relativeError(wanted, lens.value.dims, lens.value.data)).toBeLessThan(1e-4);
  });
});
