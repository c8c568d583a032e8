/** The tutorial's trace through a real server process: what the README promises, end to end. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { type RunStatus, type Saved, Tensor, TraceError, ValueNotSetError } from '@tracewire/client';
import { describe, expect, it } from 'vitest';
import { modelOn, served } from './support/served.ts';
import { ROOT } from './support/server.ts';

const PROMPT = 'The Eiffel Tower is in the city of';

const server = await served();
const model = modelOn(server);

describe('the tutorial', () => {
  it('gives the first block’s outputs, and an access error for the second’s', async () => {
    const { l1, l2, report } = await model.trace(PROMPT, { remote: true }, (m) => {
      const l2 = m.transformer.h[1].output.save();
      const l1 = m.transformer.h[0].output.save();
      m.transformer.h[0].output.stop();
      return { l1, l2, report: m.report() };
    });
    const [hidden, key, value] = l1.value as readonly Tensor[];
    expect([hidden, key, value].map((tensor) => tensor?.dims.length)).toEqual([3, 4, 4]);
    expect(() => l2.value).toThrow(ValueNotSetError);
    expect(() => l2.value).toThrow(
      "Accessing value before it's been set. transformer.h.1.output was not reached: the forward pass stopped after transformer.h.0.",
    );
    expect(report.value).toMatchObject({
      modulesRun: 12,
      modulesTotal: 66,
      segmentsRun: 2,
      segmentsTotal: 8,
    });
    expect(report.value.warnings[0]).toMatchObject({ code: 'behind_stop', path: 'transformer.h.1' });
  });

  it('runs as `npm run quickstart` and ends', () => {
    const { stdout, status } = spawnSync(
      process.execPath,
      ['--import', 'tsx', path.join(ROOT, 'docs/examples/quickstart.ts')],
      { encoding: 'utf8', cwd: ROOT, timeout: 60_000 },
    );
    expect(status).toBe(0);
    expect(stdout).toContain('L1 - Output:');
    expect(stdout).toContain("L2 - Output:  ValueNotSetError: Accessing value before it's been set.");
    expect(stdout).toContain('12 of 66 modules ran; the pass stopped after transformer.h.0.');
    expect(stdout).toContain(`A full pass:    "${PROMPT}" → Paris`);
    expect(stdout).toMatch(/A steered pass: .* → (?!Paris)\w+ \(\d/);
  });
});

describe('remote and local', () => {
  it('give the same bytes for the same trace', async () => {
    const run = (remote: boolean) =>
      model.trace(PROMPT, { remote }, (m) => {
        const steered = m.transformer.h[2].output[0];
        steered.set(steered.add(m.transformer.h[1].output[0].mul(0.5)));
        const logits = m.lm_head.output;
        const { values, indices } = logits.slice(0, -1).softmax().topK(5);
        return [
          m.transformer.h[0].output.save(),
          m.transformer.h[2].attn.c_attn.output.save(),
          m.lm_head(m.transformer.ln_f(steered)).save(),
          m.lm_head.weight.save(),
          logits.save(),
          values.save(),
          indices.save(),
        ];
      });
    const [remote, local] = [await run(true), await run(false)];
    const tensors = (saved: readonly Saved<unknown>[]): Tensor[] =>
      saved.flatMap(({ value }) => (value instanceof Tensor ? [value] : (value as readonly Tensor[])));
    const [there, here] = [tensors(remote), tensors(local)];
    expect(there.length).toBe(9);
    for (const [index, tensor] of there.entries()) {
      expect(here[index]?.dtype).toBe(tensor.dtype);
      expect(here[index]?.dims).toEqual(tensor.dims);
      expect(Buffer.compare(bytes(here[index]), bytes(tensor))).toBe(0);
    }
  });

  it('give the same errors', async () => {
    const message = async (remote: boolean): Promise<string> => {
      const { saved } = await model.trace(PROMPT, { remote }, (m) => {
        m.transformer.h[0].output.stop();
        return { saved: m.lm_head.output.save() };
      });
      return saved.error?.message ?? 'none';
    };
    expect(await message(false)).toBe(await message(true));
  });
});

describe('a run', () => {
  it('streams values as they come to be, before it has completed', async () => {
    const events: string[] = [];
    await model.trace(
      PROMPT,
      {
        onStatus: ({ state }: RunStatus) => events.push(state),
        onValue: (saved: Saved<unknown>) => events.push(saved.label),
      },
      (m) => [m.lm_head.output.save(), m.transformer.h[0].output[0].save()],
    );
    const values = events.filter((event) => event.includes('output'));
    expect(values[0]).toContain('transformer.h.0');
    expect(values[1]).toContain('lm_head');
    expect(events.indexOf('running')).toBeLessThan(events.indexOf(values[0] ?? ''));
    expect(events.at(-1)).toBe('completed');
  });

  it('keeps several traces on one connection apart', async () => {
    const prompts = ['The capital of France is', 'A', PROMPT, 'one two one two one'];
    const alone = [];
    for (const prompt of prompts)
      alone.push(await model.trace(prompt, (m) => m.transformer.h[3].output[0].save()));
    const together = await Promise.all(
      prompts.map((prompt) => model.trace(prompt, (m) => m.transformer.h[3].output[0].save())),
    );
    for (const [index, saved] of together.entries()) {
      expect(Buffer.compare(bytes(saved.value as Tensor), bytes(alone[index]?.value as Tensor))).toBe(0);
    }
  });

  it('sends a value of many chunks whole', async () => {
    // 786 432 bytes each: with a literal of the same size, more than a chunk.
    const ids = Array.from({ length: 128 }, (_, index) => index + 20);
    const saved = await model.trace(ids, (m) => [m.lm_head.output.save(), m.lm_head.weight.save()]);
    expect(saved.map(({ value }) => value.dims)).toEqual([
      [1, 128, 1536],
      [1536, 128],
    ]);
  });

  it('takes the tokenizer’s calls', async () => {
    const { ids, tokens } = await model.tokenizer.encode(PROMPT);
    expect(tokens.length).toBe(ids.length);
    expect(await model.tokenizer.decode(ids)).toBe(PROMPT);
    const saved = await model.trace(ids, (m) => m.lm_head.output.slice(0, -1).argmax(-1).save());
    expect(await model.tokenizer.decode([Number(saved.value.item())])).toBe(' Paris');
  });

  it('reports every static error at once, with the lines that made them', async () => {
    const error = await model
      .trace(PROMPT, (m) => {
        m.get('transfomer.h.0').output.save();
        m.transformer.h[1].output.add(1).save();
        m.transformer.h[0].output[0].set(m.transformer.h[4].output[0]);
        m.op('Sofmax', [m.lm_head.output]).save();
      })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TraceError);
    const { errors } = error as TraceError;
    expect(errors.map(({ body }) => body.code)).toEqual([
      'unknown_module',
      'tuple_value',
      'write_order',
      'unknown_operator',
    ]);
    expect(errors[0]?.body.nearest).toBe('transformer.h.0');
    expect(errors[3]?.body.nearest).toBe('Softmax');
    const lines = errors.map(({ location }) => location?.line ?? 0);
    expect(lines.every((line, index) => index === 0 || line === (lines[index - 1] ?? 0) + 1)).toBe(true);
    expect(errors[0]?.location?.file).toContain('tutorial.test.ts');
  });
});

function bytes(tensor: Tensor | undefined): Buffer {
  if (!tensor) throw new Error('There is no tensor.');
  return Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
}
