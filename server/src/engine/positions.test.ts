/** Only the positions that a graph looks at are computed behind the last block, with what all of them would give. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Input, TensorLike } from '@tracewire/protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from './engine.ts';
import { GraphBuilder, relativeError, runGraph } from './testing/graphs.ts';
import { loadEngine, TINY_GPT2, TINY_LLAMA } from './testing/models.ts';
import { WatchedRuntime } from './testing/watched.ts';

const MATRIX = fileURLToPath(new URL('../../../test/fixtures/matrix/', import.meta.url));
const PROMPT: Input = { ids: [9, 31, 44, 12, 5, 77, 13, 2, 61] };
const LENGTH = 9;
/** Together longer than what runs as one segment. */
const LONG: readonly Input[] = [40, 33].map((length) => ({
  ids: Array.from({ length }, (_, index) => (index * 7) % 90),
}));
/** Of different lengths, the longest in the middle; one of a single token. */
const PROMPTS: readonly Input[] = [
  { ids: [17, 4, 25] },
  PROMPT,
  { ids: [88] },
  { ids: [3, 3, 20, 19, 40, 7] },
];

/** Largest error that the order of sums may make, against the RMS of what is wanted. */
const FLOAT_ERROR = 2e-5;

/** A part of a value, as nodes of a graph. */
type Take = (graph: GraphBuilder, value: number) => number;

const index =
  (position: number, axis = 1): Take =>
  (graph, value) =>
    graph.operator('Gather', [value, graph.integer(position)], { axis });
const list =
  (...positions: number[]): Take =>
  (graph, value) =>
    graph.operator('Gather', [value, graph.integers(...positions)], { axis: 1 });
const slice =
  (start: number, end: number, step = 1, axis = 1): Take =>
  (graph, value) => {
    const bounds = [start, end, axis, step].map((bound) => graph.integers(bound));
    return graph.operator('Slice', [value, ...bounds]);
  };
const then =
  (...takes: Take[]): Take =>
  (graph, value) =>
    takes.reduce((part, take) => take(graph, part), value);
const operator =
  (name: string, attributes?: Record<string, number>): Take =>
  (graph, value) =>
    graph.operator(name, [value], attributes);
const best: Take = (graph, value) =>
  graph.member(graph.operator('TopK', [value, graph.integers(4)], { axis: -1 }), 0);

const squeezed: Take = (graph, value) => graph.operator('Squeeze', [value, graph.integers(0)]);

const FAR = 2 ** 31 - 1;

let watched: WatchedRuntime;
let engine: Engine;
const load = async (folder: string): Promise<void> => {
  watched = new WatchedRuntime();
  engine = await loadEngine(folder, {}, watched.make);
};

/** The positions that were computed, of a prompt alone. */
function computed(): readonly number[] | undefined {
  const runs = watched.take();
  expect(runs.length).toBeLessThanOrEqual(1);
  return runs[0]?.positions[0];
}

/** What a part is when only it is looked at, and when all is; and the positions that the former computed. */
async function bothWays(place: string, take: Take, input: Input = PROMPT) {
  const graph = new GraphBuilder();
  const part = graph.save(take(graph, graph.read(place)));
  watched.take();
  const alone = await runGraph(engine, input, graph);
  const positions = computed();
  const all = new GraphBuilder();
  const value = all.read(place);
  const [same, whole] = [all.save(take(all, value)), all.save(value)];
  const beside = await runGraph(engine, input, all);
  for (const { outcome } of [alone, beside])
    expect(outcome).toMatchObject({ state: 'completed', errors: [] });
  expect(computed()).toHaveLength(lengthOf(input));
  expect(beside.tensor(whole).dims[1]).toBe(lengthOf(input));
  return { got: alone.tensor(part), wanted: beside.tensor(same), positions };
}

const lengthOf = (input: Input): number => ('ids' in input ? input.ids.length : 0);

function expectSame(wanted: TensorLike, got: TensorLike): void {
  expect(got.dims).toEqual(wanted.dims);
  expect(got.dtype).toBe(wanted.dtype);
  if (wanted.dtype === 'float32') expect(relativeError(wanted, got)).toBeLessThan(FLOAT_ERROR);
  else expect(got.data).toEqual(wanted.data);
}

describe.each([
  ['tiny-gpt2', TINY_GPT2, ['lm_head', 'transformer.ln_f']],
  ['tiny-llama', TINY_LLAMA, ['lm_head', 'model.norm']],
  ['gpt2, 4 bits', path.join(MATRIX, 'gpt2/torchscript-cache-int4'), ['lm_head', 'transformer.ln_f']],
  ['gemma, 4 bits', path.join(MATRIX, 'gemma/dynamo-cache-int4'), []],
  ['a builder’s llama', path.join(MATRIX, 'llama/builder-fp32'), ['lm_head', 'model.norm']],
  ['a builder’s llama, 4 bits', path.join(MATRIX, 'llama/builder-int4'), ['lm_head', 'model.norm']],
  ['bert', path.join(MATRIX, 'bert/dynamo'), ['cls.predictions.decoder', 'cls.predictions.transform.dense']],
] as const)('%s', (_, folder, modules) => {
  beforeAll(() => load(folder));
  afterAll(() => engine.release());

  it('computes the last position, at every place behind the last block', async () => {
    for (const place of ['output[0]', ...modules.map((module) => `${module}.output`)]) {
      const { got, wanted, positions } = await bothWays(place, index(-1));
      expect(positions).toEqual([LENGTH - 1]);
      expectSame(wanted, got);
    }
  });

  it('does by blocks what it does in one segment', async () => {
    const graph = new GraphBuilder();
    const saves = [0, 1].map((of) => graph.save(list(-1, 3)(graph, graph.read(`${of}: output[0]`))));
    watched.take();
    const ran = await runGraph(engine, LONG, graph);
    expect(ran.outcome).toMatchObject({ state: 'completed', errors: [] });
    expect(ran.outcome.report?.segmentsRun).toBeGreaterThan(1);
    expect(watched.take()).toMatchObject([
      {
        positions: [
          [3, 39],
          [3, 32],
        ],
      },
    ]);
    for (const [of, save] of saves.entries()) {
      const { wanted } = await bothWays('output[0]', list(-1, 3), LONG[of]);
      expectSame(wanted, ran.tensor(save));
    }
  });
});

it('computes all where a quantizer measures all positions together', async () => {
  await load(path.join(MATRIX, 'bert/torchscript-int8'));
  const graph = new GraphBuilder();
  graph.save(index(-1)(graph, graph.read('output[0]')));
  const ran = await runGraph(engine, PROMPT, graph);
  expect(ran.outcome).toMatchObject({ state: 'completed', errors: [] });
  expect(watched.take()).toEqual([]);
  await engine.release();
});

describe('tiny-gpt2', () => {
  beforeAll(() => load(TINY_GPT2));
  afterAll(() => engine.release());

  it.each([
    ['an index', index(2), [2]],
    ['a list, unordered, some twice', list(5, 0, -1, 5), [0, 5, 8]],
    ['a range', slice(-3, FAR), [6, 7, 8]],
    ['a range with a step', slice(1, 8, 3), [1, 4, 7]],
    ['a range backwards', slice(FAR, -FAR, -4), [0, 4, 8]],
    ['the batch first', then(index(0, 0), index(-1, 0)), [8]],
    ['a token first', then(index(700, 2), index(-2)), [7]],
    ['a range of tokens first', then(slice(10, 20, 1, 2), index(4)), [4]],
    ['best of the last', then(index(-1), best), [8]],
    ['last of the best', then(best, index(-1)), [8]],
    ['softmax first', then(operator('Softmax', { axis: -1 }), index(-1)), [8]],
    ['argmax first', then(operator('ArgMax', { axis: -1, keepdims: 0 }), index(-1)), [8]],
    ['argmax first, its axis kept', then(operator('ArgMax', { axis: 2 }), slice(0, 2)), [0, 1]],
    ['the batch squeezed', then(squeezed, index(-1, 0)), [8]],
    ['no position', slice(5, 5), [0]],
  ] as const)('computes what is looked at: %s', async (_, take, positions) => {
    const both = await bothWays('lm_head.output', take);
    expect(both.positions).toEqual(positions);
    expectSame(both.wanted, both.got);
  });

  it('computes what several reads look at together', async () => {
    const graph = new GraphBuilder();
    const first = graph.save(index(1)(graph, graph.read('lm_head.output')));
    const second = graph.save(list(-1, 1)(graph, graph.read('transformer.ln_f.output')));
    // A node that nothing needs looks at nothing.
    graph.operator('ReduceMax', [graph.read('lm_head.output')]);
    watched.take();
    const ran = await runGraph(engine, PROMPT, graph);
    expect(computed()).toEqual([1, 8]);
    expect([ran.tensor(first).dims, ran.tensor(second).dims]).toEqual([
      [1, 1536],
      [1, 2, 128],
    ]);
  });

  const ALL = Array.from({ length: LENGTH }, (_, position) => position);
  const last = (graph: GraphBuilder): number => graph.save(index(-1)(graph, graph.read('lm_head.output')));

  it.each<readonly [string, (graph: GraphBuilder) => void]>([
    ['is saved', (graph) => graph.save(graph.read('lm_head.output'))],
    ['is logged', (graph) => graph.log('all', graph.read('lm_head.output'))],
    ['is a member of what is saved', (graph) => graph.save(graph.read('output'))],
    ['of the norm is saved', (graph) => graph.save(graph.read('transformer.ln_f.output'))],
    ['is what the head takes, and saved', (graph) => graph.save(graph.read('lm_head.input'))],
    [
      'is reduced along positions',
      (graph) => graph.save(operator('ReduceMax')(graph, graph.read('lm_head.output'))),
    ],
    [
      'is normalized along positions',
      (graph) =>
        graph.save(then(operator('Softmax', { axis: 1 }), index(-1))(graph, graph.read('lm_head.output'))),
    ],
    [
      'is flipped',
      (graph) => graph.save(then(operator('Transpose'), index(0, 2))(graph, graph.read('lm_head.output'))),
    ],
    [
      'is given to a module',
      (graph) => graph.save(index(-1)(graph, graph.apply('lm_head', graph.read('transformer.ln_f.output')))),
    ],
    [
      'is indexed by what the data tells',
      (graph) => {
        const value = graph.read('lm_head.output');
        const place = graph.operator('ArgMax', [index(0, 2)(graph, value)], { axis: 1, keepdims: 0 });
        graph.save(graph.operator('Gather', [value, place], { axis: 1 }));
      },
    ],
    [
      'divides',
      (graph) => {
        const best = operator('ArgMax', { axis: 2 })(graph, graph.read('lm_head.output'));
        graph.save(
          index(-1)(
            graph,
            graph.operator('Div', [graph.integers(1000), graph.operator('Add', [best, graph.integers(1)])]),
          ),
        );
      },
    ],
    ['is written', (graph) => graph.write('lm_head.output', graph.scalar(1), [0, 0])],
    ['of the norm is written', (graph) => graph.write('transformer.ln_f.output', graph.scalar(1), [0, 0])],
    [
      'of the norm is skipped',
      (graph) => graph.skip('transformer.ln_f', graph.read('transformer.ln_f.input')),
    ],
  ])('computes all where a value %s', async (_, also) => {
    const graph = new GraphBuilder();
    also(graph);
    const save = last(graph);
    watched.take();
    const ran = await runGraph(engine, PROMPT, graph);
    expect(ran.outcome).toMatchObject({ state: 'completed', errors: [] });
    expect(ran.tensor(save).dims).toEqual([1, 1536]);
    for (const { positions } of watched.take()) expect(positions).toEqual([ALL]);
  });

  it.each<readonly [string, (graph: GraphBuilder) => void]>([
    ['in a block', (graph) => graph.write('transformer.h.2.mlp.output', graph.scalar(0), [0, 3])],
    ['at the last block', (graph) => graph.write('transformer.h.5.output[0]', graph.scalar(2), [0, -1])],
    ['of what the norm takes', (graph) => graph.write('transformer.ln_f.input', graph.scalar(2), [0, -1, 5])],
  ])('sees a write %s', async (_, write) => {
    const run = async (also: (graph: GraphBuilder) => void) => {
      const graph = new GraphBuilder();
      write(graph);
      const save = last(graph);
      also(graph);
      watched.take();
      const ran = await runGraph(engine, PROMPT, graph);
      expect(ran.outcome).toMatchObject({ state: 'completed', errors: [] });
      return { logits: ran.tensor(save), positions: computed() };
    };
    const some = await run(() => undefined);
    const all = await run((graph) => graph.save(graph.read('lm_head.output')));
    expect([some.positions, all.positions]).toEqual([[LENGTH - 1], ALL]);
    expectSame(all.logits, some.logits);
    const plain = new GraphBuilder();
    const save = last(plain);
    const unwritten = (await runGraph(engine, PROMPT, plain)).tensor(save);
    expect(relativeError(unwritten, some.logits)).toBeGreaterThan(1e-2);
  });

  it('reads what it computed nowhere else than at its positions', async () => {
    const graph = new GraphBuilder();
    const logits = graph.read('lm_head.output');
    const save = graph.save(index(-1)(graph, logits));
    const dims = graph.save(graph.operator('Shape', [index(3, 2)(graph, logits)]));
    watched.take();
    const ran = await runGraph(engine, PROMPT, graph);
    expect(computed()).toEqual(ALL);
    expect([ran.tensor(save).dims, [...ran.tensor(dims).data]]).toEqual([
      [1, 1536],
      [1n, 9n],
    ]);
  });

  it('gives each prompt of a batch its own positions', async () => {
    const graph = new GraphBuilder();
    const takes: readonly Take[] = [index(-1), list(0, -2), index(0), slice(-2, FAR)];
    const saves = takes.map((take, invoke) =>
      graph.save(take(graph, graph.read(`${invoke}: lm_head.output`))),
    );
    watched.take();
    const ran = await runGraph(engine, PROMPTS, graph);
    const [run] = watched.take();
    expect(run?.positions).toEqual([
      [2, 2],
      [0, 7],
      [0, 0],
      [4, 5],
    ]);
    expect(run?.dims).toEqual({ logits: [4, 2, 1536] });
    for (const [invoke, save] of saves.entries()) {
      const { wanted } = await bothWays('lm_head.output', takes[invoke] as Take, PROMPTS[invoke]);
      expectSame(wanted, ran.tensor(save));
    }
  });

  it.each([
    ['nothing of one that looks at none', [1], [[0], [8], [0], [0]]],
    ['all of one that looks at all of it', [1, 2], [[0], [8], [0], [0]]],
    [
      'as many of each',
      [1, 0],
      [
        [0, 1, 2],
        [8, 8, 8],
        [0, 0, 0],
        [0, 0, 0],
      ],
    ],
  ])('computes %s', async (_, [some = 0, whole], positions) => {
    const graph = new GraphBuilder();
    const save = graph.save(index(-1)(graph, graph.read(`${some}: lm_head.output`)));
    const all = whole === undefined ? undefined : graph.save(graph.read(`${whole}: lm_head.output`));
    watched.take();
    const ran = await runGraph(engine, PROMPTS, graph);
    expect(watched.take()[0]?.positions).toEqual(positions);
    const { wanted } = await bothWays('lm_head.output', index(-1), PROMPTS[some]);
    expectSame(wanted, ran.tensor(save));
    if (whole === undefined || all === undefined) return;
    const alone = await bothWays('lm_head.output', slice(0, FAR), PROMPTS[whole]);
    expectSame(alone.wanted, ran.tensor(all));
  });

  it('takes the same positions of each row of feeds', async () => {
    const graph = new GraphBuilder();
    const save = graph.save(index(-1)(graph, graph.read('lm_head.output')));
    const data = BigInt64Array.from([9, 31, 44, 12, 5, 77].map(BigInt));
    const ids: TensorLike = { dtype: 'int64', dims: [2, 3], data };
    const input: Input = { feeds: { input_ids: { ...ids, offset: 0, length: data.byteLength } } };
    watched.take();
    const fed = [new Map([['input_ids', ids]])];
    const ran = await runGraph(engine, input, graph, () => false, fed);
    expect(ran.outcome).toMatchObject({ state: 'completed', errors: [] });
    expect(watched.take()[0]?.positions).toEqual([[2], [2]]);
    expect(ran.tensor(save).dims).toEqual([2, 1536]);
    for (const [row, ids] of [
      [9, 31, 44],
      [12, 5, 77],
    ].entries()) {
      const { wanted } = await bothWays('lm_head.output', index(-1), { ids });
      const own = ran.tensor(save).data.subarray(row * 1536, (row + 1) * 1536) as Float32Array;
      expectSame(wanted, { dtype: 'float32', dims: [1, 1536], data: own });
    }
  });

  it('gives what all positions give, whatever is looked at, in any order', async () => {
    const position = fc.integer({ min: -3, max: 2 });
    const part = fc.oneof(
      position.map((at) => index(at)),
      fc.array(position, { minLength: 1, maxLength: 4 }).map((at) => list(...at)),
      fc
        .record({
          start: fc.integer({ min: -4, max: 4 }),
          end: fc.integer({ min: -4, max: 4 }),
          step: fc.constantFrom(1, 2, -1),
        })
        .map(({ start, end, step }) => slice(start, end, step)),
    );
    const before = fc.constantFrom<Take>(
      (_, value) => value,
      operator('Softmax', { axis: -1 }),
      best,
      slice(3, 40, 5, 2),
      operator('Neg'),
    );
    const looks = fc.array(
      fc.record({
        invoke: fc.nat(2),
        place: fc.constantFrom('lm_head.output', 'transformer.ln_f.output', 'lm_head.input'),
        take: fc.tuple(before, part).map((takes) => then(...takes)),
      }),
      { minLength: 1, maxLength: 5 },
    );
    const prompts = [PROMPTS[0], PROMPTS[1], PROMPTS[3]] as Input[];
    let narrowed = 0;
    await fc.assert(
      fc.asyncProperty(looks, async (looks) => {
        const run = async (all: boolean) => {
          const graph = new GraphBuilder();
          const saves = looks.map(({ invoke, place, take }) =>
            graph.save(take(graph, graph.read(`${invoke}: ${place}`))),
          );
          if (all) graph.save(graph.read('1: lm_head.output'));
          watched.take();
          const ran = await runGraph(engine, prompts, graph);
          expect(ran.outcome).toMatchObject({ state: 'completed', errors: [] });
          return { ran, saves, positions: watched.take()[0]?.positions[0]?.length ?? 0 };
        };
        const [some, all] = [await run(false), await run(true)];
        expect(all.positions).toBe(LENGTH);
        narrowed += Number(some.positions < LENGTH);
        for (const [at, save] of some.saves.entries())
          expectSame(all.ran.tensor(all.saves[at] ?? -1), some.ran.tensor(save));
      }),
      { numRuns: 60, seed: 493 },
    );
    expect(narrowed).toBeGreaterThan(50);
  });
});
