/** Section 3.3: every operator once on constants with a result that is known by hand, and in every dtype it may have. */
import {
  type AttributeValue,
  DTYPES,
  type Dtype,
  inputDtypes,
  isTuple,
  OPERATORS,
} from '@tracewire/protocol';
import type { ConformanceCase } from '../cases.ts';
import { brief, check, mustEqual, NotApplicable } from '../mismatch.ts';
import { Sketch } from '../sketch.ts';
import { mustBeClose, numbersOf, oneTensor } from '../tensors.ts';

type Constant = readonly [dims: readonly number[], numbers: readonly number[], dtype?: Dtype];

interface Example {
  readonly operator: string;
  /** Without a dtype an input is of the type variable: float32 here, all that are allowed in the case of dtypes. */
  readonly inputs: readonly Constant[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  /** Each output's dtype where it isn't that of `T`. */
  readonly gives: readonly Constant[];
  /** The numbers don't fit integers. */
  readonly floatsOnly?: true;
}

const unary = (operator: string, numbers: readonly number[], results: readonly number[]): Example => ({
  operator,
  inputs: [[[numbers.length], numbers]],
  gives: [[[results.length], results]],
});

/** The second input is broadcast. */
const binary = (operator: string, results: readonly number[], dtype?: Dtype): Example => ({
  operator,
  inputs: [
    [
      [2, 2],
      [4, 6, 8, 2],
    ],
    [[2], [2, 3]],
  ],
  gives: [dtype ? [[2, 2], results, dtype] : [[2, 2], results]],
});

const logical = (operator: string, results: readonly number[]): Example => ({
  operator,
  inputs: [
    [[4], [0, 0, 1, 1], 'bool'],
    [[4], [0, 1, 0, 1], 'bool'],
  ],
  gives: [[[4], results, 'bool']],
});

/** Over the last axis of [[1, 2], [3, 4]], which is dropped. */
const reduce = (operator: string, results: readonly number[]): Example => ({
  operator,
  inputs: [
    [
      [2, 2],
      [1, 2, 3, 4],
    ],
    [[1], [-1], 'int64'],
  ],
  attributes: { keepdims: 0 },
  gives: [[[2], results]],
});

const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));
const E = Math.E;

const EXAMPLES: readonly Example[] = [
  unary('Abs', [1, 0, 3], [1, 0, 3]),
  binary('Add', [6, 9, 10, 5]),
  logical('And', [0, 0, 0, 1]),
  {
    operator: 'ArgMax',
    inputs: [
      [
        [2, 3],
        [1, 3, 2, 6, 5, 4],
      ],
    ],
    attributes: { axis: 1 },
    gives: [[[2, 1], [1, 0], 'int64']],
  },
  {
    operator: 'ArgMin',
    inputs: [
      [
        [2, 3],
        [1, 3, 2, 6, 5, 4],
      ],
    ],
    attributes: { axis: -1, keepdims: 0 },
    gives: [[[2], [0, 2], 'int64']],
  },
  { operator: 'Cast', inputs: [[[3], [0, 1, 1]]], attributes: { to: 7 }, gives: [[[3], [0, 1, 1], 'int64']] },
  {
    operator: 'Concat',
    inputs: [
      [
        [1, 2],
        [1, 0],
      ],
      [
        [1, 2],
        [0, 1],
      ],
    ],
    attributes: { axis: 0 },
    gives: [
      [
        [2, 2],
        [1, 0, 0, 1],
      ],
    ],
  },
  {
    operator: 'Div',
    inputs: [
      [
        [2, 2],
        [4, 6, 8, 3],
      ],
      [[2], [2, 3]],
    ],
    gives: [
      [
        [2, 2],
        [2, 2, 4, 1],
      ],
    ],
  },
  {
    operator: 'Equal',
    inputs: [
      [[3], [1, 0, 1]],
      [[1], [1]],
    ],
    gives: [[[3], [1, 0, 1], 'bool']],
  },
  unary('Exp', [0, 1], [1, E]),
  {
    operator: 'Gather',
    inputs: [
      [
        [2, 3],
        [1, 0, 1, 0, 1, 0],
      ],
      [[2], [2, 0], 'int64'],
    ],
    attributes: { axis: 1 },
    gives: [
      [
        [2, 2],
        [1, 1, 0, 0],
      ],
    ],
  },
  { ...binary('Greater', [1, 1, 1, 0], 'bool') },
  { ...binary('GreaterOrEqual', [1, 1, 1, 0], 'bool') },
  { ...binary('Less', [0, 0, 0, 1], 'bool') },
  { ...binary('LessOrEqual', [0, 0, 0, 1], 'bool') },
  unary('Log', [1, E], [0, 1]),
  {
    operator: 'LogSoftmax',
    inputs: [
      [
        [1, 2],
        [1, 1],
      ],
    ],
    gives: [
      [
        [1, 2],
        [-Math.LN2, -Math.LN2],
      ],
    ],
  },
  {
    operator: 'MatMul',
    inputs: [
      [
        [2, 2],
        [1, 2, 3, 4],
      ],
      [
        [2, 1],
        [1, 1],
      ],
    ],
    gives: [
      [
        [2, 1],
        [3, 7],
      ],
    ],
  },
  {
    operator: 'Max',
    inputs: [
      [[2], [1, 5]],
      [[2], [3, 2]],
      [[1], [2]],
    ],
    gives: [[[2], [3, 5]]],
  },
  {
    operator: 'Min',
    inputs: [
      [[2], [1, 5]],
      [[2], [3, 2]],
      [[1], [2]],
    ],
    gives: [[[2], [1, 2]]],
  },
  binary('Mul', [8, 18, 16, 6]),
  unary('Neg', [1, -2, 0], [-1, 2, -0]),
  { operator: 'Not', inputs: [[[2], [0, 1], 'bool']], gives: [[[2], [1, 0], 'bool']] },
  logical('Or', [0, 1, 1, 1]),
  {
    operator: 'Pow',
    inputs: [
      [[3], [1, 2, 3]],
      [[1], [2]],
    ],
    gives: [[[3], [1, 4, 9]]],
  },
  {
    operator: 'ReduceL2',
    inputs: [
      [
        [2, 2],
        [3, 4, 0, 5],
      ],
      [[1], [1], 'int64'],
    ],
    attributes: { keepdims: 0 },
    gives: [[[2], [5, 5]]],
  },
  reduce('ReduceMax', [2, 4]),
  {
    operator: 'ReduceMean',
    inputs: [
      [
        [2, 2],
        [1, 3, 3, 5],
      ],
      [[1], [-1], 'int64'],
    ],
    attributes: { keepdims: 0 },
    gives: [[[2], [2, 4]]],
  },
  reduce('ReduceMin', [1, 3]),
  reduce('ReduceSum', [3, 7]),
  unary('Relu', [-1, 0, 2], [0, 0, 2]),
  {
    operator: 'Reshape',
    inputs: [
      [
        [2, 2],
        [1, 0, 0, 1],
      ],
      [[2], [1, -1], 'int64'],
    ],
    gives: [
      [
        [1, 4],
        [1, 0, 0, 1],
      ],
    ],
  },
  unary('Sigmoid', [0, 1], [0.5, sigmoid(1)]),
  {
    operator: 'Slice',
    inputs: [
      [[5], [0, 1, 1, 0, 1]],
      [[1], [1], 'int64'],
      [[1], [4], 'int64'],
    ],
    gives: [[[3], [1, 1, 0]]],
  },
  {
    operator: 'Softmax',
    inputs: [
      [
        [1, 2],
        [0, Math.log(3)],
      ],
    ],
    gives: [
      [
        [1, 2],
        [0.25, 0.75],
      ],
    ],
  },
  unary('Sqrt', [4, 9], [2, 3]),
  {
    operator: 'Squeeze',
    inputs: [
      [
        [1, 2, 1],
        [1, 0],
      ],
      [[1], [0], 'int64'],
    ],
    gives: [
      [
        [2, 1],
        [1, 0],
      ],
    ],
  },
  {
    operator: 'Sub',
    inputs: [
      [[2], [5, 7]],
      [[1], [2]],
    ],
    gives: [[[2], [3, 5]]],
  },
  unary('Tanh', [0, 1], [0, Math.tanh(1)]),
  {
    operator: 'TopK',
    inputs: [
      [[4], [1, 4, 2, 3]],
      [[1], [2], 'int64'],
    ],
    gives: [
      [[2], [4, 3]],
      [[2], [1, 3], 'int64'],
    ],
  },
  {
    operator: 'Transpose',
    inputs: [
      [
        [2, 3],
        [1, 0, 1, 0, 0, 1],
      ],
    ],
    attributes: { perm: [1, 0] },
    gives: [
      [
        [3, 2],
        [1, 0, 0, 0, 1, 1],
      ],
    ],
  },
  {
    operator: 'Unsqueeze',
    inputs: [
      [[2], [1, 0]],
      [[1], [0], 'int64'],
    ],
    gives: [
      [
        [1, 2],
        [1, 0],
      ],
    ],
  },
  {
    operator: 'Where',
    inputs: [
      [[2], [1, 0], 'bool'],
      [[2], [1, 1]],
      [[1], [0]],
    ],
    gives: [[[2], [1, 0]]],
  },
];

/** Signs of one dtype, or one input left off: what the plain example doesn't show. */
const MORE: readonly (Example & {
  readonly id: string;
  readonly requirement: string;
  readonly shows: string;
})[] = [
  {
    id: 'optional-input-left-off',
    requirement: 'R-170',
    shows: 'a reduction without axes is over all of them',
    operator: 'ReduceSum',
    inputs: [
      [
        [2, 2],
        [1, 2, 3, 4],
      ],
    ],
    attributes: { keepdims: 0 },
    gives: [[[], [10]]],
  },
  {
    id: 'attribute-default',
    requirement: 'R-172',
    shows: 'an attribute that is left out has ONNX’s default: keepdims is 1',
    operator: 'ReduceMax',
    inputs: [
      [
        [2, 2],
        [1, 2, 3, 4],
      ],
      [[1], [1], 'int64'],
    ],
    gives: [
      [
        [2, 1],
        [2, 4],
      ],
    ],
  },
  {
    id: 'slice-all-inputs',
    requirement: 'R-170',
    shows: 'a Slice with axes and steps',
    operator: 'Slice',
    inputs: [
      [
        [2, 4],
        [1, 2, 3, 4, 5, 6, 7, 8],
      ],
      [[1], [-1], 'int64'],
      [[1], [-5], 'int64'],
      [[1], [1], 'int64'],
      [[1], [-2], 'int64'],
    ],
    gives: [
      [
        [2, 2],
        [4, 2, 8, 6],
      ],
    ],
  },
];

function write(sketch: Sketch, { operator, inputs, attributes }: Example, T: Dtype): number {
  const ids = inputs.map(([dims, numbers, dtype]) => sketch.constant(dtype ?? T, dims, numbers));
  return sketch.operator(operator, ids, attributes);
}

const exampleCase = (
  example: Example,
  id: string,
  requirements: readonly string[],
  shows: string,
): ConformanceCase => ({
  id,
  requirements,
  shows,
  run: async ({ open, model }) => {
    const sketch = new Sketch({ ids: model.ids });
    const save = sketch.save(write(sketch, example, 'float32'));
    const view = (await open()).run(sketch.request);
    await view.ended('completed');
    const value = view.value(save);
    const outputs = isTuple(value) ? value.map(oneTensor) : [value];
    mustEqual(
      'dtypes and dims',
      outputs.map(({ dtype, dims }) => [dtype, dims]),
      example.gives.map(([dims, , dtype]) => [dtype ?? 'float32', dims]),
    );
    for (const [index, output] of outputs.entries()) {
      mustBeClose('the result', numbersOf(output), example.gives[index]?.[1] ?? []);
    }
  },
});

/** Dtypes that `T` may be and that hold the example's numbers. */
function dtypesOf({ operator, inputs }: Example): readonly Dtype[] {
  const facts = OPERATORS[operator];
  const position = facts?.inputs.indexOf('T') ?? -1;
  if (!facts || position < 0) return [];
  const numbers = inputs.flatMap(([, list, dtype]) => (dtype ? [] : list));
  return inputDtypes(facts, position, undefined).filter((dtype) => {
    const { kind } = DTYPES[dtype];
    if (kind === 'float') return true;
    const least = kind === 'int' ? -128 : 0;
    const most = kind === 'bool' ? 1 : 127;
    return numbers.every((number) => Number.isInteger(number) && number >= least && number <= most);
  });
}

const dtypeCase = (example: Example): ConformanceCase => ({
  id: `operator-${example.operator}-dtypes`,
  requirements: ['R-169', 'R-171'],
  shows: `${example.operator} takes every dtype that its row says`,
  run: async ({ open, model }) => {
    const dtypes = dtypesOf(example);
    if (dtypes.length === 0) throw new NotApplicable('its inputs have one dtype each');
    const sketch = new Sketch({ ids: model.ids });
    const saves = dtypes.map((dtype) => sketch.save(write(sketch, example, dtype)));
    const view = (await open()).run(sketch.request);
    await view.ended('completed');
    const missing = dtypes.filter((_, index) => !view.values.has(saves[index] ?? -1));
    const first = view.accessErrors.get(saves[dtypes.indexOf(missing[0] ?? 'bool')] ?? -1);
    check(
      missing.length === 0,
      `values of ${dtypes.join(', ')}`,
      () => `none of ${missing.join(', ')}: ${brief(first?.cause?.message ?? first?.message)}`,
    );
    for (const [index, dtype] of dtypes.entries()) {
      const value = view.value(saves[index] ?? -1);
      const outputs = isTuple(value) ? value.map(oneTensor) : [value];
      for (const [at, output] of outputs.entries()) {
        const [dims = [], numbers = [], given] = example.gives[at] ?? [];
        mustEqual(`${dtype}: dtype and dims`, [output.dtype, output.dims], [given ?? dtype, dims]);
        mustBeClose(`${dtype}: the result`, numbersOf(output), numbers, dtype === 'float16' ? 5e-3 : 1e-4);
      }
    }
  },
});

export const OPERATOR_CASES: readonly ConformanceCase[] = [
  ...EXAMPLES.map((example) =>
    exampleCase(
      example,
      `operator-${example.operator}`,
      ['R-146', 'R-169'],
      `${example.operator} gives what ONNX says`,
    ),
  ),
  ...EXAMPLES.map(dtypeCase),
  ...MORE.map(({ id, requirement, shows, ...example }) => exampleCase(example, id, [requirement], shows)),
];

/** Operators with an example; a test compares it with the protocol's list. */
export const OPERATORS_SHOWN: readonly string[] = EXAMPLES.map(({ operator }) => operator);
