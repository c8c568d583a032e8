/**
 * Every hook point of the fixtures against the same module in PyTorch, as the real nnsight read it. Errors are
 * divided by the value's RMS. Traced through a server, over a real socket.
 */
import { LanguageModel, type Saved, Tensor } from '@tracewire/client';
import { beforeAll, describe, expect, it } from 'vitest';
import { readReference, relativeError } from './support/reference.ts';
import { served } from './support/served.ts';
import { TINY_LLAMA } from './support/server.ts';

const TOLERANCE = 1e-4;

/** Hook points whose value in PyTorch is another one, and why. */
const DIFFERENT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'tiny-gpt2': {},
  'tiny-llama': {
    'model.rotary_emb/input':
      'PyTorch passes the hidden states too, for their dtype alone; the export has the positions only',
  },
};

interface Compared {
  readonly name: string;
  readonly error: number;
}

const server = await served('--model', 'tiny-gpt2', '--model', TINY_LLAMA);

describe.each(['tiny-gpt2', 'tiny-llama'])('%s and nnsight', (name) => {
  const reference = readReference(name);
  const different = DIFFERENT[name] ?? {};
  const compared: Compared[] = [];
  const unmatched: string[] = [];
  const saved = new Map<string, Tensor>();

  beforeAll(async () => {
    const model = new LanguageModel(name, { url: server.url });
    const { modules } = await model.describe();
    for (const [index, prompt] of reference.prompts.entries()) {
      const handles = await model.trace([...prompt.ids], (m) => {
        const all = new Map<string, Saved<unknown>>();
        for (const { path, inputs, outputs } of modules) {
          const module = path === '' ? m : m.get(path);
          if (inputs.length > 0) all.set(`${path}/input`, module.input.save());
          if (outputs.length > 0) all.set(`${path}/output`, module.output[0].save());
          for (const [member, { name: value }] of outputs.entries()) {
            const kind = /^present\.\d+\.(key|value)$/.exec(value)?.[1];
            if (kind && path.endsWith('attn'))
              all.set(`${path}/${kind}`, module.output[member]?.save() as Saved<unknown>);
          }
        }
        return all;
      });
      for (const [hook, handle] of handles) {
        const key = `p${index}/${hook}`;
        if (different[hook] !== undefined) continue;
        const wanted = reference.tensor(hook === '/output' ? `p${index}/logits` : key);
        const got = handle.value;
        if (!wanted || !(got instanceof Tensor)) {
          unmatched.push(key);
          continue;
        }
        saved.set(key, got);
        compared.push({ name: key, error: relativeError(wanted, got.dims, got.data) });
      }
    }
    await model.close();
  });

  it(`agrees at every hook point within ${TOLERANCE}`, () => {
    const worst = compared.reduce((a, b) => (b.error > a.error ? b : a));
    console.log(
      `${name}: ${compared.length} values compared, largest error ${worst.error.toExponential(2)} at ${worst.name}`,
    );
    expect(compared.filter(({ error }) => !(error <= TOLERANCE))).toEqual([]);
    expect(reference.prompts.length).toBeGreaterThanOrEqual(6);
  });

  it('leaves no hook point without its counterpart', () => {
    // The whole model takes ids, as the reference’s first module does; it has no entry of its own there.
    expect(unmatched.filter((key) => !key.endsWith('//input') && !/^p\d+\/\/input$/.test(key))).toEqual([]);
  });

  it('has a hook point for every module that PyTorch ran and that computes something', () => {
    const hooked = new Set(
      compared.map(({ name: key }) => key.replace(/^p\d+\//, '').replace(/\/[^/]*$/, '')),
    );
    const missing = reference.modules.filter(
      ({ path, called, identity }) => called && !identity && !hooked.has(path),
    );
    expect(missing.map(({ path }) => path)).toEqual([]);
  });

  it('would notice a corrupted value', () => {
    for (const [key, tensor] of [...saved].slice(0, 40)) {
      const wanted = reference.tensor(key);
      if (!wanted || tensor.dtype !== 'float32') continue;
      const data = Float32Array.from(tensor.data as Float32Array);
      data[data.length - 1] = (data[data.length - 1] ?? 0) + 1e-2;
      expect(relativeError(wanted, tensor.dims, data)).toBeGreaterThan(TOLERANCE);
      data[0] = Number.NaN;
      expect(relativeError(wanted, tensor.dims, data)).toBeGreaterThan(TOLERANCE);
    }
  });

  it('predicts the same next tokens', async () => {
    const model = new LanguageModel(name, { url: server.url });
    for (const prompt of reference.prompts) {
      const top = await model.trace([...prompt.ids], (m) => {
        const { values, indices } = m.lm_head.output.slice(0, -1).softmax().topK(prompt.top.length);
        return { values: values.save(), indices: indices.save() };
      });
      expect(Array.from(top.indices.value.data, Number)).toEqual(prompt.top.map(({ id }) => id));
      for (const [rank, { probability }] of prompt.top.entries()) {
        expect(Number(top.values.value.data[rank])).toBeCloseTo(probability, 5);
      }
    }
    await model.close();
  });
});
