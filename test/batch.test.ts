/**
 * Several prompts in one pass, through a real server: each gives what nnsight read when that prompt ran alone.
 * Patching from one prompt into another in one pass gives what nnsight got in two.
 */
import { type Batch, LanguageModel, type Saved, Tensor, type Trace, TraceError } from '@tracewire/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readReference, relativeError } from './support/reference.ts';
import { served } from './support/served.ts';
import { TINY_LLAMA } from './support/server.ts';

const TOLERANCE = 1e-4;
const PROMPT = 'The Eiffel Tower is in the city of';
const OTHER = 'The Colosseum is in the city of';

const server = await served('--model', 'tiny-gpt2', '--model', TINY_LLAMA);

describe.each([
  ['tiny-gpt2', 'transformer.h'],
  ['tiny-llama', 'model.layers'],
] as const)('%s and nnsight', (name, blocks) => {
  const reference = readReference(name);
  let model: LanguageModel;
  beforeAll(() => {
    model = new LanguageModel(name, { url: server.url });
  });
  afterAll(() => model.close());

  it('agree at every module’s output, for all prompts in one pass', async () => {
    const { modules } = await model.describe();
    const paths = modules.filter(({ outputs }) => outputs.length > 0).map(({ path }) => path);
    const saves = await model.trace((t) =>
      reference.prompts.map(({ ids }) =>
        t.invoke(ids, (m) =>
          paths.map((path): Saved<unknown> => (path === '' ? m : m.get(path)).output[0].save()),
        ),
      ),
    );
    const compared = saves.flatMap((handles, prompt) =>
      handles.map((handle, index) => {
        const key = paths[index] === '' ? `p${prompt}/logits` : `p${prompt}/${paths[index]}/output`;
        const [wanted, got] = [reference.tensor(key), handle.value];
        if (!wanted || !(got instanceof Tensor)) throw new Error(`There is nothing to compare for ${key}.`);
        return { key, error: relativeError(wanted, got.dims, got.data) };
      }),
    );
    expect(new Set(reference.prompts.map(({ ids }) => ids.length)).size).toBeGreaterThan(3);
    expect(compared.length).toBeGreaterThan(200);
    expect(compared.filter(({ error }) => !(error <= TOLERANCE))).toEqual([]);
  });

  it('agree when the last token is patched from another prompt, here in one pass', async () => {
    const { logits, plain } = await model.trace((t) => {
      const donor = t.invoke(OTHER, (m) => m.get(`${blocks}.1`).output[0].slice(null, -1));
      const logits = t.invoke(PROMPT, (m) => {
        m.get(`${blocks}.1`).output[0].slice(null, -1).set(donor);
        return m.lm_head.output.save();
      });
      return { logits, plain: t.invoke(PROMPT, (m) => m.lm_head.output.save()) };
    });
    const index = reference.interventions.findIndex((known) => known.name === 'patch_last');
    const patched = reference.tensor(`i${index}/logits`);
    const untouched = reference.tensor(
      `p${reference.prompts.findIndex(({ text }) => text === PROMPT)}/logits`,
    );
    if (!patched || !untouched) throw new Error('The reference has no patch_last.');
    const errors = (tensor: Tensor) =>
      [patched, untouched].map((wanted) => relativeError(wanted, tensor.dims, tensor.data));
    const [own = 1, none = 0] = errors(logits.value);
    expect(own).toBeLessThan(TOLERANCE);
    expect(none).toBeGreaterThan(1e-2);
    expect(errors(plain.value)[1]).toBeLessThan(TOLERANCE);
  });
});

describe('a batch through a server', () => {
  let model: LanguageModel;
  beforeAll(() => {
    model = new LanguageModel('tiny-gpt2', { url: server.url });
  });
  afterAll(() => model.close());

  const write = (t: Batch) => {
    const a = t.invoke(PROMPT, (m) => {
      m.transformer.h[3].mlp.output.mul(0).save();
      m.transformer.h[1].output.stop();
      return { late: m.lm_head.output.save(), early: m.transformer.h[1].output.save() };
    });
    const b = t.invoke([17, 4, 250], (m) => {
      const hidden = m.transformer.h[2].output[0];
      hidden.set(hidden.mul(2));
      return m.lm_head.output.save();
    });
    return { ...a, b, report: t.report() };
  };

  it('gives the same bytes here as in this process', async () => {
    const [there, here] = await Promise.all([model.trace(write), model.trace({ remote: false }, write)]);
    expect(here.b.value.data).toEqual(there.b.value.data);
    expect(here.early.value).toEqual(there.early.value);
  });

  it('ends one invoke where it stops, says so, and goes on with the other', async () => {
    const { late, early, b, report } = await model.trace(write);
    expect((early.value as readonly Tensor[])[0]?.dims).toEqual([1, 12, 128]);
    expect(b.value.dims.slice(0, 2)).toEqual([1, 3]);
    expect(() => late.value).toThrow(
      'lm_head.output was not reached: invoke 0 stopped after transformer.h.1.',
    );
    expect(report.value).toMatchObject({ tokens: 15, segmentsRun: 8, modulesRun: 66 });
    expect(report.value.warnings.map(({ path }) => path)).toEqual(['transformer.h.3.mlp', 'lm_head']);
  });

  it('of one prompt gives the same bytes as a trace with a prompt', async () => {
    const body = (m: Trace) => m.lm_head.output.save();
    const [plain, one] = await Promise.all([
      model.trace(PROMPT, body),
      model.trace((t) => t.invoke(PROMPT, body)),
    ]);
    expect(one.value.data).toEqual(plain.value.data);
  });

  it('is started, and followed, as a detached run', async () => {
    const save = (m: Trace) => m.lm_head.output.save();
    const two = (t: Batch) => [t.invoke(PROMPT, save), t.invoke('Paris', save)] as const;
    const started = await model.start(two);
    await started.wait();
    const other = new LanguageModel('tiny-gpt2', { url: server.url });
    const followed = await (await other.attach(started.run, two)).wait();
    await other.close();
    expect(followed.map(({ value }) => value.data)).toEqual(started.result.map(({ value }) => value.data));
  });

  it('past the limits is refused, with the line', async () => {
    const { limits } = await model.server();
    expect(limits.invokes).toBeGreaterThanOrEqual(8);
    const rows = (count: number, ids: readonly number[]) =>
      model.trace((t) => {
        for (let row = 0; row < count; row++) t.invoke(ids, (m) => m.transformer.wte.output.mean().save());
      });
    await rows(limits.invokes ?? 0, [1]);
    const refused = await rows((limits.invokes ?? 0) + 1, [1]).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(TraceError);
    expect(refused).toMatchObject({ code: 'bad_message', message: expect.stringContaining('batch.test.ts') });
    const most = Math.floor((limits.batchTokens ?? 0) / 128);
    await rows(most, new Array(128).fill(1));
    await expect(rows(most + 1, new Array(128).fill(1))).rejects.toMatchObject({ code: 'input_too_long' });
  });
});
