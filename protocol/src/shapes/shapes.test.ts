/** Rules of dims where axes are names or unknown; with sizes they are tested against the engine's results. */
import { describe, expect, it } from 'vitest';
import type { AttributeValue } from '../graph.ts';
import { operatorFacts, outputShapes, type Shape, ShapeFault } from '../operators.ts';
import type { Dims } from './dim.ts';
import { applied } from './module.ts';
import { selected } from './selection.ts';

const of = (...dims: Dims): Shape => ({ dims });
const list = (...values: number[]): Shape => ({ dims: [values.length], values });
const number = (value: number): Shape => ({ dims: [], values: [value] });
const UNKNOWN: Shape = {};

function dimsOf(operator: string, inputs: readonly Shape[], attributes: Record<string, AttributeValue> = {}) {
  const facts = operatorFacts(operator);
  if (!facts) throw new Error(operator);
  return outputShapes(operator, facts, inputs, attributes).map(({ dims }) => dims);
}

const HIDDEN = of('batch', 'sequence', 64);

describe('named and unknown axes', () => {
  it.each<[string, readonly Shape[], Record<string, AttributeValue>, readonly (Dims | undefined)[]]>([
    ['Add', [HIDDEN, of(64)], {}, [['batch', 'sequence', 64]]],
    ['Add', [HIDDEN, of('batch', 'sequence', 1)], {}, [['batch', 'sequence', 64]]],
    // A name may turn out to be 1: then the other counts.
    ['Add', [of('sequence'), of(5)], {}, [[5]]],
    ['Add', [of('sequence'), of('past')], {}, [['?']]],
    ['Add', [of('?'), of(1)], {}, [['?']]],
    ['Add', [HIDDEN, UNKNOWN], {}, [undefined]],
    ['MatMul', [HIDDEN, of(64, 50)], {}, [['batch', 'sequence', 50]]],
    ['MatMul', [HIDDEN, of('batch', 64, 'sequence')], {}, [['batch', 'sequence', 'sequence']]],
    ['Einsum', [HIDDEN, HIDDEN], { equation: 'bqd,bkd->bqk' }, [['batch', 'sequence', 'sequence']]],
    ['ReduceMean', [HIDDEN, list(-1)], { keepdims: 0 }, [['batch', 'sequence']]],
    ['ReduceMean', [HIDDEN, of(1)], { keepdims: 0 }, [['?', '?']]],
    ['Reshape', [HIDDEN, list(0, 0, 4, 16)], {}, [['batch', 'sequence', 4, 16]]],
    ['Reshape', [of('batch', 'sequence', 4, 16), list(0, 0, -1)], {}, [['batch', 'sequence', 64]]],
    ['Reshape', [HIDDEN, list(1, -1, 64)], {}, [[1, '?', 64]]],
    ['Reshape', [HIDDEN, of(2)], {}, [['?', '?']]],
    ['Flatten', [of('sequence', 4, 16)], {}, [['sequence', 64]]],
    ['Transpose', [HIDDEN], { perm: [0, 2, 1] }, [['batch', 64, 'sequence']]],
    ['Slice', [HIDDEN, list(0), list(2 ** 31 - 1), list(1)], {}, [['batch', 'sequence', 64]]],
    ['Slice', [HIDDEN, list(-1), list(2 ** 31 - 1), list(2)], {}, [['batch', 'sequence', 1]]],
    ['Slice', [HIDDEN, list(0), list(3), list(1)], {}, [['batch', '?', 64]]],
    ['Concat', [HIDDEN, of('batch', 2, 64)], { axis: 1 }, [['batch', '?', 64]]],
    ['Concat', [HIDDEN, of(1, 'sequence', 8)], { axis: -1 }, [[1, 'sequence', 72]]],
    ['Gather', [HIDDEN, number(-1)], { axis: 1 }, [['batch', 64]]],
    [
      'TopK',
      [HIDDEN, list(3)],
      {},
      [
        ['batch', 'sequence', 3],
        ['batch', 'sequence', 3],
      ],
    ],
    [
      'TopK',
      [HIDDEN, of(1)],
      {},
      [
        ['batch', 'sequence', '?'],
        ['batch', 'sequence', '?'],
      ],
    ],
    ['Expand', [of(1, 64), { dims: [2], values: ['sequence', 64] }], {}, [['sequence', 64]]],
    ['Squeeze', [of('batch', 1, 64)], {}, [undefined]],
    ['Squeeze', [of('batch', 1, 64), list(1)], {}, [['batch', 64]]],
    ['NonZero', [HIDDEN], {}, [[3, '?']]],
    [
      'Split',
      [HIDDEN],
      { axis: -1, num_outputs: 2 },
      [
        ['batch', 'sequence', 32],
        ['batch', 'sequence', 32],
      ],
    ],
  ])('%s %j %j', (operator, inputs, attributes, dims) => {
    expect(dimsOf(operator, inputs, attributes)).toEqual(dims);
  });

  it('never refuses what may be right', () => {
    for (const [operator, inputs] of [
      ['Add', [of('sequence'), of(7)]],
      ['MatMul', [of('?', 'sequence'), of(3, 4)]],
      ['Gather', [of('sequence'), number(99)]],
      ['TopK', [of('sequence'), list(99)]],
      ['Squeeze', [of('batch'), list(0)]],
      ['Reshape', [of('sequence', 64), list(7, 64)]],
    ] as const) {
      expect(() => dimsOf(operator, inputs), operator).not.toThrow();
    }
  });

  it('the dims of a value stay known through Shape, Gather, Slice and Concat', () => {
    const shape = (operator: string, inputs: readonly Shape[], attributes = {}): Shape => {
      const facts = operatorFacts(operator);
      return (facts && outputShapes(operator, facts, inputs, attributes)[0]) ?? {};
    };
    const dims = shape('Shape', [HIDDEN]);
    expect(dims).toMatchObject({ dims: [3], values: ['batch', 'sequence', 64] });
    const tokens = shape('Gather', [dims, list(1)]);
    expect(tokens.values).toEqual(['sequence']);
    expect(shape('Concat', [tokens, list(4)], { axis: 0 }).values).toEqual(['sequence', 4]);
    expect(shape('Slice', [dims, list(1), list(3)]).values).toEqual(['sequence', 64]);
  });
});

describe('bounds', () => {
  it.each<[string, readonly Shape[], number]>([
    ['NonZero', [of(2, 3)], 12],
    ['Compress', [of(2, 3), of(2)], 6],
    ['Unique', [of(2, 3)], 6],
  ])('%s has at most so many', (operator, inputs, most) => {
    const facts = operatorFacts(operator);
    expect(facts && outputShapes(operator, facts, inputs, {})[0]?.most).toBe(most);
  });

  it('a long list of elements is not kept', () => {
    const half = { dims: [64], values: new Array<number>(64).fill(1) };
    const facts = operatorFacts('Concat');
    expect(facts && outputShapes('Concat', facts, [half, half], { axis: 0 })[0]?.values).toBeUndefined();
  });
});

describe('faults say what was wanted and what came', () => {
  it.each<[string, readonly Shape[], Record<string, AttributeValue>, Partial<ShapeFault>]>([
    ['Add', [of(2, 3), of(4)], {}, { code: 'wrong_dims', got: '[2, 3] and [4]' }],
    ['Softmax', [of(2, 3)], { axis: 2 }, { code: 'bad_attribute', wanted: '-2 to 1', got: '2' }],
    ['Softmax', [of()], {}, { code: 'wrong_dims', wanted: 'a value with axes' }],
    ['Reshape', [of(2, 3), list(4, -1)], {}, { wanted: 'a multiple of 4 elements', got: '6' }],
    ['Einsum', [of(2, 3)], { equation: 'ij->k' }, { got: 'k' }],
    ['Einsum', [of(2, 3)], { equation: 'ij,jk' }, { wanted: '2 inputs' }],
    ['Einsum', [of(2, 3)], { equation: '(((' }, { wanted: 'ij,jk->ik' }],
    ['Range', [number(0), number(9), number(0)], {}, { wanted: 'a step that is not 0' }],
    ['Range', [number(0), number(Number.NaN), number(1)], {}, { wanted: 'a finite range' }],
    ['Expand', [of(1), list(2 ** 31)], {}, { wanted: 'dims below 2147483648' }],
    ['Unique', [of(1, 0)], { axis: 0 }, { wanted: 'elements beside the axis' }],
  ])('%s %j %j', (operator, inputs, attributes, fault) => {
    let thrown: unknown;
    try {
      dimsOf(operator, inputs, attributes);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ShapeFault);
    expect(thrown).toMatchObject(fault);
  });
});

it('an applied module keeps its own sizes and takes the operand’s others', () => {
  const [input, output] = [
    ['batch', 'sequence', 64],
    ['batch', 'sequence', 50],
  ];
  expect(applied(input, output, of(1, 3, 64)).dims).toEqual([1, 3, 50]);
  expect(applied(input, output, of(3, 64))).toEqual({ most: 150 });
  expect(applied(input, output, UNKNOWN)).toEqual({ most: undefined });
});

it('a selection drops indexed axes and counts ranges', () => {
  expect(selected([0, { start: 1 }], ['batch', 'sequence', 64])).toEqual(['?', 64]);
  expect(selected([{}, { start: -2, end: -1 }, { step: -1 }], ['batch', 4, 64])).toEqual(['batch', 1, 64]);
});
