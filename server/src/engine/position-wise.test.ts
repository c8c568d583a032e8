/** Each rule of the list against ONNX Runtime: other positions are changed, and what an operator gives of one stays. */
import { tmpdir } from 'node:os';
import { elementCount, type TensorLike } from '@tracewire/protocol';
import { describe, expect, it } from 'vitest';
import { ATTRIBUTE_TYPE, type AttributeProto, encodeModel } from './onnx/schema.ts';
import { toInitializer, toValueInfo } from './onnx/tensors.ts';
import { type Operand, positionsThrough } from './position-wise.ts';
import { onnxRuntime } from './runtime/ort.ts';

/** What has positions: `[2, 5, 16]` numbers, its positions on axis 1. */
const X = 'x';
const DIMS = [2, 5, 16] as const;
const AT = { axis: 1, rank: 3 };
/** The one that is looked at. */
const POSITION = 3;

type Attributes = Readonly<Record<string, number | readonly number[]>>;
type Case = readonly [
  operator: string,
  inputs: readonly (typeof X | TensorLike | '')[],
  attributes?: Attributes,
];

const floats = (
  dims: readonly number[],
  of: (index: number) => number = (i) => Math.cos(i) + 1.5,
): TensorLike => ({
  dtype: 'float32',
  dims,
  data: Float32Array.from({ length: elementCount(dims) }, (_, index) => of(index)),
});
const ints = (...values: number[]): TensorLike => ({
  dtype: 'int64',
  dims: [values.length],
  data: BigInt64Array.from(values, BigInt),
});
const bytes = (dims: readonly number[]): TensorLike => ({
  dtype: 'uint8',
  dims,
  data: Uint8Array.from({ length: elementCount(dims) }, (_, index) => (index * 37) % 256),
});
const one = floats([]);
const row = floats([16]);

const UNARY =
  `Abs Neg Sign Exp Log Sqrt Reciprocal Sin Cos Tanh Sigmoid Erf Relu LeakyRelu Elu Celu Selu Gelu Softplus
  Softsign HardSigmoid HardSwish Mish Floor Ceil Round IsNaN IsInf Identity`.split(/\s+/);

const APART: readonly Case[] = [
  ...UNARY.map((name): Case => [name, [X]]),
  ...['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Min', 'Max'].flatMap((name): Case[] => [
    [name, [X, row]],
    [name, [one, X]],
    [name, [X, X]],
    [name, [floats([1, 1, 16]), X]],
    [name, [X, floats([2, 1, 1])]],
  ]),
  ...['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'].map((name): Case => [name, [X, one]]),
  ['Cast', [X], { to: 7 }],
  ['Clip', [X, one, '']],
  ['Where', [{ dtype: 'bool', dims: [16], data: Uint8Array.from({ length: 16 }, (_, i) => i % 2) }, X, row]],
  ['QuantizeLinear', [X, one]],
  ['Softmax', [X], { axis: -1 }],
  ['LogSoftmax', [X], { axis: 2 }],
  ['LayerNormalization', [X, row, row]],
  ['LayerNormalization', [X, row], { axis: 2 }],
  ['SimplifiedLayerNormalization', [X, row]],
  ['com.microsoft.SkipLayerNormalization', [X, X, row, row]],
  ['com.microsoft.SkipSimplifiedLayerNormalization', [X, X, row]],
  ['MatMul', [X, floats([16, 7])]],
  ['com.microsoft.MatMulNBits', [X, bytes([3, 1, 8]), floats([3])], { K: 16, N: 3, bits: 4, block_size: 16 }],
  ...['Mean', 'Sum', 'SumSquare', 'Max', 'Min', 'Prod', 'L1', 'L2', 'LogSum', 'LogSumExp'].flatMap(
    (name): Case[] => [
      [`Reduce${name}`, [X, ints(-1)]],
      [`Reduce${name}`, [X, ints(0)], { keepdims: 0 }],
    ],
  ),
  ['ArgMax', [X], { axis: -1 }],
  ['ArgMin', [X], { axis: 0, keepdims: 0 }],
  ['TopK', [X, ints(3)]],
  ['Gather', [X, ints(4, -1)], { axis: 2 }],
  ['Gather', [X, { ...ints(1), dims: [] }], { axis: 0 }],
  ['Gather', [X, { ...ints(1, 0), dims: [1, 2] }], { axis: 0 }],
  ['Slice', [X, ints(1, 0), ints(9, 1), ints(-1, 0), ints(3, 1)]],
];

/** Of these some mix positions, and of others it isn't known before they run. */
const MIXED: readonly Case[] = [
  ['Softmax', [X], { axis: 1 }],
  ['Softmax', [X], { axis: 0 }],
  ['LayerNormalization', [X, floats([5, 16])], { axis: 1 }],
  ['Add', [X, floats([5, 16])]],
  ['Add', [X, floats([1, 2, 5, 16])]],
  ['MatMul', [floats([5, 5]), X]],
  ['MatMul', [X, floats([2, 16, 7])]],
  ['MatMul', [X, X]],
  ['ReduceMax', [X]],
  ['ReduceMax', [X, ints(1)]],
  ['ReduceMax', [X, ints(-2, -1)]],
  ['ArgMax', [X], { axis: 1 }],
  ['TopK', [X, ints(3)], { axis: 1 }],
  ['Gather', [X, ints(0)], { axis: 1 }],
  ['Slice', [X, ints(0), ints(2)]],
  ['Slice', [X, ints(0), ints(2), ints(-2)]],
  ['Squeeze', [X]],
  ['QuantizeLinear', [X, floats([5])]],
  ['DynamicQuantizeLinear', [X]],
  ['CumSum', [X, ints(2)]],
  ['Transpose', [X]],
  ['Reshape', [X, ints(0, 0, 16)]],
  ['Expand', [X, ints(2, 5, 16)]],
  ['Conv', [X, floats([5, 5, 1])]],
  ['com.example.Add', [X, row]],
];

const operandOf = (input: typeof X | TensorLike | ''): Operand | undefined => {
  if (input === '') return undefined;
  if (input === X) return { positions: AT };
  const { dims, dtype, data } = input;
  return { positions: undefined, dims, integers: dtype === 'int64' ? Array.from(data, Number) : undefined };
};

const through = ([operator, inputs, attributes = {}]: Case) =>
  positionsThrough({
    operator,
    inputs: inputs.map(operandOf),
    attribute: (name) => {
      const value = attributes[name];
      return typeof value === 'number' ? [value] : value;
    },
  });

const attributesOf = (attributes: Attributes): AttributeProto[] =>
  Object.entries(attributes).map(([name, value]) =>
    typeof value === 'number'
      ? { name, type: ATTRIBUTE_TYPE.int, i: value }
      : { name, type: ATTRIBUTE_TYPE.ints, ints: [...value] },
  );

const runtime = onnxRuntime({ provider: 'cpu', threads: 1, weightsFolder: tmpdir() });

/** What the operator gives for these numbers. */
async function given([operator, inputs, attributes = {}]: Case, x: TensorLike): Promise<TensorLike> {
  const dot = operator.lastIndexOf('.');
  const input = inputs.map((of, index) => (typeof of === 'string' ? of : `c${index}`));
  const model = encodeModel({
    ir_version: 9,
    opset_import: [
      { domain: '', version: 20 },
      { domain: 'com.microsoft', version: 1 },
    ],
    graph: {
      name: operator,
      node: [
        {
          name: operator,
          op_type: operator.slice(dot + 1),
          domain: operator.slice(0, Math.max(0, dot)),
          input,
          output: operator === 'TopK' ? ['y', 'z'] : ['y'],
          attribute: attributesOf(attributes),
        },
      ],
      initializer: inputs.flatMap((of, index) =>
        typeof of === 'string' ? [] : [toInitializer(`c${index}`, of)],
      ),
      input: [toValueInfo(X, 'float32', DIMS)],
      output: [{ name: 'y' }],
    },
  });
  const segment = await runtime.createSegment(model);
  const y = (await segment.run(new Map([[X, x]]), ['y'])).get('y');
  await segment.release();
  if (!y) throw new Error(`${operator} gave nothing.`);
  return y;
}

/** The elements at an index of an axis. */
function at({ dims, data }: TensorLike, axis: number, index: number): unknown[] {
  const inner = elementCount(dims.slice(axis + 1));
  return Array.from(data as ArrayLike<unknown>).filter(
    (_, element) => Math.floor(element / inner) % (dims[axis] ?? 1) === index,
  );
}

describe('an operator on the list', () => {
  const numbers = floats(DIMS);
  // One position is far larger, one below zero, and so on.
  const others = floats(DIMS, (index) => {
    const position = Math.floor(index / 16) % 5;
    const own = Number(numbers.data[index]);
    return position === POSITION
      ? own
      : ([own * 1e3, -own, Number.NaN, 0, Number.POSITIVE_INFINITY][position] ?? 0);
  });

  it.each(APART.map((of) => [of[0], of] as const))('keeps positions apart: %s', async (_, of) => {
    const found = through(of);
    if (!found) throw new Error('It is not on the list.');
    const [some, changed] = [await given(of, numbers), await given(of, others)];
    expect(some.dims).toHaveLength(found.rank);
    expect(some.dims[found.axis]).toBe(DIMS[AT.axis]);
    const wanted = at(some, found.axis, POSITION);
    expect(wanted.length).toBe(some.data.length / 5);
    expect(at(changed, found.axis, POSITION)).toEqual(wanted);
    expect(changed.data).not.toEqual(some.data);
  });
});

const MIXING: readonly Case[] = [
  ['Softmax', [X], { axis: 1 }],
  ['LayerNormalization', [X, floats([5, 16])], { axis: 1 }],
  ['CumSum', [X, { ...ints(1), dims: [] }]],
];

it.each(MIXING.map((of) => [of[0], of] as const))('would be seen to mix positions: %s', async (_, of) => {
  const some = await given(of, floats(DIMS));
  const others = floats(DIMS, (index) =>
    Math.floor(index / 16) % 5 === POSITION ? Math.cos(index) + 1.5 : 1,
  );
  expect(at(await given(of, others), 1, POSITION)).not.toEqual(at(some, 1, POSITION));
});

it.each(MIXED.map((of) => [of[0], of] as const))('says nothing of what may mix positions: %s', (_, of) => {
  expect(through(of)).toBeUndefined();
});
