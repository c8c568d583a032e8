/** Runs that share a pass, on real models: each as if it ran alone, whatever the others do. */
import {
  type ErrorBody,
  type Graph,
  isTuple,
  type Selection,
  type TensorLike,
  type Value,
} from '@tracewire/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../engine/engine.ts';
import { GraphBuilder, relativeError, runGraph } from '../engine/testing/graphs.ts';
import { loadEngine, TINY_GPT2, TINY_LLAMA } from '../engine/testing/models.ts';
import { canBeJoined, joinPayloads, joinRuns, payloadsOf } from './join.ts';
import { parted } from './parted.ts';

const FLOAT_ERROR = 2e-5;
const PROMPTS = [[17, 4, 250], [9, 301, 44, 12, 5, 77], [88]] as const;

interface Heard {
  readonly values: Map<number, Value>;
  readonly errors: Map<number, ErrorBody>;
  readonly logs: (string | undefined)[];
}

/** Several runs in one pass: what each heard, and how it ended. */
async function together(engine: Engine, runs: readonly (readonly [readonly number[], GraphBuilder])[]) {
  const joined = joinRuns(
    runs.map(([ids, { nodes, constants }]) => ({
      graph: { invokes: [{ input: { ids: [...ids] } }], nodes },
      constants,
    })),
  );
  const heard = runs.map((): Heard => ({ values: new Map(), errors: new Map(), logs: [] }));
  const outcome = await engine.runTogether(
    joined,
    parted(joined.firsts, (run) => ({
      value: (save, value) => heard[run]?.values.set(save, value),
      accessError: (save, error) => heard[run]?.errors.set(save, error),
      log: (_, text) => heard[run]?.logs.push(text),
      progress: () => undefined,
      token: () => undefined,
    })),
    () => false,
  );
  return { outcome, heard };
}

const alone = (engine: Engine, ids: readonly number[], graph: GraphBuilder) =>
  runGraph(engine, { ids: [...ids] }, graph);

function errorOf(wanted: Value | undefined, got: Value | undefined): number {
  const [a, b] = [tensorsOf(wanted), tensorsOf(got)];
  expect(b.map(({ dtype, dims }) => [dtype, dims])).toEqual(a.map(({ dtype, dims }) => [dtype, dims]));
  return Math.max(...a.map((tensor, index) => relativeError(tensor, b[index] as TensorLike)));
}

function tensorsOf(value: Value | undefined): readonly TensorLike[] {
  if (value === undefined) throw new Error('there is no value');
  return isTuple(value) ? value.flatMap((member) => tensorsOf(member)) : [value];
}

/** Every place that may be read where several prompts are in a pass, and what its values are called. */
function places(engine: Engine) {
  return engine.description.modules.flatMap(({ path, inputs, outputs, sources = [] }) => {
    const of = (port: string): string => (path === '' ? port : `${path}.${port}`);
    return [
      ...inputs.map((port, member) => ({ ...port, at: `${of('input')}[${member}]` })),
      ...sources.map((port) => ({ ...port, at: `${path} source ${port.name}` })),
      ...outputs.map((port, member) => ({ ...port, at: `${of('output')}[${member}]` })),
    ].filter(({ mixed }) => !mixed);
  });
}

const reading = (names: readonly string[]) => {
  const graph = new GraphBuilder();
  const saves = names.map((name) => graph.save(graph.read(name)));
  return { graph, saves };
};

describe.each([
  ['tiny-gpt2', TINY_GPT2, 'transformer.h', 'lm_head'],
  ['tiny-llama', TINY_LLAMA, 'model.layers', 'lm_head'],
] as const)('%s', (_, folder, blocks, head) => {
  let engine: Engine;
  let other: Engine;

  beforeAll(async () => {
    engine = await loadEngine(folder);
    other = await loadEngine(folder);
  });
  afterAll(async () => {
    await engine.release();
    await other.release();
  });

  it('gives each run at every place what it has alone, within float error', async () => {
    const names = places(engine).map(({ at }) => at);
    expect(names.length).toBeGreaterThan(30);
    const { heard, outcome } = await together(
      engine,
      PROMPTS.map((ids) => [ids, reading(names).graph]),
    );
    expect(outcome).toHaveProperty('reports');
    for (const [run, ids] of PROMPTS.entries()) {
      const { graph, saves } = reading(names);
      const wanted = await alone(other, ids, graph);
      for (const [index, save] of saves.entries()) {
        const [a, b] = [wanted.values.get(save), heard[run]?.values.get(save)];
        const zero = tensorsOf(a).every(({ data }) =>
          data.every(((value: unknown) => Number(value) === 0) as never),
        );
        expect([names[index], zero ? 0 : errorOf(a, b)]).toEqual([
          names[index],
          expect.toSatisfy((e: number) => e < FLOAT_ERROR),
        ]);
      }
    }
  });

  describe('a run that does its worst', () => {
    const victimIds = PROMPTS[1];
    /** What the victim sees: the blocks, attention's inside, the logits. */
    const seen = () => [
      `${blocks}.0.output[0]`,
      `${blocks}.1.output[0]`,
      `${blocks}.1.output[1]`,
      `${head}.output`,
    ];

    async function unharmed(
      ids: readonly number[],
      worst: GraphBuilder,
      goesThrough: boolean,
    ): Promise<void> {
      const names = seen();
      const victim = reading(names);
      const wanted = await alone(other, victimIds, victim.graph);
      // In front of it, behind it, and on both sides.
      for (const at of [0, 1, 2]) {
        const runs: [readonly number[], GraphBuilder][] = [0, 1, 2].map((index) =>
          index === at ? [victimIds, victim.graph] : [ids, worst],
        );
        const { heard, outcome } = await together(engine, runs);
        expect('reports' in outcome).toBe(goesThrough);
        // What has come before the pass was given up is right.
        for (const save of victim.saves) {
          const got = heard[at]?.values.get(save);
          if ('reports' in outcome || got)
            expect(errorOf(wanted.values.get(save), got)).toBeLessThan(FLOAT_ERROR);
        }
        if ('reports' in outcome) {
          expect(outcome.reports[at]).toMatchObject({
            modulesRun: wanted.outcome.report?.modulesRun,
            stoppedAfter: wanted.outcome.report?.stoppedAfter,
            tokens: victimIds.length,
            shared: 3,
          });
        }
      }
    }

    it.each([
      ['NaN', Number.NaN],
      ['infinity', Number.POSITIVE_INFINITY],
      ['numbers as large as can be', 3e38],
    ])('writes %s to every place that may be written', async (_, number) => {
      const writable = places(engine).filter(
        ({ dims, dtype }) => dims.includes('batch') && dtype === 'float32',
      );
      expect(writable.length).toBeGreaterThan(20);
      const worst = new GraphBuilder();
      for (const { at } of writable) worst.write(at, worst.scalar(number), []);
      worst.save(worst.read(`${head}.output`));
      await unharmed(PROMPTS[0], worst, true);
    });

    it('writes by all that a selection can say: negative, stepped, listed, masked', async () => {
      const place = `${blocks}.0.output[0]`;
      const selections: Selection[] = [
        [0],
        [-1],
        [{}, -1],
        [{}, { start: -3 }],
        [{}, { step: -1 }],
        [{ indices: [0, -1, 0] }],
        [{}, { indices: [-1, 0] }],
      ];
      for (const selection of selections) {
        const worst = new GraphBuilder();
        worst.write(place, worst.scalar(Number.NaN), selection);
        worst.save(worst.read(`${head}.output`));
        await unharmed(PROMPTS[0], worst, true);
      }
      const masked = new GraphBuilder();
      const value = masked.read(place);
      masked.write(
        place,
        masked.scalar(Number.NaN),
        undefined,
        masked.operator('Not', [masked.operator('IsNaN', [value])]),
      );
      masked.save(masked.read(`${head}.output`));
      await unharmed(PROMPTS[0], masked, true);
    });

    it('names more rows or tokens than it has', async () => {
      const selections: Selection[] = [
        [1],
        [2],
        [{}, 3],
        [{}, -4],
        [{ indices: [1] }],
        [{}, { indices: [5] }],
      ];
      for (const selection of selections) {
        const worst = new GraphBuilder();
        worst.write(`${blocks}.0.output[0]`, worst.scalar(1e9), selection);
        worst.save(worst.read(`${head}.output`));
        await unharmed(PROMPTS[0], worst, false);
      }
    });

    it('gives a value of another’s dims: all rows, all tokens', async () => {
      for (const dims of [
        [3, 6],
        [2, 3],
        [1, 6],
      ]) {
        const worst = new GraphBuilder();
        const one = worst.operator('Reshape', [worst.scalar(1e9), worst.integers(1, 1, 1)]);
        const wide = worst.operator('Expand', [one, worst.integers(...dims, 64)]);
        worst.write(`${blocks}.0.output[0]`, wide);
        worst.save(worst.read(`${head}.output`));
        await unharmed(PROMPTS[0], worst, false);
      }
    });

    it('leaves modules out, stops early, and divides by nothing', async () => {
      const skips = new GraphBuilder();
      const input = skips.read(`${blocks}.1.input`);
      skips.skip(`${blocks}.1`, skips.operator('Mul', [input, skips.scalar(Number.NaN)]));
      skips.save(skips.read(`${head}.output`));
      await unharmed(PROMPTS[0], skips, true);
      const stops = new GraphBuilder();
      stops.stop(`${blocks}.0.input`);
      stops.save(stops.read(`${blocks}.0.output`));
      await unharmed(PROMPTS[2], stops, true);
      const fails = new GraphBuilder();
      const zero = fails.integers(0);
      fails.save(fails.operator('Div', [fails.integers(1), zero]));
      fails.save(fails.read(`${head}.output`));
      await unharmed(PROMPTS[2], fails, true);
    });

    it('looks everywhere: nothing that it gets depends on what the others are or do', async () => {
      const names = places(engine).map(({ at }) => at);
      const spy = reading(names);
      const quiet = await together(engine, [
        [PROMPTS[0], spy.graph],
        [PROMPTS[1], reading([`${head}.output`]).graph],
      ]);
      const loud = new GraphBuilder();
      loud.write(`${blocks}.0.output[0]`, loud.scalar(1e6), []);
      loud.save(loud.read(`${head}.output`));
      const noisy = await together(engine, [
        [PROMPTS[0], spy.graph],
        [[...PROMPTS[1]].reverse(), loud],
      ]);
      for (const save of spy.saves) {
        const [a, b] = [quiet.heard[0]?.values.get(save), noisy.heard[0]?.values.get(save)];
        const zero = tensorsOf(a).every(({ data }) =>
          data.every(((value: unknown) => Number(value) === 0) as never),
        );
        expect(zero ? 0 : errorOf(a, b)).toBeLessThan(FLOAT_ERROR);
      }
    });
  });

  it('reports to each run its own end, errors under its own ids, and what it logs', async () => {
    const stopping = new GraphBuilder();
    stopping.log('first');
    const late = stopping.save(stopping.read(`${blocks}.1.output`));
    stopping.stop(`${blocks}.0.output`);
    const failing = new GraphBuilder();
    const quotient = failing.operator('Div', [failing.integers(1), failing.integers(0)]);
    const failed = failing.save(quotient);
    const logits = failing.save(failing.read(`${head}.output`));
    failing.log('second');
    const { outcome, heard } = await together(engine, [
      [PROMPTS[0], stopping],
      [PROMPTS[1], failing],
    ]);
    expect(outcome).toMatchObject({
      reports: [
        { stoppedAfter: `${blocks}.0`, tokens: 3, shared: 2 },
        { tokens: 6, shared: 2 },
      ],
    });
    const apart = await alone(other, PROMPTS[0], stopping);
    expect(heard[0]?.errors.get(late)).toEqual(apart.accessErrors.get(late));
    // The pass ran what this one alone would not have needed, and nothing is counted that it didn't come to.
    const [mine, others] = 'reports' in outcome ? outcome.reports : [];
    expect(mine?.modulesRun).toBeLessThan(others?.modulesRun ?? 0);
    expect(heard[1]?.errors.get(failed)).toMatchObject({
      code: 'failed',
      node: failed,
      cause: { node: quotient },
    });
    expect(heard[1]?.values.has(logits)).toBe(true);
    expect([heard[0]?.logs, heard[1]?.logs]).toEqual([['first'], ['second']]);
  });

  it('ends no run where one of them can’t go on', async () => {
    const sound = reading([`${blocks}.0.output[0]`, `${head}.output`]);
    const wrong = new GraphBuilder();
    wrong.write(`${blocks}.0.output[0]`, wrong.operator('Div', [wrong.integers(1), wrong.integers(0)]));
    wrong.save(wrong.read(`${head}.output`));
    const { outcome, heard } = await together(engine, [
      [PROMPTS[1], sound.graph],
      [PROMPTS[0], wrong],
    ]);
    expect(outcome).toHaveProperty('apart');
    expect(heard.map(({ errors }) => errors.size)).toEqual([0, 0]);
  });

  it('bounds what runs save and compute, each for itself', async () => {
    const bounded = await loadEngine(folder, { savedBytes: 4000, intermediateBytes: 40_000 });
    try {
      const big = new GraphBuilder();
      const large = big.save(big.operator('Expand', [big.scalar(1), big.integers(2000)]));
      const small = new GraphBuilder();
      const fits = small.save(small.operator('Expand', [small.scalar(1), small.integers(900)]));
      small.save(small.read(`${blocks}.0.output[0]`));
      const { outcome, heard } = await together(bounded, [
        [PROMPTS[2], big],
        [PROMPTS[2], small],
      ]);
      // One saves more than a run may, the other all but so much.
      expect(outcome).toHaveProperty('reports');
      expect(heard[0]?.errors.get(large)?.code).toBe('too_large');
      expect(heard[1]?.values.has(fits)).toBe(true);
      // Each alone has room for what both have not.
      const half = new GraphBuilder();
      half.save(half.operator('ReduceSum', [half.operator('Expand', [half.scalar(1), half.integers(6000)])]));
      const both = await together(bounded, [
        [PROMPTS[2], half],
        [PROMPTS[2], half],
      ]);
      expect(both.outcome).toHaveProperty('apart');
      expect((await alone(bounded, PROMPTS[2], half)).outcome.state).toBe('completed');
    } finally {
      await bounded.release();
    }
  });
});

describe('what can be joined', () => {
  const ids = { input: { ids: [1] } };
  const tensor = { dtype: 'float32', dims: [], offset: 0, length: 4 } as const;

  it.each([
    ['one prompt of ids', { invokes: [ids], nodes: [] }, true],
    ['a text', { invokes: [{ input: { text: 'a' } }], nodes: [] }, true],
    ['a constant', { invokes: [ids], nodes: [{ kind: 'constant', tensor }] }, true],
    ['several prompts', { invokes: [ids, ids], nodes: [] }, false],
    ['feeds', { invokes: [{ input: { feeds: { pixel_values: tensor } } }], nodes: [] }, false],
    ['a node of a kind that it doesn’t know', { invokes: [ids], nodes: [{ kind: 'call' } as never] }, false],
    ['an inherited name', { invokes: [ids], nodes: [{ kind: 'toString' } as never] }, false],
  ] satisfies [string, Graph, boolean][])('%s', (_, graph, can) => {
    expect(canBeJoined(graph)).toBe(can);
  });

  it('takes payloads apart as it put them together', () => {
    const payloads = [0, 1, 8, 9].map((length) => new Uint8Array(length).fill(length));
    const joined = Buffer.concat(joinPayloads(payloads));
    expect(joined.byteLength).toBe(32);
    expect(payloadsOf(joined, [0, 1, 8, 9]).map((payload) => [...payload])).toEqual(
      payloads.map((p) => [...p]),
    );
  });
});
