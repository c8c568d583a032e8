/** Inner values, several inputs, masks, index lists and skipped modules, on the real models. */
import { isTuple, type TensorLike } from '@tracewire/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from './engine.ts';
import { GraphBuilder, relativeError, runGraph } from './testing/graphs.ts';
import { loadEngine, TINY_GPT2, TINY_LLAMA } from './testing/models.ts';

const IDS = { ids: [5, 300, 7, 21, 99, 4] };
const NAMES = {
  'tiny-gpt2': { folder: TINY_GPT2, blocks: 'transformer.h', attention: 'attn', heads: 4 },
  'tiny-llama': { folder: TINY_LLAMA, blocks: 'model.layers', attention: 'self_attn', heads: 4 },
} as const;

describe.each(Object.keys(NAMES) as (keyof typeof NAMES)[])('%s', (name) => {
  const { folder, blocks, attention, heads } = NAMES[name];
  const block = (index: number): string => `${blocks}.${index}`;
  let engine: Engine;
  let plain: TensorLike;
  beforeAll(async () => {
    engine = await loadEngine(folder);
    const graph = new GraphBuilder();
    const logits = graph.save(graph.read('lm_head.output'));
    plain = (await runGraph(engine, IDS, graph)).tensor(logits);
  });
  afterAll(() => engine.release());

  const module = (path: string) => {
    const found = engine.description.modules.find((candidate) => candidate.path === path);
    if (!found) throw new Error(`There is no module ${path}.`);
    return found;
  };
  const sourceOf = (path: string, operator: string): string => {
    const source = module(path).sources?.find((candidate) => candidate.operator === operator);
    if (!source) throw new Error(`${path} has no ${operator}.`);
    return `${path} source ${source.name}`;
  };
  const run = (graph: GraphBuilder) => runGraph(engine, IDS, graph);

  describe('the description', () => {
    it('lists every value that the model computes once, at the module that makes it, in order', () => {
      const { modules } = engine.description;
      const all = modules.flatMap(({ sources = [] }) => sources);
      expect(new Set(all.map((source) => source.name)).size).toBe(all.length);
      expect(all.length).toBeGreaterThan(200);
      const named = new Set(all.map((source) => source.name));
      for (const { outputs } of modules) for (const port of outputs) expect(named).toContain(port.name);
      for (const { sources = [] } of modules) {
        const orders = sources.map(({ order }) => order);
        expect(orders).toEqual([...orders].sort((a, b) => a - b));
      }
      expect(new Set(all.map(({ order }) => order)).size).toBe(all.length);
    });

    it('says how attention is split, and where its probabilities are', () => {
      expect(engine.description.attention).toEqual(
        name === 'tiny-gpt2'
          ? { heads: 4, keyValueHeads: 4, headSize: 32 }
          : { heads: 4, keyValueHeads: 2, headSize: 12 },
      );
      const softmax = module(`${block(1)}.${attention}`).sources?.filter(
        ({ operator }) => operator === 'Softmax',
      );
      expect(softmax).toHaveLength(1);
      expect(softmax?.[0]?.dims.slice(0, 3)).toEqual(['batch', heads, 'sequence']);
    });

    it('lists all that a block takes, the stream first', () => {
      const { inputs } = module(block(1));
      expect(inputs[0]?.dims).toHaveLength(3);
      expect(inputs.map((port) => port.name)).toContain('past_key_values.1.key');
    });
  });

  it('reads attention probabilities: rows sum to 1, and none is for the future', async () => {
    const graph = new GraphBuilder();
    const save = graph.save(graph.read(sourceOf(`${block(1)}.${attention}`, 'Softmax')));
    const { tensor, outcome } = await run(graph);
    const { dims, data } = tensor(save);
    const length = IDS.ids.length;
    expect(dims).toEqual([1, heads, length, length]);
    for (let row = 0; row < heads * length; row++) {
      const values = [...data.slice(row * length, (row + 1) * length)].map(Number);
      expect(values.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
      expect(values.slice((row % length) + 1).every((value) => value === 0)).toBe(true);
    }
    // The pass ends inside the attention.
    expect(outcome.report?.modulesRun).toBeLessThan(outcome.report?.modulesTotal ?? 0);
  });

  it('shows a written inner value to all that use it, and to later reads of it', async () => {
    const place = sourceOf(`${block(1)}.${attention}`, 'Softmax');
    const graph = new GraphBuilder();
    const before = graph.read(place);
    const old = graph.save(before);
    graph.write(place, graph.operator('Mul', [before, graph.scalar(0)]));
    const after = graph.save(graph.read(place));
    const mixed = graph.save(
      graph.read(`${block(1)}.${attention}.${name === 'tiny-gpt2' ? 'c_proj' : 'o_proj'}.input`),
    );
    const logits = graph.save(graph.read('lm_head.output'));
    const { tensor } = await run(graph);
    expect(tensor(after).data.every((value) => Number(value) === 0)).toBe(true);
    expect(tensor(old).data.some((value) => Number(value) > 0)).toBe(true);
    // Attention to nothing mixes nothing.
    expect(tensor(mixed).data.every((value) => Number(value) === 0)).toBe(true);
    expect(relativeError(plain, tensor(logits))).toBeGreaterThan(1e-2);
  });

  it('writing back what was read changes nothing, at every inner value of floats', async () => {
    const path = `${block(1)}.${attention}`;
    const graph = new GraphBuilder();
    const floats = (module(path).sources ?? []).filter(({ dtype }) => dtype === 'float32');
    for (const source of floats)
      graph.write(`${path} source ${source.name}`, graph.read(`${path} source ${source.name}`));
    const logits = graph.save(graph.read('lm_head.output'));
    const { tensor, outcome } = await run(graph);
    expect(outcome.errors).toEqual([]);
    expect(floats.length).toBeGreaterThan(5);
    expect(relativeError(plain, tensor(logits))).toBeLessThan(1e-5);
  });

  it('reads every value that the whole model makes, with the dims and dtype that the description says', async () => {
    const graph = new GraphBuilder();
    const saves = engine.description.modules.flatMap(({ path, sources = [] }) =>
      sources.map((source) => [source, graph.save(graph.read(`${path} source ${source.name}`))] as const),
    );
    const { tensor, outcome } = await run(graph);
    expect(outcome.errors).toEqual([]);
    for (const [{ dtype, dims }, save] of saves) {
      const got = tensor(save);
      expect([got.dtype, got.dims.length]).toEqual([dtype, dims.length]);
      for (const [axis, dim] of dims.entries()) if (typeof dim === 'number') expect(got.dims[axis]).toBe(dim);
    }
  });

  it('stops at an inner value', async () => {
    const place = sourceOf(`${block(1)}.${attention}`, 'Softmax');
    const graph = new GraphBuilder();
    const late = graph.save(graph.read(`${block(1)}.${attention}.output[0]`));
    const save = graph.save(graph.read(place));
    graph.stop(place);
    const { values, accessErrors, outcome } = await run(graph);
    expect(outcome.state).toBe('completed');
    expect(values.has(save)).toBe(true);
    expect(accessErrors.get(late)?.code).toBe('not_reached');
  });

  it('reads and writes inputs by member', async () => {
    const { inputs } = module(block(1));
    const graph = new GraphBuilder();
    const saves = inputs.map((_, member) => graph.save(graph.read(`${block(1)}.input[${member}]`)));
    const { tensor, outcome } = await run(graph);
    expect(outcome.errors).toEqual([]);
    expect(saves.map((save) => tensor(save).dtype)).toEqual(inputs.map(({ dtype }) => dtype));
  });

  it('a whole write and a write of every axis by a scalar run nothing of the block', async () => {
    const counts: unknown[] = [];
    for (const how of ['whole', 'selection'] as const) {
      const graph = new GraphBuilder();
      if (how === 'whole') graph.write(`${block(1)}.output[0]`, graph.read(`${block(0)}.output[0]`));
      else graph.write(`${block(1)}.output[0]`, graph.scalar(0.5), []);
      graph.save(graph.read(`${block(1)}.output[0]`));
      const { outcome, values } = await run(graph);
      expect(outcome.errors).toEqual([]);
      expect(values.size).toBe(1);
      counts.push(outcome.report?.modulesRun);
    }
    const first = new GraphBuilder();
    first.save(first.read(`${block(0)}.output[0]`));
    const { outcome } = await run(first);
    expect(counts[0]).toBe(outcome.report?.modulesRun);
    expect(counts[1]).toBe(0);
  });

  it('does not count a module inside a cut block that nothing needed', async () => {
    const graph = new GraphBuilder();
    const stream = graph.read(`${block(1)}.input`);
    graph.write(`${block(1)}.mlp.output`, graph.operator('Mul', [stream, graph.scalar(0)]));
    const logits = graph.save(graph.read('lm_head.output'));
    const { outcome, tensor } = await run(graph);
    const inside = engine.description.modules.filter(
      ({ path, outputs }) => path.startsWith(`${block(1)}.mlp`) && outputs.length > 0,
    );
    const norm = 1;
    expect(outcome.report?.modulesTotal).toBe((outcome.report?.modulesRun ?? 0) + inside.length + norm);
    expect(relativeError(plain, tensor(logits))).toBeGreaterThan(1e-3);
  });

  describe('skip', () => {
    it('of a block by its input is as if the residual stream passed it by', async () => {
      const graph = new GraphBuilder();
      graph.skip(block(1), graph.read(`${block(1)}.input`));
      const given = graph.save(graph.read(`${block(1)}.output[0]`));
      const before = graph.save(graph.read(`${block(0)}.output[0]`));
      const logits = graph.save(graph.read('lm_head.output'));
      const { tensor, outcome } = await run(graph);
      expect(tensor(given).data).toEqual(tensor(before).data);
      const other = new GraphBuilder();
      other.write(`${block(2)}.input`, other.read(`${block(0)}.output[0]`));
      const wanted = other.save(other.read('lm_head.output'));
      const written = (await run(other)).tensor(wanted);
      expect(relativeError(written, tensor(logits))).toBeLessThan(1e-6);
      expect(relativeError(plain, tensor(logits))).toBeGreaterThan(1e-3);
      const inside = engine.description.modules.filter(
        ({ path, outputs }) => (path === block(1) || path.startsWith(`${block(1)}.`)) && outputs.length > 0,
      );
      expect(outcome.report?.modulesRun).toBe((outcome.report?.modulesTotal ?? 0) - inside.length);
    });

    it('of an MLP by zeros is its ablation', async () => {
      const graph = new GraphBuilder();
      graph.skip(
        `${block(1)}.mlp`,
        graph.operator('Mul', [graph.read(`${block(1)}.mlp.input`), graph.scalar(0)]),
      );
      const logits = graph.save(graph.read('lm_head.output'));
      const other = new GraphBuilder();
      other.write(`${block(1)}.mlp.output`, other.scalar(0), []);
      const wanted = other.save(other.read('lm_head.output'));
      expect((await run(graph)).tensor(logits).data).toEqual((await run(other)).tensor(wanted).data);
    });

    it('its inside does not run and says so; members without a value are unset, and the whole tuple too', async () => {
      const graph = new GraphBuilder();
      graph.skip(block(1), graph.read(`${block(1)}.input`));
      const inner = graph.save(graph.operator('Neg', [graph.read(`${block(1)}.mlp.output`)]));
      const source = graph.save(graph.read(sourceOf(`${block(1)}.${attention}`, 'Softmax')));
      const key = graph.save(graph.read(`${block(1)}.output[1]`));
      const whole = graph.save(graph.read(`${block(1)}.output`));
      const model = graph.save(graph.read('output'));
      const logits = graph.save(graph.read('output[0]'));
      const { accessErrors, outcome, values } = await run(graph);
      expect(outcome.state).toBe('completed');
      for (const save of [inner, source]) {
        expect(accessErrors.get(save)).toMatchObject({ code: 'not_reached' });
        expect(accessErrors.get(save)?.message).toMatch(
          new RegExp(`^Accessing value before it's been set\\..*${block(1)} was skipped`),
        );
      }
      for (const save of [key, whole, model]) {
        expect(accessErrors.get(save)).toMatchObject({ code: 'unset' });
        expect(accessErrors.get(save)?.message).toContain(`${block(1)} was skipped`);
      }
      expect(values.has(logits)).toBe(true);
    });

    it('by a tuple gives every member', async () => {
      const graph = new GraphBuilder();
      const tuple = graph.read(`${block(0)}.output`);
      graph.skip(block(1), tuple);
      const given = graph.save(graph.read(`${block(1)}.output`));
      const from = graph.save(tuple);
      const { values } = await run(graph);
      const [got, wanted] = [values.get(given), values.get(from)];
      if (!got || !wanted || !isTuple(got) || !isTuple(wanted)) throw new Error('A tuple is wanted.');
      expect(got.map((member) => (member as TensorLike).data)).toEqual(
        wanted.map((member) => (member as TensorLike).data),
      );
    });

    it('a write to its output comes after it, and a read between sees the value that stands for it', async () => {
      const graph = new GraphBuilder();
      graph.write(`${block(1)}.output[0]`, graph.scalar(3), [0, 0]);
      graph.skip(block(1), graph.read(`${block(1)}.input`));
      const given = graph.save(graph.read(`${block(1)}.output[0]`));
      const next = graph.save(graph.read(`${block(2)}.input`));
      const stream = graph.save(graph.read(`${block(1)}.input`));
      const { tensor } = await run(graph);
      const width = tensor(stream).dims[2] ?? 0;
      expect([...tensor(given).data.slice(0, width)]).toEqual(new Array(width).fill(3));
      expect(tensor(given).data.slice(width)).toEqual(tensor(stream).data.slice(width));
      expect(tensor(next).data).toEqual(tensor(given).data);
    });

    it('skips all blocks: the logits are the head’s of the embedding', async () => {
      const graph = new GraphBuilder();
      for (const path of engine.description.blocks) graph.skip(path, graph.read(`${path}.input`));
      const stream = graph.save(graph.read(`${block(0)}.input`));
      const last = graph.save(graph.read(`${engine.description.blocks.at(-1)}.output[0]`));
      const { tensor, outcome } = await run(graph);
      expect(tensor(last).data).toEqual(tensor(stream).data);
      expect(outcome.report?.modulesRun).toBeLessThan(6);
    });

    it('of dims that only the run tells ends it as failed, naming the module', async () => {
      const graph = new GraphBuilder();
      const wrong = graph.operator('ReduceSum', [graph.read(`${block(1)}.input`), graph.integers(2)]);
      const skip = graph.skip(block(1), wrong);
      const save = graph.save(graph.read('lm_head.output'));
      const { outcome, accessErrors } = await run(graph);
      expect(outcome.errors[0]).toMatchObject({ code: 'wrong_dims', node: skip, path: block(1) });
      expect(accessErrors.get(save)?.code).toBe('failed');
    });

    it('without a value for what must be written or run is an error, not a silent nothing', async () => {
      const graph = new GraphBuilder();
      graph.skip(block(0), graph.read(`${block(0)}.input`));
      const write = graph.write(`${block(1)}.output[1]`, graph.read(`${block(0)}.output[1]`));
      graph.save(graph.read(`${block(1)}.output[1]`));
      const { outcome } = await run(graph);
      expect(outcome.errors[0]).toMatchObject({ code: 'unset', node: write });
    });
  });

  it('with several prompts, each has its own skips, masks and inner values, as if it ran alone', async () => {
    const prompts = [IDS.ids, [9, 8, 7]];
    const place = sourceOf(`${block(1)}.${attention}`, 'Softmax');
    const draw = (graph: GraphBuilder, own: number, invoke: number): number[] => {
      const at = invoke === 0 ? '' : `${invoke}: `;
      if (own === 1) {
        graph.skip(block(1), graph.read(`${at}${block(1)}.input`), invoke);
        graph.write(`${at}${block(0)}.output[0]`, graph.scalar(2), [0, { indices: [0, -1] }]);
      } else {
        const probabilities = graph.read(`${at}${place}`);
        graph.write(`${at}${place}`, graph.scalar(0), [0, 1, {}, 0]);
        const hidden = graph.read(`${at}${block(2)}.output[0]`);
        const mask = graph.operator('Greater', [hidden, graph.scalar(0)]);
        graph.write(`${at}${block(2)}.output[0]`, graph.scalar(-1), undefined, mask);
        return [graph.save(probabilities), graph.save(graph.read(`${at}lm_head.output`))];
      }
      return [
        graph.save(graph.read(`${at}${block(1)}.output[0]`)),
        graph.save(graph.read(`${at}lm_head.output`)),
      ];
    };
    const together = new GraphBuilder();
    const saves = prompts.map((_, invoke) => draw(together, invoke, invoke));
    const unset = together.save(together.read(`1: ${block(1)}.output[1]`));
    const other = together.save(together.read(`${block(1)}.output[1]`));
    const inside = together.save(together.read(`1: ${place}`));
    const batch = await runGraph(
      engine,
      prompts.map((ids) => ({ ids })),
      together,
    );
    expect(batch.outcome.errors).toEqual([]);
    for (const [invoke, ids] of prompts.entries()) {
      const alone = new GraphBuilder();
      const wanted = draw(alone, invoke, 0);
      const { tensor } = await runGraph(engine, { ids }, alone);
      for (const [index, save] of wanted.entries()) {
        const got = batch.tensor(saves[invoke]?.[index] ?? 0);
        expect(got.dims).toEqual(tensor(save).dims);
        expect(relativeError(tensor(save), got)).toBeLessThan(1e-5);
      }
    }
    expect(batch.accessErrors.get(unset)).toMatchObject({ code: 'unset' });
    expect(batch.accessErrors.get(inside)).toMatchObject({ code: 'not_reached' });
    expect(batch.values.has(other)).toBe(true);
  });

  it('writes an index list and a mask, and leaves the rest', async () => {
    const place = `${block(1)}.output[0]`;
    const graph = new GraphBuilder();
    const before = graph.read(place);
    const old = graph.save(before);
    graph.write(place, graph.scalar(7), [0, { indices: [0, -1] }, { indices: [3, 1] }]);
    const listed = graph.save(graph.read(place));
    const mask = graph.operator('Greater', [before, graph.scalar(0)]);
    graph.write(place, graph.scalar(-1), undefined, mask);
    const masked = graph.save(graph.read(place));
    const { tensor } = await run(graph);
    const [, length = 0, width = 0] = tensor(old).dims;
    for (let index = 0; index < length * width; index++) {
      const [row, column] = [Math.floor(index / width), index % width];
      const was = Number(tensor(old).data[index]);
      const picked = [0, length - 1].includes(row) && [1, 3].includes(column) ? 7 : was;
      expect(tensor(listed).data[index]).toBe(picked);
      expect(tensor(masked).data[index]).toBe(was > 0 ? -1 : picked);
    }
  });

  it('an index that only the run finds outside, and a mask of the wrong length, end it as failed', async () => {
    const outside = new GraphBuilder();
    const write = outside.write(`${block(1)}.output[0]`, outside.scalar(7), [0, { indices: [0, 99] }]);
    outside.save(outside.read('lm_head.output'));
    expect((await run(outside)).outcome.errors[0]).toMatchObject({
      code: 'bad_selection',
      node: write,
      path: block(1),
    });
    const masked = new GraphBuilder();
    const mask = masked.constant({ dtype: 'bool', dims: [5, 1], data: Uint8Array.of(1, 0, 1, 0, 1) });
    masked.write(`${block(1)}.output[0]`, masked.scalar(7), undefined, mask);
    masked.save(masked.read('lm_head.output'));
    expect((await run(masked)).outcome.errors[0]).toMatchObject({
      code: 'wrong_dims',
      message: expect.stringContaining('mask'),
    });
  });
});
