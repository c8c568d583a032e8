import { readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isTuple, TracewireError } from '@tracewire/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from './engine.ts';
import { GraphBuilder, relativeError, runGraph } from './testing/graphs.ts';
import { CACHE, CountingRuntime, loadEngine, TINY_GPT2, TINY_LLAMA } from './testing/models.ts';

const EIFFEL = { text: 'The Eiffel Tower is in the city of' };
/** Long enough to run in parts whatever is asked of it. */
const LONG = { ids: Array.from({ length: 100 }, (_, index) => index) };

describe('the engine on tiny-gpt2', () => {
  let engine: Engine;
  const runtime = new CountingRuntime();

  beforeAll(async () => {
    engine = await loadEngine(TINY_GPT2, {}, runtime.make);
  });
  afterAll(() => engine.release());

  it('runs the tutorial’s trace: saves the first block, stops, and never reaches the second', async () => {
    const graph = new GraphBuilder();
    const second = graph.save(graph.read('transformer.h.1.output'));
    const first = graph.save(graph.read('transformer.h.0.output'));
    graph.stop('transformer.h.0.output');
    const { outcome, values, accessErrors } = await runGraph(engine, EIFFEL, graph);
    expect(outcome.state).toBe('completed');
    const value = values.get(first);
    expect(value && isTuple(value) && value.length).toBe(3);
    expect(accessErrors.get(second)).toMatchObject({
      code: 'not_reached',
      message:
        "Accessing value before it's been set. transformer.h.1.output was not reached: the forward pass stopped after transformer.h.0.",
    });
    expect(outcome.report).toMatchObject({
      stoppedAfter: 'transformer.h.0',
      modulesRun: 12,
      modulesTotal: 66,
    });
  });

  it('leaves the segments of later blocks unrun after a stop', async () => {
    const graph = new GraphBuilder();
    graph.save(graph.read('transformer.h.0.output'));
    graph.stop('transformer.h.0.output');
    await runGraph(engine, EIFFEL, graph);
    const before = runtime.run.length;
    const { outcome } = await runGraph(engine, EIFFEL, graph);
    expect(runtime.run.length - before).toBe(2);
    expect(outcome.report).toMatchObject({ segmentsRun: 2, segmentsTotal: 8 });
    const whole = new GraphBuilder();
    whole.save(whole.read('lm_head.output'));
    const beforeWhole = runtime.run.length;
    await runGraph(engine, LONG, whole);
    expect(runtime.run.length - beforeWhole).toBe(8);
  });

  it('runs a short pass that is only watched as one segment, with the same bytes as in parts', async () => {
    const places = ['transformer.h.0.output[0]', 'transformer.h.3.output[1]', 'lm_head.output'];
    const graph = new GraphBuilder();
    const saves = places.map((place) => graph.save(graph.read(place)));
    const whole = await runGraph(engine, EIFFEL, graph);
    expect(whole.outcome.report).toMatchObject({ segmentsRun: 1, modulesRun: 66, modulesTotal: 66 });
    graph.save(graph.read('transformer.h.2.ln_1.output'));
    const parts = await runGraph(engine, EIFFEL, graph);
    expect(parts.outcome.report).toMatchObject({ segmentsRun: 8 });
    for (const save of saves) expect(whole.tensor(save).data).toEqual(parts.tensor(save).data);
  });

  it('stops by itself after the last module that a save needs', async () => {
    const graph = new GraphBuilder();
    graph.save(graph.read('transformer.h.2.attn.output[0]'));
    const { outcome } = await runGraph(engine, EIFFEL, graph);
    expect(outcome.report).toMatchObject({ stoppedAfter: 'transformer.h.2.attn', segmentsRun: 4 });
  });

  it('stops before a module at its input', async () => {
    const graph = new GraphBuilder();
    const input = graph.save(graph.read('transformer.h.1.input'));
    const output = graph.save(graph.read('transformer.h.1.output'));
    graph.stop('transformer.h.1.input');
    const { values, accessErrors, outcome } = await runGraph(engine, EIFFEL, graph);
    expect(values.has(input)).toBe(true);
    expect(accessErrors.get(output)?.code).toBe('not_reached');
    expect(outcome.report?.stoppedAfter).toBe('transformer.h.0');
  });

  it('computes operations wherever they stand, and delivers values in the model’s order', async () => {
    const graph = new GraphBuilder();
    const late = graph.save(graph.read('transformer.h.4.output[0]'));
    const early = graph.save(graph.read('transformer.h.1.output[0]'));
    const { order } = await runGraph(engine, EIFFEL, graph);
    expect(order).toEqual([early, late]);
  });

  it('gives every module’s value the same whether its block is cut or not', async () => {
    const plain = new GraphBuilder();
    const logits = plain.save(plain.read('lm_head.output'));
    const cut = new GraphBuilder();
    for (const block of [0, 3]) {
      for (const place of [
        'ln_1.output',
        'attn.c_attn.output',
        'attn.output[0]',
        'mlp.act.output',
        'output[0]',
      ]) {
        const at = `transformer.h.${block}.${place}`;
        cut.write(at, cut.read(at));
      }
    }
    const again = cut.save(cut.read('lm_head.output'));
    const wanted = (await runGraph(engine, EIFFEL, plain)).tensor(logits);
    const { tensor, outcome } = await runGraph(engine, EIFFEL, cut);
    expect(outcome.report?.segmentsTotal).toBeGreaterThan(12);
    expect(relativeError(wanted, tensor(again))).toBeLessThan(1e-5);
  });

  it('shows a write to everything downstream, and to later reads of the same place only', async () => {
    const graph = new GraphBuilder();
    const before = graph.read('transformer.h.2.output[0]');
    const saved = graph.save(before);
    graph.write('transformer.h.2.output[0]', graph.operator('Mul', [before, graph.scalar(2)]));
    const after = graph.save(graph.read('transformer.h.2.output[0]'));
    const next = graph.save(graph.read('transformer.h.3.input'));
    const still = graph.save(before);
    const logits = graph.save(graph.read('lm_head.output'));
    const plain = new GraphBuilder();
    const plainLogits = plain.save(plain.read('lm_head.output'));
    const { tensor } = await runGraph(engine, EIFFEL, graph);
    const untouched = (await runGraph(engine, EIFFEL, plain)).tensor(plainLogits);
    const doubled = { ...tensor(saved), data: (tensor(saved).data as Float32Array).map((x) => x * 2) };
    expect(tensor(after).data).toEqual(doubled.data);
    expect(tensor(next).data).toEqual(doubled.data);
    expect(tensor(still).data).toEqual(tensor(saved).data);
    expect(relativeError(untouched, tensor(logits))).toBeGreaterThan(1e-3);
  });

  it('keeps a write to an input inside its module, and one to an output outside it', async () => {
    const graph = new GraphBuilder();
    const stream = graph.read('transformer.h.1.input');
    graph.write('transformer.h.1.ln_1.input', graph.operator('Mul', [stream, graph.scalar(0)]));
    const normed = graph.save(graph.read('transformer.h.1.ln_1.output'));
    const attention = graph.read('transformer.h.1.attn.output[0]');
    const middle = graph.save(graph.read('transformer.h.1.ln_2.input'));
    const sum = graph.save(graph.operator('Add', [stream, attention]));
    const bias = graph.save(graph.parameter('transformer.h.1.ln_1.bias'));
    const { tensor } = await runGraph(engine, EIFFEL, graph);
    // Layer norm of zeros is its bias; the residual beside it still adds the stream that was not written.
    const wanted = tensor(bias).data;
    expect(tensor(normed).data.slice(0, wanted.length)).toEqual(wanted);
    expect(relativeError(tensor(sum), tensor(middle))).toBeLessThan(1e-6);
  });

  it('writes a selected part and leaves the rest', async () => {
    const graph = new GraphBuilder();
    const place = 'transformer.h.1.output[0]';
    const before = graph.save(graph.read(place));
    graph.write(place, graph.scalar(7), [0, -1]);
    const after = graph.save(graph.read(place));
    const { tensor } = await runGraph(engine, EIFFEL, graph);
    const [, length = 0, width = 0] = tensor(after).dims;
    const last = (length - 1) * width;
    expect([...tensor(after).data.slice(last)]).toEqual(new Array(width).fill(7));
    expect(tensor(after).data.slice(0, last)).toEqual(tensor(before).data.slice(0, last));
  });

  it('doesn’t run a block whose output is wholly replaced', async () => {
    const graph = new GraphBuilder();
    const stream = graph.read('transformer.h.0.output[0]');
    graph.write('transformer.h.1.output[0]', stream);
    graph.save(graph.read('transformer.h.2.output[0]'));
    const { outcome } = await runGraph(engine, EIFFEL, graph);
    expect(outcome.report).toMatchObject({ segmentsRun: 3, stoppedAfter: 'transformer.h.2' });
  });

  it('applies modules and reads parameters: the logit lens at the last block is the model’s own', async () => {
    const graph = new GraphBuilder();
    const lens = graph.apply(
      'lm_head',
      graph.apply('transformer.ln_f', graph.read('transformer.h.5.output[0]')),
    );
    const lensed = graph.save(lens);
    const logits = graph.save(graph.read('lm_head.output'));
    const head = graph.save(graph.parameter('lm_head.weight'));
    const embedding = graph.save(graph.parameter('transformer.wte.weight'));
    const { tensor } = await runGraph(engine, EIFFEL, graph);
    expect(relativeError(tensor(logits), tensor(lensed))).toBeLessThan(1e-5);
    // The checkpoint ties the two; the exporter stored one of them transposed.
    expect(tensor(head).dims).toEqual(tensor(embedding).dims);
    expect(tensor(head).data).toEqual(tensor(embedding).data);
  });

  it('runs tuples of operators: top-k of a softmax', async () => {
    const graph = new GraphBuilder();
    const probabilities = graph.operator('Softmax', [graph.read('lm_head.output')], { axis: -1 });
    const top = graph.operator('TopK', [probabilities, graph.integers(3)], { axis: -1 });
    const values = graph.save(graph.member(top, 0));
    const indices = graph.save(graph.member(top, 1));
    const { tensor } = await runGraph(engine, EIFFEL, graph);
    const length = engine.tokenizer.encode(EIFFEL.text).ids.length;
    expect(tensor(values).dims).toEqual([1, length, 3]);
    expect(tensor(indices).dtype).toBe('int64');
    const last = [...tensor(values).data.slice(-3)].map(Number);
    expect(last).toEqual([...last].sort((a, b) => b - a));
  });

  it('fails only what depends on a failing operation', async () => {
    const graph = new GraphBuilder();
    const hidden = graph.read('transformer.h.0.output[0]');
    const logits = graph.read('lm_head.output');
    // How many distinct ones there are, only the data tells.
    const distinct = graph.member(graph.operator('Unique', [logits]), 0);
    const bad = graph.operator('Add', [hidden, distinct]);
    const alsoBad = graph.save(graph.operator('Neg', [bad]));
    const good = graph.save(graph.operator('Neg', [logits]));
    const { outcome, values, accessErrors } = await runGraph(engine, EIFFEL, graph);
    expect(outcome.state).toBe('completed');
    expect(values.has(good)).toBe(true);
    expect(accessErrors.get(alsoBad)).toMatchObject({
      code: 'failed',
      cause: { code: 'wrong_dims', node: bad, path: 'Add' },
    });
    expect(accessErrors.get(alsoBad)?.message).toMatch(
      /^Accessing value before it's been set\..*Add of \[1, \d+, 128\] and \[\d+\]/,
    );
  });

  it('ends a run whose write does not fit, naming place and dims', async () => {
    const graph = new GraphBuilder();
    const early = graph.save(graph.read('transformer.h.0.output[0]'));
    const distinct = graph.member(
      graph.operator('Unique', [graph.read('transformer.h.0.mlp.act.output')]),
      0,
    );
    graph.write('transformer.h.1.output[0]', graph.operator('Unsqueeze', [distinct, graph.integers(0, 1)]));
    const late = graph.save(graph.read('lm_head.output'));
    const { outcome, values, accessErrors } = await runGraph(engine, EIFFEL, graph);
    expect(outcome.state).toBe('failed');
    expect(outcome.errors[0]).toMatchObject({
      code: 'wrong_dims',
      path: 'transformer.h.1',
      got: expect.stringMatching(/^float32 \[1, 1, \d+\]$/),
    });
    expect(values.has(early)).toBe(true);
    expect(accessErrors.get(late)).toMatchObject({ code: 'failed', cause: { code: 'wrong_dims' } });
  });

  it('stops between segments when cancelled, and says so for each save', async () => {
    const graph = new GraphBuilder();
    const first = graph.save(graph.read('transformer.h.0.output[0]'));
    const last = graph.save(graph.read('lm_head.output'));
    let asked = 0;
    const { outcome, values, accessErrors } = await runGraph(engine, LONG, graph, () => ++asked > 5);
    expect(outcome.state).toBe('cancelled');
    expect(outcome.report?.segmentsRun).toBeLessThan(8);
    expect(outcome.report?.modulesRun).toBeLessThan(outcome.report?.modulesTotal ?? 0);
    const none = await runGraph(engine, LONG, graph, () => true);
    expect(none.outcome.report).toMatchObject({ modulesRun: 0, segmentsRun: 0 });
    expect(values.has(first)).toBe(true);
    expect(accessErrors.get(last)?.code).toBe('cancelled');
  });

  it('logs in order with the rest', async () => {
    const graph = new GraphBuilder();
    graph.log('norm', graph.operator('ReduceL2', [graph.read('transformer.h.0.output[0]')], { keepdims: 0 }));
    const { logs } = await runGraph(engine, EIFFEL, graph);
    expect(logs[0]).toMatchObject({ text: 'norm', value: { dims: [], dtype: 'float32' } });
  });

  it.each([
    [{ text: '' }, 'empty_input'],
    [{ ids: [] }, 'empty_input'],
    [{ ids: [1, 1536] }, 'token_out_of_range'],
    [{ ids: new Array<number>(5000).fill(1) }, 'input_too_long'],
  ])('refuses the input %j', async (input, code) => {
    const graph = new GraphBuilder();
    const save = graph.save(graph.read('lm_head.output'));
    const { outcome, accessErrors } = await runGraph(engine, input, graph);
    expect(outcome.errors[0]?.code).toBe(code);
    expect(accessErrors.get(save)?.code).toBe('failed');
  });

  it('gives no value past the limit of saved bytes, and the smaller ones after it', async () => {
    const small = await loadEngine(TINY_GPT2, { savedBytes: 100_000 });
    const graph = new GraphBuilder();
    const hidden = graph.save(graph.read('transformer.h.0.output[0]'));
    const large = graph.save(graph.read('transformer.wte.output'));
    const weight = graph.save(graph.parameter('transformer.wte.weight'));
    const { accessErrors, values } = await runGraph(small, EIFFEL, graph);
    expect(accessErrors.get(weight)).toMatchObject({ code: 'too_large', got: String(1536 * 128 * 4) });
    expect(values.has(hidden) && values.has(large)).toBe(true);
    await small.release();
  });
});

describe('intake', () => {
  let folder: string;
  const names = ['model.onnx', 'config.json', 'tokenizer.json', 'tokenizer_config.json'];

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'tracewire-intake-'));
    await mkdir(folder, { recursive: true });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function copyWithout(...missing: string[]): Promise<string> {
    const target = await mkdtemp(path.join(folder, 'model-'));
    for (const name of names)
      if (!missing.includes(name)) await copyFile(path.join(TINY_LLAMA, name), path.join(target, name));
    return target;
  }

  async function refusal(of: string): Promise<TracewireError> {
    const error = await loadEngine(of).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (error instanceof TracewireError) return error;
    throw new Error(`It was not refused: ${String(error)}`);
  }

  it('names the folder or file that is missing', async () => {
    expect((await refusal(path.join(folder, 'nowhere'))).message).toContain('nowhere');
    const error = await refusal(await copyWithout('model.onnx'));
    expect(error.code).toBe('model_not_found');
    expect(error.message).toContain('model.onnx');
  });

  it('refuses a truncated model, whatever the place of the cut', async () => {
    const size = readFileSync(path.join(TINY_LLAMA, 'model.onnx')).byteLength;
    for (const length of [0, 10, 1000, size >> 1, size - 1]) {
      const target = await copyWithout();
      await truncate(path.join(target, 'model.onnx'), length);
      const error = await refusal(target);
      expect(error.code).toBe('model_invalid');
      expect(error.message).toContain('model.onnx');
    }
  });

  it('refuses files that are not what their names say', async () => {
    const target = await copyWithout();
    await writeFile(path.join(target, 'tokenizer.json'), '{"version": 1');
    expect((await refusal(target)).message).toContain('tokenizer.json');
    await writeFile(path.join(target, 'model.onnx'), 'not an ONNX file at all');
    expect((await refusal(target)).code).toBe('model_invalid');
  });

  it('prepares once: the second start reads the cache and gives the same bytes', async () => {
    const cache = path.join(folder, 'cache');
    const runs: Float32Array[] = [];
    const phases: string[][] = [];
    for (let start = 0; start < 2; start++) {
      const seen = new Set<string>();
      const { Engine } = await import('./engine.ts');
      const engine = await Engine.load(
        {
          name: 'm',
          folder: TINY_LLAMA,
          cache,
          provider: 'cpu',
          threads: 1,
          savedBytes: 1e8,
          intermediateBytes: 1e8,
        },
        (phase) => seen.add(phase),
      );
      const graph = new GraphBuilder();
      const logits = graph.save(graph.read('lm_head.output'));
      runs.push((await runGraph(engine, { ids: [5, 6, 7] }, graph)).tensor(logits).data as Float32Array);
      phases.push([...seen]);
      await engine.release();
    }
    expect(phases[0]).toContain('measuring');
    expect(phases[1]).not.toContain('measuring');
    expect(runs[1]).toEqual(runs[0]);
  });

  it('finds the dynamo exporter’s modules, classes and parameters', async () => {
    const engine = await loadEngine(TINY_LLAMA, { cache: CACHE });
    const { exporter, blocks, modules, parameters } = engine.description;
    expect(exporter).toBe('dynamo');
    expect(blocks).toEqual(['model.layers.0', 'model.layers.1', 'model.layers.2']);
    const attention = modules.find(({ path }) => path === 'model.layers.0.self_attn');
    expect(attention).toMatchObject({ class: 'LlamaAttention' });
    // Masks and rotary angles that the exporter shares between blocks aren't the first block's to give.
    expect(attention?.outputs.map(({ name }) => name).slice(1)).toEqual(['present.0.key', 'present.0.value']);
    expect(parameters.find(({ name }) => name === 'model.layers.0.self_attn.k_proj.weight')?.dims).toEqual([
      24, 48,
    ]);
    await engine.release();
  });
});
