import { describe, expect, it } from 'vitest';
import { describePlace, type GraphNode, graph, MAX_INVOKES, operandsOf } from './graph.ts';

it.each([
  [{ module: 'h.0', port: 'output' }, 'h.0.output'],
  [{ module: 'h.0', port: 'output', member: 0 }, 'h.0.output[0]'],
  [{ module: 'h.0', port: 'input', member: 3 }, 'h.0.input[3]'],
  [{ module: '', port: 'output' }, 'output'],
  [{ module: '', port: 'output', member: 1 }, 'output[1]'],
] as const)('describePlace(%j) is %s', (place, text) => {
  expect(describePlace(place)).toBe(text);
});

const PLACE = { module: 'h.0', port: 'output' } as const;
const NODES: readonly (readonly [GraphNode, readonly number[]])[] = [
  [{ kind: 'constant', tensor: { dtype: 'bool', dims: [], offset: 0, length: 1 } }, []],
  [{ kind: 'parameter', name: 'w' }, []],
  [{ kind: 'read', place: PLACE }, []],
  [{ kind: 'write', place: PLACE, value: 1, selection: [0, -1, {}, { start: -1, end: 2, step: -1 }] }, [1]],
  [{ kind: 'stop', place: PLACE }, []],
  [{ kind: 'operator', operator: 'Add', inputs: [1, 2], attributes: { a: 1.5, b: 'x', c: [1, -1] } }, [1, 2]],
  [{ kind: 'member', of: 3, index: 0 }, [3]],
  [{ kind: 'apply', module: 'h.0', input: 4 }, [4]],
  [{ kind: 'save', value: 5 }, [5]],
  [{ kind: 'log', text: 't', value: 0 }, [0]],
  [{ kind: 'log' }, []],
];

describe('a graph', () => {
  const parse = (nodes: readonly unknown[], input: unknown = { text: '' }): boolean =>
    graph.safeParse({ invokes: [{ input }], nodes }).success;

  it.each(NODES)('takes %j and knows its operands', (node, operands) => {
    expect(parse([node])).toBe(true);
    expect(operandsOf(node)).toEqual(operands);
  });

  it.each(NODES)('refuses %j with a field too many, or one missing', (node) => {
    expect(parse([{ ...node, extra: 1 }])).toBe(false);
    for (const field of Object.keys(node).filter((key) => !OPTIONAL.has(key))) {
      expect(parse([{ ...node, [field]: undefined }]), field).toBe(node.kind === 'log' && field === 'value');
    }
  });

  it.each([
    [[{ kind: 'save', value: -1 }]],
    [[{ kind: 'save', value: 0.5 }]],
    [[{ kind: 'save', value: '0' }]],
    [[{ kind: 'read', place: { ...PLACE, call: 1 } }]],
    [[{ kind: 'read', place: { ...PLACE, member: null } }]],
    [[{ kind: 'write', place: PLACE, value: 0, selection: new Array(9).fill(0) }]],
    [[{ kind: 'write', place: PLACE, value: 0, selection: [{ begin: 0 }] }]],
    [[{ kind: 'operator', operator: 'Add', inputs: new Array(65).fill(0) }]],
    [[{ kind: 'operator', operator: 'Add', inputs: [0], attributes: { a: true } }]],
    [[{ kind: 'operator', operator: 'Add', inputs: [0], attributes: { a: [0.5] } }]],
    [[{ kind: 'operator', operator: 'Add', inputs: [0], attributes: { a: Number.POSITIVE_INFINITY } }]],
    [[{ kind: 'constant', tensor: { dtype: 'bfloat16', dims: [], offset: 0, length: 2 } }]],
    [[{ kind: 'constant', tensor: { dtype: 'bool', dims: [], offset: 4, length: 1 } }]],
    [[{ kind: 'constant', tensor: { dtype: 'bool', dims: new Array(9).fill(1), offset: 0, length: 1 } }]],
  ])('refuses %j', (nodes) => {
    expect(parse(nodes)).toBe(false);
  });

  it.each([[{}], [{ text: 'a', ids: [1] }], [{ ids: [-1] }], [{ ids: 'a' }], [{ text: 1 }], [null]])(
    'refuses the input %j',
    (input) => {
      expect(parse([], input)).toBe(false);
    },
  );

  it('has at least one invoke', () => {
    const parse = (count: number) =>
      graph.safeParse({ invokes: Array(count).fill({ input: { text: 'a' } }), nodes: [] });
    expect([0, 1, 2, MAX_INVOKES, MAX_INVOKES + 1].map((count) => parse(count).success)).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
  });

  it('measures a text in bytes of UTF-8', () => {
    expect(parse([], { text: 'é'.repeat(2 ** 19) })).toBe(true);
    expect(parse([], { text: `${'é'.repeat(2 ** 19)}x` })).toBe(false);
    expect(parse([{ kind: 'parameter', name: 'é'.repeat(256) }])).toBe(true);
    expect(parse([{ kind: 'parameter', name: 'é'.repeat(257) }])).toBe(false);
    expect(parse([{ kind: 'parameter', name: '' }])).toBe(false);
  });
});

const OPTIONAL = new Set(['selection', 'attributes', 'text']);
