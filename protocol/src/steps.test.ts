import { describe, expect, it } from 'vitest';
import type { Graph, GraphNode, Steps } from './graph.ts';
import { Outcomes } from './outcomes.ts';
import { describeSteps, firstStep, hasStep, stepFrom } from './steps.ts';
import { stepsOfNodes, stepsThatCame } from './steps-of-nodes.ts';

const taken = (steps: Steps): number[] =>
  Array.from({ length: 12 }, (_, step) => step).filter((step) => hasStep(steps, step));

it.each<[Steps, number[]]>([
  [3, [3]],
  [[], []],
  [
    [1, 4, 9],
    [1, 4, 9],
  ],
  [{}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
  [{ start: 9 }, [9, 10, 11]],
  [{ end: 2 }, [0, 1]],
  [{ start: 1, end: 8, step: 3 }, [1, 4, 7]],
  [{ start: 5, end: 5 }, []],
])('%j are %j', (steps, wanted) => {
  expect(taken(steps)).toEqual(wanted);
  expect(firstStep(steps)).toBe(wanted[0]);
});

it('are found from any step on, and said in words', () => {
  expect(stepFrom({ start: 2, step: 5 }, 1e15)).toBe(1e15 + 2);
  expect([3, [1, 2], {}, { start: 1, end: 8, step: 3 }].map((steps) => describeSteps(steps))).toEqual([
    '3',
    '1, 2',
    '0 on',
    '1 to before 8 by 3',
  ]);
});

const graph = (...steps: readonly (Steps | undefined)[]): Graph => ({
  invokes: [{ input: { ids: [1] } }],
  nodes: [
    ...steps.map((each) => ({
      kind: 'read' as const,
      place: { module: 'm', port: 'output' as const, ...(each === undefined ? {} : { steps: each }) },
    })),
    { kind: 'operator' as const, operator: 'Sum', inputs: steps.map((_, id) => id) },
    { kind: 'save' as const, value: steps.length },
  ],
});

describe('a node', () => {
  it.each<[(Steps | undefined)[], Steps]>([
    [[undefined], 0],
    [[2, 5], 5],
    [[[3], { start: 1, end: 2 }], 3],
    [
      [0, [0, 1]],
      [0, 1],
    ],
    [[{}, { start: 0, step: 1 }, 0], { start: 0, step: 1 }],
  ])('that joins values of %j acts in %j', (operands, wanted) => {
    expect(stepsOfNodes(graph(...operands)).at(-1)).toEqual(wanted);
  });
});

describe('outcomes', () => {
  it('are one a save in a run of one pass', () => {
    const outcomes = new Outcomes(graph(undefined), false);
    expect(outcomes.missing(0)).toMatchObject([{ save: 2, step: undefined, came: true }]);
    expect([outcomes.take(2, 0), outcomes.take(1, undefined), outcomes.take(2, undefined)]).toEqual([
      false,
      false,
      true,
    ]);
    expect([outcomes.take(2, undefined), outcomes.missing(0)]).toEqual([false, []]);
  });

  it('are one a step that came, and one for all that never did', () => {
    const outcomes = new Outcomes(graph([1, 3, 6, 8]), true);
    expect([outcomes.take(2, undefined), outcomes.take(2, 2), outcomes.take(2, 1)]).toEqual([
      false,
      false,
      true,
    ]);
    expect(outcomes.missing(5)).toEqual([
      { save: 2, step: 3, came: true, began: { steps: 5, invoke: 0 } },
      { save: 2, step: 6, came: false, began: { steps: 5, invoke: 0 } },
    ]);
    expect([outcomes.take(2, 3), outcomes.take(2, 6), outcomes.missing(5)]).toEqual([true, true, []]);
  });

  it('of an open range are none for what never came, once some did', () => {
    const outcomes = new Outcomes(graph({ start: 4 }), true);
    expect(outcomes.missing(4)).toMatchObject([{ save: 2, step: 4, came: false }]);
    outcomes.take(2, 4);
    expect(outcomes.missing(5)).toEqual([]);
  });
});

describe('steps that came', () => {
  const read = (invoke: number, steps: Steps): GraphNode => ({
    kind: 'read',
    place: { module: 'h.0', port: 'output', invoke, steps },
  });
  const invokes = [{ input: { ids: [1] } }, { input: { ids: [2] } }];
  const nodes: GraphNode[] = [
    read(0, {}),
    read(1, {}),
    { kind: 'operator', operator: 'Add', inputs: [0, 1] },
    read(0, 1),
    { kind: 'operator', operator: 'Add', inputs: [1, 3] },
    { kind: 'parameter', name: 'w' },
    { kind: 'save', value: 5 },
    { kind: 'save', value: 2 },
  ];
  const graph = { invokes, nodes };

  it('are as many as the fewest of the invokes that a node takes something of in them', () => {
    const came = stepsThatCame(graph, stepsOfNodes(graph), [2, 5]);
    expect(came.map(({ steps }) => steps)).toEqual([2, 5, 2, 2, 5, 5, 5, 2]);
    expect(came[7]).toEqual({ steps: 2, invoke: 0 });
  });

  it('are all where nothing tells the invokes apart', () => {
    const came = stepsThatCame(graph, stepsOfNodes(graph), 3);
    expect(new Set(came.map(({ steps }) => steps))).toEqual(new Set([3]));
  });
});
