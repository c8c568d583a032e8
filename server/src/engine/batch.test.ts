/** Several prompts in one pass, on real models: each as if it ran alone. */
import type { Input, ModelDescription, TensorLike } from '@tracewire/protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from './engine.ts';
import { GraphBuilder, type Ran, relativeError, runGraph } from './testing/graphs.ts';
import { CountingRuntime, loadEngine, TINY_GPT2, TINY_LLAMA } from './testing/models.ts';
import { wrappedRuntime } from './testing/wrapped-runtime.ts';

/** Of different lengths, the longest in the middle; one of a single token. */
const PROMPTS: readonly Input[] = [
  { ids: [17, 4, 250] },
  { ids: [9, 301, 44, 12, 5, 77, 130, 2, 61] },
  { ids: [88] },
  { ids: [3, 3, 200, 19, 40, 7] },
];

/** Largest error that the order of sums may make, against the RMS of what is wanted. */
const FLOAT_ERROR = 2e-5;
/** What a fault must make at least, so that the tests would see it. */
const EFFECT = 1e-2;

/** As `relativeError`, also where all that is wanted is 0, as the sine of position 0. */
function errorOf(wanted: TensorLike, got: TensorLike): number {
  const zero = wanted.data.every(((value: unknown) => value === 0) as never);
  if (!zero) return relativeError(wanted, got);
  const largest = Math.max(...(got.data as Float32Array).map(Math.abs));
  return Number.isNaN(largest) ? Number.POSITIVE_INFINITY : largest;
}

/** Every place with a tensor that a batch may read. */
function places({ modules }: ModelDescription): string[] {
  return modules.flatMap(({ path, inputs, outputs, sources = [] }) => {
    const of = (port: string): string => (path === '' ? port : `${path}.${port}`);
    return [
      ...inputs.flatMap(({ mixed }, member) => (mixed ? [] : [`${of('input')}[${member}]`])),
      ...sources.flatMap(({ name, mixed }) => (mixed ? [] : [`${path} source ${name}`])),
      ...outputs.flatMap(({ mixed }, member) => (mixed ? [] : [`${of('output')}[${member}]`])),
    ];
  });
}

/** Reads and saves these places, of one invoke or of each. */
function savesOf(names: readonly string[], invokes: readonly string[] = ['']) {
  const graph = new GraphBuilder();
  const saves = invokes.map((invoke) => names.map((name) => graph.save(graph.read(`${invoke}${name}`))));
  return { graph, saves };
}

const each = PROMPTS.map((_, invoke) => `${invoke}: `);

/** The largest error of the batch's values against those of the prompts alone, place by place. */
async function errorsOf(together: Engine, alone: Engine): Promise<number[][]> {
  const names = places(alone.description);
  const { graph, saves } = savesOf(names, each);
  const batch = await runGraph(together, PROMPTS, graph);
  expect(batch.outcome).toMatchObject({ state: 'completed', errors: [] });
  const errors: number[][] = [];
  for (const [invoke, prompt] of PROMPTS.entries()) {
    const single = savesOf(names);
    const wanted = await runGraph(alone, prompt, single.graph);
    errors.push(
      names.map((_, index) => {
        const [a, b] = [
          wanted.tensor(single.saves[0]?.[index] ?? -1),
          batch.tensor(saves[invoke]?.[index] ?? -1),
        ];
        expect(b.dims).toEqual(a.dims);
        expect(b.dtype).toBe(a.dtype);
        return a.dtype === 'float32' ? errorOf(a, b) : Number(String(a.data) !== String(b.data));
      }),
    );
  }
  return errors;
}

const largest = (errors: readonly number[][]): number => Math.max(...errors.flat());

/** ONNX Runtime, with a feed of the model put wrong. */
const withWrongFeed = (feed: string, wrong: (index: number, width: number) => number) =>
  wrappedRuntime((run, feeds, fetches) => {
    const given = feeds.get(feed);
    if (!given) return run(feeds, fetches);
    const width = given.dims[1] ?? 1;
    const data = given.data.map(((_: unknown, index: number) =>
      BigInt(wrong(index, width))) as never) as typeof given.data;
    return run(new Map([...feeds, [feed, { ...given, data }]]), fetches);
  });

/** Own tokens of a row, as the prompts have them. */
const lengthOf = (row: number): number => {
  const prompt = PROMPTS[row];
  return prompt && 'ids' in prompt ? prompt.ids.length : 0;
};
const padding = (index: number, width: number): number => width - lengthOf(Math.floor(index / width));

describe.each([
  ['tiny-gpt2', TINY_GPT2, (index: number, width: number) => (index % width) + padding(index, width)],
  // Its positions are relative, so that a shift alone changes nothing.
  ['tiny-llama', TINY_LLAMA, () => 0],
] as const)('%s', (_, folder, wrongPosition) => {
  let engine: Engine;
  const hidden = folder === TINY_GPT2 ? 'transformer.h.1.output' : 'model.layers.1.output';
  const after = folder === TINY_GPT2 ? 'transformer.h.2.output' : 'model.layers.2.output';

  beforeAll(async () => {
    engine = await loadEngine(folder);
  });
  afterAll(() => engine.release());

  it('gives each prompt at every place what it gets alone', async () => {
    const errors = await errorsOf(engine, engine);
    expect(errors[0]?.length).toBeGreaterThan(50);
    expect(largest(errors)).toBeLessThan(FLOAT_ERROR);
  });

  it('would be seen to be wrong with wrong positions, or with padding on the other side', async () => {
    const positions = await loadEngine(folder, {}, withWrongFeed('position_ids', wrongPosition));
    expect(largest(await errorsOf(positions, engine))).toBeGreaterThan(EFFECT);
    await positions.release();
    const left = (index: number, width: number) => Number(index % width >= padding(index, width));
    const mask = await loadEngine(folder, {}, withWrongFeed('attention_mask', left));
    expect(largest(await errorsOf(mask, engine))).toBeGreaterThan(EFFECT);
    await mask.release();
  });

  it('patches what one prompt has into another in one pass, as two passes would', async () => {
    const [from, to] = [PROMPTS[1] as Input, PROMPTS[3] as Input];
    const last = (graph: GraphBuilder, value: number) =>
      graph.operator('Gather', [value, graph.integers(-1)], { axis: 1 });
    const graph = new GraphBuilder();
    const patch = last(graph, graph.read(`0: ${hidden}[0]`));
    graph.write(`1: ${hidden}[0]`, patch, [{}, { start: -1 }]);
    const saves = [graph.save(graph.read('0: lm_head.output')), graph.save(graph.read('1: lm_head.output'))];
    const ran = await runGraph(engine, [from, to], graph);

    const first = new GraphBuilder();
    const kept = [
      first.save(last(first, first.read(`${hidden}[0]`))),
      first.save(first.read('lm_head.output')),
    ] as const;
    const source = await runGraph(engine, from, first);
    const second = new GraphBuilder();
    second.write(`${hidden}[0]`, second.constant(source.tensor(kept[0])), [{}, { start: -1 }]);
    const logits = second.save(second.read('lm_head.output'));
    const patched = await runGraph(engine, to, second);
    expect(relativeError(patched.tensor(logits), ran.tensor(saves[1] ?? -1))).toBeLessThan(FLOAT_ERROR);
    expect(relativeError(source.tensor(kept[1]), ran.tensor(saves[0] ?? -1))).toBeLessThan(FLOAT_ERROR);
    const plain = savesOf(['lm_head.output']);
    const unpatched = await runGraph(engine, to, plain.graph);
    expect(
      relativeError(unpatched.tensor(plain.saves[0]?.[0] ?? -1), ran.tensor(saves[1] ?? -1)),
    ).toBeGreaterThan(EFFECT);
  });

  it('lets an invoke take at a place what an earlier one wrote there', async () => {
    const graph = new GraphBuilder();
    graph.write(`0: ${hidden}[0]`, graph.scalar(3), []);
    const written = graph.read(`0: ${hidden}[0]`);
    const row = graph.operator('Gather', [written, graph.integers(0)], { axis: 1 });
    graph.write(`1: ${hidden}[0]`, row, []);
    const saves = [0, 1].map((invoke) => graph.save(graph.read(`${invoke}: ${hidden}[0]`)));
    const ran = await runGraph(engine, PROMPTS.slice(0, 2), graph);
    for (const [invoke, save] of saves.entries()) {
      const { dims, data } = ran.tensor(save);
      expect(dims.slice(0, 2)).toEqual([1, lengthOf(invoke)]);
      expect(new Set(data as Float32Array)).toEqual(new Set([3]));
    }
  });

  it('changes nothing of the others with what one invoke writes', async () => {
    const names = places(engine.description);
    const { graph, saves } = savesOf(names, each);
    const plain = await runGraph(engine, PROMPTS, graph);
    const other = new GraphBuilder();
    other.write(`1: ${hidden}[0]`, other.scalar(0), []);
    other.write(`1: ${after}[0]`, other.scalar(7), [0, -1]);
    other.write(`3: ${hidden}[0]`, other.scalar(1), [{}, { start: 2 }]);
    const again = each.map((invoke) => names.map((name) => other.save(other.read(`${invoke}${name}`))));
    const written = await runGraph(engine, PROMPTS, other);
    const change = (invoke: number): number =>
      Math.max(
        ...names.map((_, index) => {
          const a = plain.tensor(saves[invoke]?.[index] ?? -1);
          return a.dtype === 'float32' ? errorOf(a, written.tensor(again[invoke]?.[index] ?? -1)) : 0;
        }),
      );
    expect(change(0)).toBeLessThan(FLOAT_ERROR);
    expect(change(2)).toBeLessThan(FLOAT_ERROR);
    expect(change(1)).toBeGreaterThan(EFFECT);
    expect(change(3)).toBeGreaterThan(EFFECT);
  });

  it('counts a selection by the invoke’s own tokens, and wants its own dims', async () => {
    const graph = new GraphBuilder();
    graph.write(`0: ${hidden}[0]`, graph.scalar(5), [0, -1]);
    const save = graph.save(graph.read(`0: ${hidden}[0]`));
    const before = graph.save(graph.read(`1: ${hidden}[0]`));
    const ran = await runGraph(engine, PROMPTS.slice(0, 2), graph);
    const { dims, data } = ran.tensor(save);
    const width = dims[2] ?? 0;
    const row = (index: number) => new Set(data.subarray(index * width, (index + 1) * width) as Float32Array);
    expect(row(2)).toEqual(new Set([5]));
    expect(row(1).size).toBeGreaterThan(10);
    expect(ran.tensor(before).dims).toEqual([1, 9, width]);

    const wrong = new GraphBuilder();
    wrong.write(`0: ${hidden}[0]`, wrong.read(`1: ${hidden.replace('.1.', '.0.')}[0]`));
    const lost = wrong.save(wrong.read('0: lm_head.output'));
    const failed = await runGraph(engine, PROMPTS.slice(0, 2), wrong);
    expect(failed.outcome).toMatchObject({
      state: 'failed',
      errors: [{ code: 'wrong_dims', wanted: `[1, 3, ${width}]`, got: `[1, 9, ${width}]` }],
    });
    expect(failed.accessErrors.get(lost)).toMatchObject({ code: 'failed' });
  });
});

describe('a batch', () => {
  const counting = new CountingRuntime();
  let engine: Engine;
  beforeAll(async () => {
    engine = await loadEngine(TINY_GPT2, { batchTokens: 40 }, counting.make);
  });
  afterAll(() => engine.release());

  const runCounted = async (
    inputs: readonly Input[],
    graph: GraphBuilder,
  ): Promise<{ ran: Ran; runs: number }> => {
    const before = counting.run.length;
    const ran = await runGraph(engine, inputs, graph);
    return { ran, runs: counting.run.length - before };
  };

  it('ends an invoke at its stop, and the pass when none needs more', async () => {
    const graph = new GraphBuilder();
    const deep = graph.save(graph.read('1: transformer.h.2.output[0]'));
    const cutOff = graph.save(graph.read('0: transformer.h.1.output[0]'));
    graph.stop('0: transformer.h.0.output');
    const { ran, runs } = await runCounted(PROMPTS.slice(0, 2), graph);
    // What comes before the blocks, and three of them.
    expect(runs).toBe(4);
    expect(ran.outcome.report).toMatchObject({
      segmentsRun: 4,
      stoppedAfter: 'transformer.h.2',
      tokens: 12,
    });
    expect(ran.tensor(deep).dims).toEqual([1, 9, 128]);
    expect(ran.accessErrors.get(cutOff)).toMatchObject({
      code: 'not_reached',
      message:
        "Accessing value before it's been set. transformer.h.1.output[0] was not reached: invoke 0 stopped after transformer.h.0.",
    });
  });

  it('ends with the last of the stops', async () => {
    const graph = new GraphBuilder();
    for (const [invoke, block] of [1, 0, 2].entries()) {
      graph.save(graph.read(`${invoke}: transformer.h.${block}.output[0]`));
      graph.save(graph.read(`${invoke}: lm_head.output`));
      graph.stop(`${invoke}: transformer.h.${block}.output`);
    }
    const { ran, runs } = await runCounted(PROMPTS.slice(0, 3), graph);
    expect(runs).toBe(4);
    expect([...ran.accessErrors.values()].map(({ message }) => message.split(': ')[1])).toEqual([
      'invoke 0 stopped after transformer.h.1.',
      'invoke 1 stopped after transformer.h.0.',
      'invoke 2 stopped after transformer.h.2.',
    ]);
    expect(ran.outcome).toMatchObject({ state: 'completed', report: { stoppedAfter: 'transformer.h.2' } });
  });

  it('takes an invoke as far as others need it', async () => {
    const graph = new GraphBuilder();
    graph.write('2: transformer.h.0.output[0]', graph.scalar(2), []);
    const far = graph.operator('ReduceMean', [graph.read('2: transformer.h.1.attn.output[0]')], {
      keepdims: 0,
    });
    graph.write('1: transformer.h.1.output[0]', far, []);
    const further = graph.operator('ReduceMean', [graph.read('1: transformer.h.2.output[0]')], {
      keepdims: 0,
    });
    graph.write('0: transformer.h.3.output[0]', further, []);
    const save = graph.save(graph.read('0: transformer.h.3.output[0]'));
    const { ran } = await runCounted(PROMPTS.slice(0, 3), graph);
    const [value] = ran.tensor(save).data;

    const alone = async (prompt: Input, write: [string, number], read: string): Promise<number> => {
      const single = new GraphBuilder();
      single.write(write[0], single.scalar(write[1]), []);
      const mean = single.save(single.operator('ReduceMean', [single.read(read)], { keepdims: 0 }));
      return Number((await runGraph(engine, prompt, single)).tensor(mean).data[0]);
    };
    const [, second, third] = PROMPTS as [Input, Input, Input];
    const a = await alone(third, ['transformer.h.0.output[0]', 2], 'transformer.h.1.attn.output[0]');
    const b = await alone(second, ['transformer.h.1.output[0]', a], 'transformer.h.2.output[0]');
    expect(Number(value)).toBeCloseTo(b, 5);
  });

  it('does not do what an invoke wrote behind its end', async () => {
    const graph = new GraphBuilder();
    const save = graph.save(graph.read('0: transformer.h.0.output[0]'));
    // It would not fit, but only the data tells.
    const distinct = graph.member(graph.operator('Unique', [graph.read('0: transformer.h.0.output[0]')]), 0);
    graph.write(
      '0: transformer.h.3.output[0]',
      graph.operator('Reshape', [distinct, graph.operator('Neg', [graph.integers(-1, -1, 1)])]),
    );
    const other = graph.save(graph.read('1: lm_head.output'));
    const { ran } = await runCounted(PROMPTS.slice(0, 2), graph);
    expect(ran.outcome.state).toBe('completed');
    expect([...ran.values.keys()].sort()).toEqual([save, other]);
  });

  it('shares one cut among all writes at a place', async () => {
    const graph = new GraphBuilder();
    for (const invoke of [0, 1, 2, 3]) {
      graph.write(`${invoke}: transformer.h.1.mlp.output`, graph.scalar(invoke), []);
      graph.save(graph.read(`${invoke}: transformer.h.1.output[0]`));
    }
    const { ran } = await runCounted(PROMPTS, graph);
    // Before the blocks, h.0, and h.1 in two parts.
    expect(ran.outcome.report).toMatchObject({ segmentsRun: 4 });
  });

  it('keeps what was read before a write, and what the module inside sees', async () => {
    const graph = new GraphBuilder();
    const before = graph.save(graph.read('1: transformer.h.1.mlp.input'));
    graph.write('1: transformer.h.1.mlp.input', graph.scalar(0), []);
    const inside = graph.save(graph.read('1: transformer.h.1.mlp.c_fc.input'));
    const ln = graph.save(graph.read('1: transformer.h.1.ln_2.output'));
    const { ran } = await runCounted(PROMPTS.slice(0, 2), graph);
    expect(new Set(ran.tensor(inside).data as Float32Array)).toEqual(new Set([0]));
    expect(ran.tensor(before).data).toEqual(ran.tensor(ln).data);
    expect(new Set(ran.tensor(before).data as Float32Array).size).toBeGreaterThan(100);
  });

  it('applies modules and takes parameters in each', async () => {
    const names = ['0: ', '1: '];
    const graph = new GraphBuilder();
    const lens = (graph: GraphBuilder, invoke: string) => {
      const hidden = graph.read(`${invoke}transformer.h.1.output[0]`);
      const bias = graph.parameter('transformer.ln_f.bias');
      return graph.save(
        graph.apply('lm_head', graph.operator('Add', [graph.apply('transformer.ln_f', hidden), bias])),
      );
    };
    const saves = names.map((invoke) => lens(graph, invoke));
    const { ran } = await runCounted(PROMPTS.slice(0, 2), graph);
    for (const [invoke, save] of saves.entries()) {
      const alone = new GraphBuilder();
      const wanted = lens(alone, '');
      const single = await runGraph(engine, PROMPTS[invoke] as Input, alone);
      expect(relativeError(single.tensor(wanted), ran.tensor(save))).toBeLessThan(FLOAT_ERROR);
    }
  });

  it('gives each invoke what it gets alone, whatever each of them does, in any order', async () => {
    const blocks = ['transformer.h.1', 'transformer.h.2'];
    const names = blocks.flatMap((path) => [
      `${path}.ln_1.output`,
      `${path}.attn.c_proj.output`,
      `${path}.attn.output[0]`,
      `${path}.mlp.input`,
      `${path}.mlp.c_fc.input`,
      `${path}.output[0]`,
      `${path}.output[1]`,
    ]);
    const act = fc.record({
      invoke: fc.nat(2),
      place: fc.constantFrom(...names),
      kind: fc.constantFrom('read', 'add', 'fill'),
      scale: fc.integer({ min: 1, max: 3 }),
    });
    type Act = typeof act extends fc.Arbitrary<infer A> ? A : never;
    const draw = (acts: readonly Act[], invoke: (of: number) => string) => {
      const graph = new GraphBuilder();
      const saves = new Map<Act, number>();
      for (const one of acts) {
        const place = `${invoke(one.invoke)}${one.place}`;
        if (one.kind === 'read') saves.set(one, graph.save(graph.read(place)));
        else if (one.kind === 'fill') graph.write(place, graph.scalar(one.scale), [0, -1]);
        else graph.write(place, graph.operator('Mul', [graph.read(place), graph.scalar(one.scale)]));
      }
      // What comes of it further on.
      const ends = (invoke(1) === '' ? [0] : [0, 1, 2]).map((of) =>
        graph.save(graph.read(`${invoke(of)}transformer.h.3.output[0]`)),
      );
      return { graph, saves, ends };
    };
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 4, maxLength: 14 }), async (acts) => {
        const { graph, saves, ends } = draw(acts, (of) => `${of}: `);
        const batch = await runGraph(engine, PROMPTS.slice(0, 3), graph);
        expect(batch.outcome.errors).toEqual([]);
        for (let of = 0; of < 3; of++) {
          const single = draw(
            acts.filter(({ invoke }) => invoke === of),
            () => '',
          );
          const alone = await runGraph(engine, PROMPTS[of] as Input, single.graph);
          const pairs = [...single.saves].map(([one, save]) => [save, saves.get(one)]);
          for (const [a = -1, b = -1] of [...pairs, [single.ends[0], ends[of]]]) {
            expect(errorOf(alone.tensor(a), batch.tensor(b))).toBeLessThan(FLOAT_ERROR * 5);
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  it('of one is what it was: the same bytes, with its invoke named or not', async () => {
    const one = savesOf(places(engine.description), ['0: ']);
    const none = savesOf(places(engine.description));
    const named = await runGraph(engine, [PROMPTS[1] as Input], one.graph);
    const plain = await runGraph(engine, PROMPTS[1] as Input, none.graph);
    for (const [index, save] of none.saves[0]?.entries() ?? []) {
      expect(named.tensor(one.saves[0]?.[index] ?? -1)).toEqual(plain.tensor(save));
    }
  });

  it('takes texts, and counts them when it knows their tokens', async () => {
    const { graph } = savesOf(['transformer.h.0.output[0]'], ['0: ', '1: ']);
    const text = 'The Eiffel Tower is in the city of';
    const tokens = engine.tokenizer.encode(text).ids.length;
    const room = Math.floor(40 / tokens);
    const fits = await runGraph(engine, Array<Input>(room).fill({ text }), graph);
    expect(fits.outcome).toMatchObject({ state: 'completed', report: { tokens: room * tokens } });
    const past = await runGraph(engine, Array<Input>(room + 1).fill({ text }), graph);
    expect(past.outcome).toMatchObject({
      state: 'failed',
      errors: [{ code: 'input_too_long', path: 'graph.invokes', wanted: 'at most 40' }],
    });
  });

  it.each([
    [20, 'completed'],
    [21, 'failed'],
  ])('of two prompts, the longer of %i tokens, with room for 40, is %s', async (length, state) => {
    const { graph } = savesOf(['transformer.h.0.output[0]'], ['0: ', '1: ']);
    const ids = new Array<number>(length).fill(5);
    const ran = await runGraph(engine, [{ ids: [1] }, { ids }], graph);
    expect(ran.outcome.state).toBe(state);
    expect(ran.outcome.report?.tokens).toBe(state === 'completed' ? length + 1 : undefined);
  });
});
