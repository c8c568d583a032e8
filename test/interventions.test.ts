/** Interventions that nnsight made on the same weights: the logits after each must be the same. */
import { LanguageModel, type Trace } from '@tracewire/client';
import { describe, expect, it } from 'vitest';
import { readReference, relativeError } from './support/reference.ts';
import { served } from './support/served.ts';
import { TINY_LLAMA } from './support/server.ts';

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

const server = await served('--model', 'tiny-gpt2', '--model', TINY_LLAMA);

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

  it('zeroes a head through its view', () =>
    compare('zero_head', (m) => m.get(`${blocks}.2.${NAMES[name].projection}`).input.heads[0]?.set(0)));

  it('skips a block', () =>
    compare('skip_block', (m) => {
      const block = m.get(`${blocks}.1`);
      block.skip(block.input);
    }));

  it('multiplies the rows of an index list', () =>
    compare('index_list', (m) => {
      const rows = m.get(`${blocks}.1`).output[0].slice(null, { indices: [0, 3] });
      rows.set(rows.mul(3));
    }));

  it('cuts off what is large, by a mask', () =>
    compare('mask', (m) => {
      const hidden = m.get(`${blocks}.1`).output[0];
      hidden.masked(hidden.gt(0.5)).set(0.5);
    }));

  it('edits attention probabilities, and reads them as PyTorch has them', async () => {
    const index = reference.interventions.findIndex((known) => known.name === 'edit_attention');
    const wanted = reference.tensor(`i${index}/probabilities`);
    const attention = reference.interventions[index]?.module ?? '';
    if (!wanted) throw new Error('The reference has no probabilities.');
    const model = new LanguageModel(name, { url: server.url });
    const { before, after } = await model.trace(PROMPT, (m) => {
      const probabilities = m.get(attention).source.attentionProbabilities;
      const before = probabilities.save();
      probabilities.slice(null, 1, null, 0).set(0);
      return { before, after: probabilities.slice(null, 1, null, 0).abs().sum().save() };
    });
    await model.close();
    expect(relativeError(wanted, before.value.dims, before.value.data)).toBeLessThan(1e-4);
    expect(after.value.item()).toBe(0);
    await compare('edit_attention', (m) =>
      m.get(attention).source.attentionProbabilities.slice(null, 1, null, 0).set(0),
    );
  });

  it('has queries, keys and values as heads', async () => {
    const index = reference.prompts.findIndex(({ text }) => text === PROMPT);
    const attention = `${blocks}.1.${NAMES[name].projection.split('.')[0]}`;
    const key = reference.tensor(`p${index}/${attention}/value`);
    if (!key) throw new Error('The reference has no cache.');
    const model = new LanguageModel(name, { url: server.url });
    const saved = await model.trace(PROMPT, (m) => {
      const module = m.get(attention);
      // GPT-2 splits one projection in three; Llama has one for each.
      const values =
        name === 'tiny-gpt2' ? module.source.find('Split', 2) : m.get(`${attention}.v_proj`).output;
      return { flat: values.heads.transpose(0, 2, 1, 3).save(), cache: module.output[2].heads.save() };
    });
    await model.close();
    expect(relativeError(key, saved.flat.value.dims, saved.flat.value.data)).toBeLessThan(1e-4);
    const [batch = 0, count = 0, sequence = 0, size = 0] = key.dims;
    expect(saved.cache.value.dims).toEqual([batch, sequence, count, size]);
  });

  it('skips the inside of a module: what is there says so, with the line that wrote it', async () => {
    const model = new LanguageModel(name, { url: server.url });
    const { inner, report } = await model.trace(PROMPT, (m) => {
      const block = m.get(`${blocks}.1`);
      block.skip(block.input);
      const inner = block.get(NAMES[name].mlp).output.save();
      m.lm_head.output.save();
      return { inner, report: m.report() };
    });
    await model.close();
    expect(() => inner.value).toThrow(
      /^Accessing value before it's been set\..*\.mlp\.output was not reached: .*was skipped/,
    );
    expect(report.value.warnings).toMatchObject([{ code: 'inside_skip', path: `${blocks}.1.mlp` }]);
    expect(report.value.warnings[0]?.location?.file).toContain('interventions.test.ts');
  });

  it('prints its tree, the same as the description tells', async () => {
    const model = new LanguageModel(name, { url: server.url });
    const lines: string[] = [];
    const log = console.log;
    console.log = (text: string) => void lines.push(text);
    const text = await model.print({ color: false }).finally(() => {
      console.log = log;
    });
    const near = await model.print({ module: `${blocks}.x` }).catch((error: unknown) => error);
    await model.close();
    expect(lines).toEqual([text]);
    expect(text).toContain('source.attentionProbabilities float32 [batch, 4, sequence, past + sequence]');
    expect(text).toContain(' alike)');
    expect(near).toMatchObject({ code: 'unknown_module' });
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
