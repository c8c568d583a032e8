/**
 * The operators that a graph may use: an explicit list, each named and defined by the ONNX operator set
 * (PROTOCOL.md, section 3.3). The table gives arity, attributes and dtype rules; ONNX gives the meaning.
 */
import type { AttributeValue } from './graph.ts';
import { DTYPE_NAMES, DTYPES, type Dtype } from './tensor.ts';

/** Dtypes that a type variable may stand for: what the operators' ONNX type constraints say. */
const KINDS = {
  any: DTYPE_NAMES,
  number: DTYPE_NAMES.filter((dtype) => dtype !== 'bool'),
  signed: DTYPE_NAMES.filter((dtype) => DTYPES[dtype].kind === 'int' || DTYPES[dtype].kind === 'float'),
  float: DTYPE_NAMES.filter((dtype) => DTYPES[dtype].kind === 'float'),
  index: ['int32', 'int64'],
  wide: ['int32', 'uint32', 'int64', 'uint64', 'float16', 'float32', 'float64'],
  power: ['int32', 'int64', 'float16', 'float32', 'float64'],
  ordered: ['bool', 'int8', 'uint8', 'int32', 'uint32', 'int64', 'uint64', 'float16', 'float32', 'float64'],
} as const satisfies Record<string, readonly Dtype[]>;

type AttributeType = 'int' | 'float' | 'string' | 'ints';

export interface OperatorFacts {
  /** What the type variable `T` may be. */
  readonly T: keyof typeof KINDS;
  /** Each input's dtype: the variable `T`, `index`, or a fixed one. The last repeats where `variadic`. */
  readonly inputs: readonly ('T' | 'index' | Dtype)[];
  /** Fewest inputs; the rest may be left off at the end. All are needed where it is absent. */
  readonly needs?: number;
  readonly variadic?: true;
  /** Each output's dtype; `to` is what the attribute `to` names. */
  readonly outputs: readonly ('T' | 'to' | Dtype)[];
  readonly attributes?: Readonly<Record<string, AttributeType>>;
  readonly required?: readonly string[];
  /** One line on what it is for. */
  readonly about: string;
}

const unary = (T: OperatorFacts['T'], about: string): OperatorFacts => ({
  T,
  inputs: ['T'],
  outputs: ['T'],
  about,
});
const binary = (T: OperatorFacts['T'], about: string): OperatorFacts => ({
  T,
  inputs: ['T', 'T'],
  outputs: ['T'],
  about,
});
const compare = (about: string): OperatorFacts => ({
  T: 'number',
  inputs: ['T', 'T'],
  outputs: ['bool'],
  about,
});
const logical = (about: string): OperatorFacts => ({
  T: 'any',
  inputs: ['bool', 'bool'],
  outputs: ['bool'],
  about,
});
const reduce = (T: OperatorFacts['T'], about: string): OperatorFacts => ({
  T,
  inputs: ['T', 'int64'],
  needs: 1,
  outputs: ['T'],
  attributes: { keepdims: 'int', noop_with_empty_axes: 'int' },
  about,
});
const alongAxis = (about: string): OperatorFacts => ({
  T: 'float',
  inputs: ['T'],
  outputs: ['T'],
  attributes: { axis: 'int' },
  about,
});
const argument = (about: string): OperatorFacts => ({
  T: 'number',
  inputs: ['T'],
  outputs: ['int64'],
  attributes: { axis: 'int', keepdims: 'int', select_last_index: 'int' },
  about,
});

export const OPERATORS: Readonly<Record<string, OperatorFacts>> = {
  Abs: unary('number', 'absolute value'),
  Add: binary('number', 'sum, broadcast'),
  And: logical('both'),
  ArgMax: argument('index of the largest along an axis'),
  ArgMin: argument('index of the smallest along an axis'),
  Cast: {
    T: 'any',
    inputs: ['T'],
    outputs: ['to'],
    attributes: { to: 'int' },
    required: ['to'],
    about: 'another dtype',
  },
  Concat: {
    T: 'any',
    inputs: ['T'],
    variadic: true,
    outputs: ['T'],
    attributes: { axis: 'int' },
    required: ['axis'],
    about: 'joins along an axis',
  },
  Div: binary('number', 'quotient, broadcast'),
  Equal: { T: 'any', inputs: ['T', 'T'], outputs: ['bool'], about: 'equal' },
  Exp: unary('float', 'e to the power'),
  Gather: {
    T: 'any',
    inputs: ['T', 'index'],
    outputs: ['T'],
    attributes: { axis: 'int' },
    about: 'picks by index along an axis',
  },
  Greater: compare('greater than'),
  GreaterOrEqual: compare('greater than or equal'),
  Less: compare('less than'),
  LessOrEqual: compare('less than or equal'),
  Log: unary('float', 'natural logarithm'),
  LogSoftmax: alongAxis('logarithm of softmax'),
  MatMul: binary('wide', 'matrix product, batched as in NumPy'),
  Max: { T: 'number', inputs: ['T'], variadic: true, outputs: ['T'], about: 'largest, element by element' },
  Min: { T: 'number', inputs: ['T'], variadic: true, outputs: ['T'], about: 'smallest, element by element' },
  Mul: binary('number', 'product, broadcast'),
  Neg: unary('signed', 'negative'),
  Not: { T: 'any', inputs: ['bool'], outputs: ['bool'], about: 'logical not' },
  Or: logical('either'),
  Pow: binary('power', 'power, broadcast'),
  ReduceL2: reduce('wide', 'Euclidean norm over axes'),
  ReduceMax: reduce('ordered', 'largest over axes'),
  ReduceMean: reduce('wide', 'mean over axes'),
  ReduceMin: reduce('ordered', 'smallest over axes'),
  ReduceSum: reduce('wide', 'sum over axes'),
  Relu: unary('signed', 'max(x, 0)'),
  Reshape: {
    T: 'any',
    inputs: ['T', 'int64'],
    outputs: ['T'],
    attributes: { allowzero: 'int' },
    about: 'other dims, same elements',
  },
  Sigmoid: unary('float', 'logistic function'),
  Slice: {
    T: 'any',
    inputs: ['T', 'int64', 'int64', 'int64', 'int64'],
    needs: 3,
    outputs: ['T'],
    about: 'a range of each axis',
  },
  Softmax: alongAxis('exponentials that sum to 1'),
  Sqrt: unary('float', 'square root'),
  Squeeze: { T: 'any', inputs: ['T', 'int64'], needs: 1, outputs: ['T'], about: 'drops axes of 1' },
  Sub: binary('number', 'difference, broadcast'),
  Tanh: unary('float', 'hyperbolic tangent'),
  TopK: {
    T: 'number',
    inputs: ['T', 'int64'],
    outputs: ['T', 'int64'],
    attributes: { axis: 'int', largest: 'int', sorted: 'int' },
    about: 'the k largest and their indices',
  },
  Transpose: {
    T: 'any',
    inputs: ['T'],
    outputs: ['T'],
    attributes: { perm: 'ints' },
    about: 'reorders axes',
  },
  Unsqueeze: { T: 'any', inputs: ['T', 'int64'], outputs: ['T'], about: 'adds axes of 1' },
  Where: { T: 'any', inputs: ['bool', 'T', 'T'], outputs: ['T'], about: 'one or the other, by a condition' },
};

export function operatorFacts(operator: string): OperatorFacts | undefined {
  return Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined;
}

/** What is wrong with an operator's attributes, or undefined. */
export function attributeFault(
  facts: OperatorFacts,
  attributes: Readonly<Record<string, AttributeValue>>,
): { readonly attribute: string; readonly wanted: string | undefined } | undefined {
  for (const attribute of facts.required ?? []) {
    if (!Object.hasOwn(attributes, attribute)) return { attribute, wanted: facts.attributes?.[attribute] };
  }
  for (const [attribute, value] of Object.entries(attributes)) {
    const wanted =
      facts.attributes && Object.hasOwn(facts.attributes, attribute) && facts.attributes[attribute];
    if (!wanted) return { attribute, wanted: undefined };
    if (!ATTRIBUTE_TESTS[wanted](value)) return { attribute, wanted };
  }
  return undefined;
}

const ATTRIBUTE_TESTS: Record<AttributeType, (value: AttributeValue) => boolean> = {
  int: (value) => Number.isSafeInteger(value),
  float: (value) => typeof value === 'number',
  string: (value) => typeof value === 'string',
  ints: (value) => Array.isArray(value),
};

/** The dtypes an input of an operator may have, given what `T` is bound to so far. */
export function inputDtypes(facts: OperatorFacts, index: number, bound: Dtype | undefined): readonly Dtype[] {
  const declared = facts.inputs[Math.min(index, facts.inputs.length - 1)] ?? 'T';
  if (declared === 'T') return bound ? [bound] : KINDS[facts.T];
  if (declared === 'index') return KINDS.index;
  return [declared];
}

/** Whether an input takes part in binding `T`. */
export function bindsT(facts: OperatorFacts, index: number): boolean {
  return facts.inputs[Math.min(index, facts.inputs.length - 1)] === 'T';
}

/** The dtypes of an operator's outputs; undefined where `to` names none. */
export function outputDtypes(
  facts: OperatorFacts,
  bound: Dtype | undefined,
  attributes: Readonly<Record<string, AttributeValue>>,
): readonly (Dtype | undefined)[] {
  return facts.outputs.map((output) => {
    if (output === 'T') return bound;
    if (output === 'to') return DTYPE_NAMES.find((dtype) => DTYPES[dtype].onnx === attributes['to']);
    return output;
  });
}
