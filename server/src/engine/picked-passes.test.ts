/** Positions computed behind the last block (positions.test.ts) where there are several passes: generations, sessions, runs together. */
import type { Generate, Graph, Input, TensorLike, Value } from '@tracewire/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from './engine.ts';
import { GraphBuilder, relativeError, runGraph } from './testing/graphs.ts';
import { loadEngine, TINY_GPT2 } from './testing/models.ts';
import { WatchedRuntime } from './testing/watched.ts';

const PROMPT: Input = { ids: [9, 31, 44, 12, 5, 77, 13, 2, 61] };
const PROMPTS: readonly Input[] = [{ ids: [17, 4, 25] }, PROMPT, { ids: [88, 3] }];
const FLOAT_ERROR = 2e-5;
const GENERATE: Generate = { maxNewTokens: 3, stopTokens: [] };

const watched = new WatchedRuntime();
let engine: Engine;
beforeAll(async () => {
  engine = await loadEngine(TINY_GPT2, {}, watched.make);
});
afterAll(() => engine.release());

const positions = (): unknown[] => watched.take().map((run) => run.positions);
const all = (length: number): number[] => [...new Array<number>(length).keys()];

/** The logits at a position, or at all. */
function logits(position?: number, place = 'lm_head.output'): { graph: GraphBuilder; save: number } {
  const graph = new GraphBuilder();
  const value = graph.read(place);
  const part =
    position === undefined ? value : graph.operator('Gather', [value, graph.integer(position)], { axis: 1 });
  return { graph, save: graph.save(part) };
}

/** Values by `trace save step`, and tokens. */
function listening() {
  const values = new Map<string, Value>();
  const tokens: number[] = [];
  const listener = (trace = 0) => ({
    value: (save: number, value: Value, step?: number) => values.set(`${trace} ${save} ${step ?? ''}`, value),
    accessError: () => undefined,
    log: () => undefined,
    progress: () => undefined,
    token: ({ id }: { readonly id: number }) => tokens.push(id),
  });
  return { values, tokens, listener };
}

const graphOf = (inputs: readonly Input[], { nodes }: GraphBuilder): Graph => ({
  invokes: inputs.map((input) => ({ input })),
  nodes,
});

describe('a generation', () => {
  async function generate(inputs: readonly Input[], builder = new GraphBuilder()) {
    const { values, tokens, listener } = listening();
    watched.take();
    const graph = graphOf(inputs, builder);
    const outcome = await engine.run(graph, builder.constants, listener(), () => false, [], GENERATE);
    expect(outcome).toMatchObject({ state: 'completed', errors: [] });
    return { values, tokens, positions: positions() };
  }

  it('computes the last position of the prompt, and chooses the tokens that all positions choose', async () => {
    const plain = await generate([PROMPT]);
    expect(plain.positions).toEqual([[[8]], [[0]], [[0]]]);
    const whole = await generate([PROMPT], logits().graph);
    expect(whole.positions).toEqual([[all(9)], [[0]], [[0]]]);
    expect(plain.tokens).toEqual(whole.tokens);
  });

  it('computes the last of each of several prompts', async () => {
    // The first such generation learns how the model takes padding.
    await generate(PROMPTS);
    const together = await generate(PROMPTS);
    expect(together.positions[0]).toEqual([[2], [8], [1]]);
    for (const [invoke, prompt] of PROMPTS.entries()) {
      const { tokens } = await generate([prompt]);
      expect(tokens).toEqual(together.tokens.filter((_, index) => index % PROMPTS.length === invoke));
    }
  });

  it('computes what its trace looks at too, and all where that writes', async () => {
    const { graph, save } = logits(2);
    const some = await generate([PROMPT], graph);
    expect(some.positions[0]).toEqual([[2, 8]]);
    const alone = logits(2);
    const ran = await runGraph(engine, PROMPT, alone.graph);
    const seen = some.values.get(`0 ${save} 0`) as TensorLike;
    expect(relativeError(ran.tensor(alone.save), seen)).toBeLessThan(FLOAT_ERROR);

    const writing = new GraphBuilder();
    writing.write('lm_head.output', writing.scalar(1e4), [0, -1, 700]);
    const written = await generate([PROMPT], writing);
    expect(written.positions[0]).toEqual([all(9)]);
    expect(written.tokens[0]).toBe(700);
  });
});

describe('a session', () => {
  it('shares what was computed of the same positions, and never takes it for others', async () => {
    const looks = [logits(-1), logits(), logits(8), logits(-2), logits(-1, 'output[0]')];
    const traces = looks.map(({ graph }) => ({
      graph: graphOf([PROMPT], graph),
      constants: graph.constants,
      feeds: [],
    }));
    const { values, listener } = listening();
    watched.take();
    const outcome = await engine.runSession(traces, listener, () => false);
    expect(outcome).toMatchObject({ state: 'completed', errors: [] });
    expect(positions()).toEqual([[[8]], [all(9)], [[7]]]);
    for (const [trace, { graph, save }] of looks.entries()) {
      const alone = await runGraph(engine, PROMPT, graph);
      expect(values.get(`${trace} ${save} `)).toEqual(alone.tensor(save));
    }
  });

  it('keeps the whole of a value that a later trace uses', async () => {
    const first = new GraphBuilder();
    const value = first.read('lm_head.output');
    first.save(first.operator('Gather', [value, first.integer(-1)], { axis: 1 }));
    const second: Graph = {
      invokes: [{ input: PROMPT }],
      nodes: [
        { kind: 'earlier', trace: 0, node: value },
        { kind: 'save', value: 0 },
      ],
    };
    const { values, listener } = listening();
    watched.take();
    const outcome = await engine.runSession(
      [
        { graph: graphOf([PROMPT], first), constants: first.constants, feeds: [] },
        { graph: second, constants: new Map(), feeds: [] },
      ],
      listener,
      () => false,
    );
    expect(outcome).toMatchObject({ state: 'completed', errors: [] });
    expect(positions()).toEqual([[all(9)]]);
    const { graph, save } = logits();
    expect(values.get('1 1 ')).toEqual((await runGraph(engine, PROMPT, graph)).tensor(save));
  });
});

it('computes what each of several runs that share a pass looks at', async () => {
  const graph = new GraphBuilder();
  const firsts: number[] = [];
  const saves = [-1, 0, -2].map((position, invoke) => {
    firsts.push(graph.nodes.length);
    const value = graph.read(`${invoke}: lm_head.output`);
    return graph.save(graph.operator('Gather', [value, graph.integer(position)], { axis: 1 }));
  });
  const { values, listener } = listening();
  watched.take();
  const joined = { graph: graphOf(PROMPTS, graph), constants: graph.constants, firsts };
  const outcome = await engine.runTogether(joined, listener(), () => false);
  expect(outcome).toHaveProperty('reports');
  expect(positions()).toEqual([[[2], [0], [0]]]);
  for (const [invoke, position] of [-1, 0, -2].entries()) {
    const alone = logits(position);
    const ran = await runGraph(engine, PROMPTS[invoke] as Input, alone.graph);
    const seen = values.get(`0 ${saves[invoke]} `) as TensorLike;
    expect(relativeError(ran.tensor(alone.save), seen)).toBeLessThan(FLOAT_ERROR);
  }
});

it('is told of by explain, which counts the bytes of what is saved as ever', () => {
  const explain = (position?: number) => {
    const { graph } = logits(position);
    const answer = engine.explain(graphOf([PROMPT], graph), graph.constants);
    if ('errors' in answer) throw new Error(answer.errors[0]?.message);
    return answer.explanation;
  };
  const some = explain(-1);
  expect(some.segments).toMatchObject([{ end: 'end', positions: 1 }]);
  expect(some.saves).toEqual([{ save: 3, bytes: 1536 * 4 }]);
  const whole = explain();
  expect(whole.segments[0]).not.toHaveProperty('positions');
  expect(whole.saves).toEqual([{ save: 1, bytes: 9 * 1536 * 4 }]);
  expect({ ...some, segments: [], saves: [] }).toEqual({ ...whole, segments: [], saves: [] });
});
