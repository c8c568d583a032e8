/**
 * The operators that keep positions apart: along one axis of what they take, each index of the result depends on the same
 * index alone. An explicit list; what isn't on it may mix positions. The same rules serve the model's nodes (tail.ts) and a
 * graph's operators (positions.ts).
 */

/** What an operator takes. */
export interface Operand {
  /** Where its positions are, and how many axes it has; undefined for what has none, which must be known before. */
  readonly positions: PositionAxis | undefined;
  /** Of a constant. */
  readonly dims?: readonly number[] | undefined;
  /** The elements of a constant of integers. */
  readonly integers?: readonly number[] | undefined;
}

export interface PositionAxis {
  readonly axis: number;
  readonly rank: number;
}

export interface Application {
  /** The ONNX name, behind its domain if that isn't the standard's: `com.microsoft.MatMulNBits`. */
  readonly operator: string;
  /** Those left out are undefined. */
  readonly inputs: readonly (Operand | undefined)[];
  /** An attribute of integers. */
  attribute(name: string): readonly number[] | undefined;
}

/** Where the positions are in all that an operator gives; undefined where it may mix them. At least one operand has positions. */
export function positionsThrough(application: Application): PositionAxis | undefined {
  const { operator, inputs } = application;
  const rule = RULES.get(operator);
  const [first, ...others] = inputs;
  const [at] = inputs.flatMap((input) => input?.positions ?? []);
  if (!rule || !at || !inputs.every((input) => !input || input.positions || input.dims)) return undefined;
  const alone = first?.positions && others.every((other) => !other?.positions);
  return alone || JOINING.has(operator) ? rule(application, at) : undefined;
}

/** As operators of the ONNX standard, from operator set 13 on, name an axis. */
export function axisOf({ attribute }: Pick<Application, 'attribute'>, missing: number, rank: number): number {
  const [axis = missing] = attribute('axis') ?? [];
  return axis < 0 ? axis + rank : axis;
}

/** `at` is where the first operand that has positions has them. */
type Rule = (application: Application, at: PositionAxis) => PositionAxis | undefined;

/** Element by element, with broadcasting: all that have positions have them in the same place. */
const elementwise: Rule = ({ inputs }, at) => {
  const fits = inputs.every((input) => {
    if (!input?.positions) return !input?.dims || spreads(input.dims, at);
    return input.positions.axis === at.axis && input.positions.rank === at.rank;
  });
  return fits ? at : undefined;
};

/** Whether a constant is the same for every position. */
function spreads(dims: readonly number[], { axis, rank }: PositionAxis): boolean {
  const own = axis - (rank - dims.length);
  return dims.length <= rank && (own < 0 || dims[own] === 1);
}

/** By scales that hold for all of it. */
const scaled: Rule = ({ inputs }, at) =>
  inputs.slice(1).every((input) => !input || input.dims?.length === 0) ? at : undefined;

/** Over one axis behind the positions, or all from it on. */
const behind: Rule = (application, at) =>
  axisOf(application, -1, at.rank) > at.axis ? elementwise(application, at) : undefined;

/** Over the last axis, behind the positions. */
const last: Rule = (application, at) => (at.axis < at.rank - 1 ? elementwise(application, at) : undefined);

/** By a matrix that is a constant: rows stay apart. */
const rows: Rule = ({ inputs }, at) =>
  at.axis < at.rank - 1 && inputs[1]?.dims?.length === 2 ? at : undefined;

/** By a matrix in whatever form its kernel has it. */
const packedRows: Rule = (_, at) => (at.axis < at.rank - 1 ? at : undefined);

const reduced: Rule = (application, at) => {
  const axes = application.inputs[1]?.integers ?? application.attribute('axes') ?? [];
  return axes.length > 0 ? without(axes, application, at) : undefined;
};

const reducedOne: Rule = (application, at) => without([axisOf(application, 0, at.rank)], application, at);

/** Without these axes, or with 1 in their place. */
function without(
  axes: readonly number[],
  { attribute }: Application,
  at: PositionAxis,
): PositionAxis | undefined {
  const gone = counted(axes, at);
  if (gone.includes(at.axis)) return undefined;
  return attribute('keepdims')?.[0] === 0 ? dropped(gone, at) : at;
}

/** Axes counted from the first. */
export const counted = (axes: readonly number[], { rank }: PositionAxis): readonly number[] =>
  axes.map((axis) => (axis < 0 ? axis + rank : axis));

const dropped = (gone: readonly number[], { axis, rank }: PositionAxis): PositionAxis => ({
  axis: axis - gone.filter((other) => other < axis).length,
  rank: rank - gone.length,
});

const ranked: Rule = (application, at) => (axisOf(application, -1, at.rank) === at.axis ? undefined : at);

const gathered: Rule = (application, at) => {
  const from = axisOf(application, 0, at.rank);
  const more = (application.inputs[1]?.dims?.length ?? 0) - 1;
  if (from === at.axis) return undefined;
  return { axis: from < at.axis ? at.axis + more : at.axis, rank: at.rank + more };
};

const sliced: Rule = ({ inputs }, at) => {
  const axes = inputs[3]?.integers;
  return axes && !counted(axes, at).includes(at.axis) ? at : undefined;
};

const squeezed: Rule = ({ inputs }, at) => {
  const axes = inputs[1]?.integers;
  return axes && !counted(axes, at).includes(at.axis) ? dropped(counted(axes, at), at) : undefined;
};

const ELEMENTWISE =
  `Abs Neg Sign Exp Log Sqrt Reciprocal Sin Cos Tanh Sigmoid Erf Relu LeakyRelu Elu Celu Selu Gelu Softplus
  Softsign HardSigmoid HardSwish Mish Floor Ceil Round IsNaN IsInf Not Identity Cast Clip Add Sub Mul Div Pow Min Max Where
  And Or Equal Greater GreaterOrEqual Less LessOrEqual`.split(/\s+/);

const REDUCTIONS = ['Mean', 'Sum', 'SumSquare', 'Max', 'Min', 'Prod', 'L1', 'L2', 'LogSum', 'LogSumExp'];

/** Norms of the sum of two values. */
const SUMMING = ['com.microsoft.SkipLayerNormalization', 'com.microsoft.SkipSimplifiedLayerNormalization'];

/** Those that may take several operands with positions; all others take one, first, and constants. */
const JOINING: ReadonlySet<string> = new Set([...ELEMENTWISE, ...SUMMING]);

const RULES: ReadonlyMap<string, Rule> = new Map([
  ...ELEMENTWISE.map((name) => [name, elementwise] as const),
  ...SUMMING.map((name) => [name, last] as const),
  ...REDUCTIONS.map((name) => [`Reduce${name}`, reduced] as const),
  ['QuantizeLinear', scaled],
  ['DequantizeLinear', scaled],
  ['Softmax', behind],
  ['LogSoftmax', behind],
  ['LayerNormalization', behind],
  ['RMSNormalization', behind],
  ['SimplifiedLayerNormalization', behind],
  ['MatMul', rows],
  ['com.microsoft.MatMulNBits', packedRows],
  ['ArgMax', reducedOne],
  ['ArgMin', reducedOne],
  ['TopK', ranked],
  ['Gather', gathered],
  ['Slice', sliced],
  ['Squeeze', squeezed],
]);
