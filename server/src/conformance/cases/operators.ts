/**
 * Section 3.3: every operator once on constants, with the result that NumPy gives, and in every dtype it may have. The
 * examples are made by test/reference/operators.py.
 */
import { readFileSync } from 'node:fs';
import {
  type AttributeValue,
  DTYPES,
  type Dtype,
  inputDtypes,
  isTuple,
  ModelIndex,
  OPERATORS,
} from '@tracewire/protocol';
import type { ConformanceCase } from '../cases.ts';
import { brief, check, mustEqual, NotApplicable } from '../mismatch.ts';
import { Sketch } from '../sketch.ts';
import { mustBeClose, numbersOf, oneTensor } from '../tensors.ts';

/** `T` is float32 in the plain case, and each dtype that is allowed in the case of dtypes. */
type Constant = readonly [dtype: Dtype | 'T', dims: readonly number[], numbers: readonly number[]];

interface Example {
  readonly operator: string;
  readonly inputs: readonly Constant[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly outputs: readonly Constant[];
}

const file = new URL('../../../conformance/operators.json', import.meta.url);
const EXAMPLES = Object.entries(
  JSON.parse(readFileSync(file, 'utf8')) as Record<string, readonly Omit<Example, 'operator'>[]>,
).flatMap(([operator, examples]) => examples.map((example): Example => ({ operator, ...example })));

const MATRIX: Constant = ['T', [2, 2], [1, 2, 3, 4]];

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
    inputs: [MATRIX],
    attributes: { keepdims: 0 },
    outputs: [['T', [], [10]]],
  },
  {
    id: 'attribute-default',
    requirement: 'R-172',
    shows: 'an attribute that is left out has ONNX’s default: keepdims is 1',
    operator: 'ReduceMax',
    inputs: [MATRIX, ['int64', [1], [1]]],
    outputs: [['T', [2, 1], [2, 4]]],
  },
  {
    id: 'slice-all-inputs',
    requirement: 'R-170',
    shows: 'a Slice with axes and steps',
    operator: 'Slice',
    inputs: [
      ['T', [2, 4], [1, 2, 3, 4, 5, 6, 7, 8]],
      ['int64', [1], [-1]],
      ['int64', [1], [-5]],
      ['int64', [1], [1]],
      ['int64', [1], [-2]],
    ],
    outputs: [['T', [2, 2], [4, 2, 8, 6]]],
  },
  {
    id: 'operator-no-elements',
    requirement: 'R-250',
    shows: 'values without elements have the dims that the rules say',
    operator: 'MatMul',
    inputs: [
      ['T', [0, 2], []],
      ['T', [2, 3], [1, 2, 3, 4, 5, 6]],
    ],
    outputs: [['T', [0, 3], []]],
  },
];

function write(sketch: Sketch, { operator, inputs, attributes }: Example, T: Dtype): number {
  const ids = inputs.map(([dtype, dims, numbers]) =>
    sketch.constant(dtype === 'T' ? T : dtype, dims, numbers),
  );
  return sketch.operator(operator, ids, attributes);
}

/** The dtype of the plain case. */
function plainDtype({ operator }: Example): Dtype {
  const facts = OPERATORS[operator];
  const position = facts?.inputs.indexOf('T') ?? -1;
  const allowed = facts && position >= 0 ? inputDtypes(facts, position, undefined) : [];
  return allowed.includes('float32') || allowed[0] === undefined
    ? 'float32'
    : allowed.includes('uint8')
      ? 'uint8'
      : allowed[0];
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
    const T = plainDtype(example);
    const save = sketch.save(write(sketch, example, T));
    const view = (await open()).run(sketch.request);
    await view.ended('completed');
    const value = view.value(save);
    const outputs = isTuple(value) ? value.map(oneTensor) : [value];
    mustEqual(
      'dtypes and dims',
      outputs.map(({ dtype, dims }) => [dtype, dims]),
      example.outputs.map(([dtype, dims]) => [dtype === 'T' ? T : dtype, dims]),
    );
    for (const [index, output] of outputs.entries()) {
      mustBeClose('the result', numbersOf(output), example.outputs[index]?.[2] ?? []);
    }
  },
});

/** Dtypes that `T` may be on this server and that hold the example's numbers, results included. */
function dtypesOf({ operator, inputs, outputs }: Example, index: ModelIndex): readonly Dtype[] {
  const facts = OPERATORS[operator];
  const position = facts?.inputs.indexOf('T') ?? -1;
  if (!facts || position < 0) return [];
  const numbers = [...inputs, ...outputs].flatMap(([dtype, , list]) => (dtype === 'T' ? list : []));
  return inputDtypes(facts, position, undefined).filter((dtype) => {
    const { kind } = DTYPES[dtype];
    if (index.lacks(operator, dtype)) return false;
    if (kind === 'float') return true;
    const least = kind === 'int' ? -128 : 0;
    const most = kind === 'bool' ? 1 : 127;
    return numbers.every((number) => Number.isInteger(number) && number >= least && number <= most);
  });
}

const dtypeCase = (example: Example): ConformanceCase => ({
  id: `operator-${example.operator}-dtypes`,
  requirements: ['R-169', 'R-171', 'R-251'],
  shows: `${example.operator} takes every dtype that its row says and the description doesn’t except`,
  run: async ({ open, model }) => {
    const dtypes = dtypesOf(example, new ModelIndex(model.description));
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
        const [given = 'T', dims = [], numbers = []] = example.outputs[at] ?? [];
        mustEqual(
          `${dtype}: dtype and dims`,
          [output.dtype, output.dims],
          [given === 'T' ? dtype : given, dims],
        );
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
      ['R-146', 'R-169', 'R-250'],
      `${example.operator} gives what ONNX says`,
    ),
  ),
  ...EXAMPLES.map(dtypeCase),
  ...MORE.map(({ id, requirement, shows, ...example }) => exampleCase(example, id, [requirement], shows)),
];

/** Operators with an example; a test compares it with the protocol's list. */
export const OPERATORS_SHOWN: readonly string[] = EXAMPLES.map(({ operator }) => operator);
