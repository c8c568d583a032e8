/**
 * The operators that a graph may use: an explicit list, each named and defined by the ONNX operator set
 * (PROTOCOL.md, section 3.3). The table, one file a family in `operators/`, gives arity, attributes, and the rules of
 * dtypes and dims; ONNX gives the meaning.
 */
import type { AttributeValue } from './graph.ts';
import { ELEMENTWISE } from './operators/elementwise.ts';
import { type AttributeType, KINDS, type OperatorFacts } from './operators/facts.ts';
import { GATHER } from './operators/gather.ts';
import { LAYOUT } from './operators/layout.ts';
import { LOGIC } from './operators/logic.ts';
import { RANDOM } from './operators/random.ts';
import { REDUCTIONS } from './operators/reductions.ts';
import { ShapeCall, ShapeFault } from './shapes/call.ts';
import { describeDims, MAX_VALUES, type Shape } from './shapes/dim.ts';
import { DTYPE_NAMES, DTYPES, type Dtype } from './tensor.ts';

export type { AttributeType, OperatorFacts } from './operators/facts.ts';
export { ShapeFault } from './shapes/call.ts';
export { type Dim, type Dims, MAX_VALUES, mostOf, type Shape, shapeOf } from './shapes/dim.ts';
export { applied } from './shapes/module.ts';

/** Every operator that a graph may use, by its ONNX name. */
export const OPERATORS: Readonly<Record<string, OperatorFacts>> = Object.fromEntries(
  [ELEMENTWISE, LOGIC, REDUCTIONS, LAYOUT, GATHER, RANDOM]
    .flatMap((family) => Object.entries(family))
    .toSorted(([a], [b]) => (a < b ? -1 : 1)),
);

type Attributes = Readonly<Record<string, AttributeValue>>;

export function operatorFacts(operator: string): OperatorFacts | undefined {
  return Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined;
}

/** The type of an operator's attribute; undefined if it has none of the name. */
export function attributeType(facts: OperatorFacts, attribute: string): AttributeType | undefined {
  return facts.attributes && Object.hasOwn(facts.attributes, attribute)
    ? facts.attributes[attribute]
    : undefined;
}

/** What is wrong with an operator's attributes, or undefined. */
export function attributeFault(
  facts: OperatorFacts,
  attributes: Attributes,
): { readonly attribute: string; readonly wanted: string | undefined } | undefined {
  for (const attribute of facts.required ?? []) {
    if (!Object.hasOwn(attributes, attribute))
      return { attribute, wanted: describeType(attributeType(facts, attribute) ?? 'int') };
  }
  for (const [attribute, value] of Object.entries(attributes)) {
    const type = attributeType(facts, attribute);
    if (!type) return { attribute, wanted: undefined };
    if (!hasType(value, type)) return { attribute, wanted: describeType(type) };
    const wanted = countFault(facts, attribute, value);
    if (wanted) return { attribute, wanted };
  }
  return undefined;
}

function hasType(value: AttributeValue, type: AttributeType): boolean {
  if (typeof type === 'object') return typeof value === 'string' && type.includes(value);
  if (type === 'int') return Number.isSafeInteger(value);
  if (type === 'ints') return Array.isArray(value);
  return typeof value === (type === 'float' ? 'number' : 'string');
}

/** `int`, or `add or mul`. */
function describeType(type: AttributeType): string {
  return typeof type === 'object' ? type.join(' or ') : type;
}

/** Integers that count something. */
function countFault(facts: OperatorFacts, attribute: string, value: AttributeValue): string | undefined {
  const outside = (least: number, most: number): string | undefined =>
    Number(value) < least || Number(value) > most ? `${least} to ${most}` : undefined;
  if (attribute === facts.outputCount) return outside(1, 64);
  if (attribute === 'sample_size') return outside(1, 2 ** 31 - 1);
  if (attribute === 'p') return outside(1, 2);
  if (attribute === 'seed') return outside(0, Number.MAX_SAFE_INTEGER);
  return undefined;
}

/** What an input of an operator is declared as. */
export function declaredInput(facts: OperatorFacts, index: number): OperatorFacts['inputs'][number] {
  return facts.inputs[Math.min(index, facts.inputs.length - 1)] ?? 'T';
}

/** The dtypes an input of an operator may have, given what `T` is bound to so far. */
export function inputDtypes(facts: OperatorFacts, index: number, bound: Dtype | undefined): readonly Dtype[] {
  const declared = declaredInput(facts, index);
  if (declared === 'T') return bound ? [bound] : KINDS[facts.T];
  if (declared === 'U') return KINDS.any;
  if (declared === 'index') return KINDS.index;
  return [declared];
}

/** Whether an input takes part in binding `T`. */
export function bindsT(facts: OperatorFacts, index: number): boolean {
  return declaredInput(facts, index) === 'T' && facts.inputs.length > 0;
}

/** The dtypes of an operator's outputs for those of its inputs; undefined where an attribute names none that it may. */
export function outputDtypes(
  facts: OperatorFacts,
  inputs: readonly Dtype[],
  attributes: Attributes,
): readonly (Dtype | undefined)[] {
  const bound = (variable: 'T' | 'U'): Dtype | undefined =>
    inputs.find((_, position) => declaredInput(facts, position) === variable);
  return outputsOf(facts, attributes).map((output) => {
    if (output === 'T' || output === 'U') return bound(output);
    return output === 'made' ? madeDtype(facts, bound('T'), attributes) : output;
  });
}

/** One entry an output. */
export function outputsOf(facts: OperatorFacts, attributes: Attributes): OperatorFacts['outputs'] {
  const { outputs, outputCount } = facts;
  const count = outputCount === undefined ? undefined : attributes[outputCount];
  return typeof count === 'number' ? Array.from({ length: count }, () => outputs[0] ?? 'T') : outputs;
}

/** Whether the value is a tuple: `Split` gives one even of a single part. */
export function givesTuple(facts: OperatorFacts): boolean {
  return facts.outputs.length > 1 || facts.outputCount !== undefined;
}

function madeDtype(facts: OperatorFacts, T: Dtype | undefined, attributes: Attributes): Dtype | undefined {
  const { made } = facts;
  if (!made) return undefined;
  const number = attributes[made.attribute];
  const dtype =
    number === undefined ? (made.fallback ?? T) : DTYPE_NAMES.find((name) => DTYPES[name].onnx === number);
  const allowed: readonly Dtype[] = KINDS[made.kind];
  return dtype && allowed.includes(dtype) ? dtype : undefined;
}

/** Axes of a tensor, at most: what the wire takes. */
const MAX_AXES = 8;
const MAX_DIM = 2 ** 31;

/** What is known of the outputs' dims. Throws a `ShapeFault` for inputs that can't go together. */
export function outputShapes(
  operator: string,
  facts: OperatorFacts,
  inputs: readonly Shape[],
  attributes: Attributes,
): readonly Shape[] {
  const shapes = facts.shape(new ShapeCall(operator, inputs, attributes));
  for (const { dims } of shapes) {
    if (dims && dims.length > MAX_AXES)
      throw fault(operator, `at most ${MAX_AXES} axes`, `${dims.length} axes`);
    if (dims?.some((dim) => typeof dim === 'number' && dim >= MAX_DIM))
      throw fault(operator, `dims below ${MAX_DIM}`, describeDims(dims));
  }
  // A rule may hand on an input, which has more than a shape.
  return shapes.map(({ dims, most, values }) => ({
    dims,
    most,
    values: values && values.length <= MAX_VALUES ? values : undefined,
  }));
}

function fault(operator: string, wanted: string, got: string): ShapeFault {
  return new ShapeFault('wrong_dims', `${operator} would give a tensor of ${got}`, wanted, got);
}
