/** What each kind of node must be: one check a kind, called by the checker in program order. */
import type { GraphChecker } from './check.ts';
import { checkEarlier } from './check-earlier.ts';
import { checkSkip, checkWrite } from './check-writes.ts';
import { checkCall } from './functions/check-call.ts';
import type { NodeKind, NodeOf } from './graph.ts';
import { nearest } from './nearest.ts';
import { NONE, type NodeType, type TensorType, tensor, UNKNOWN } from './node-type.ts';
import {
  attributeFault,
  bindsT,
  givesTuple,
  inputDtypes,
  OPERATORS,
  type OperatorFacts,
  operatorFacts,
  outputDtypes,
  outputShapes,
  ShapeFault,
} from './operators.ts';
import { type Shape, shapeOf } from './shapes/dim.ts';
import { applied } from './shapes/module.ts';
import type { Dtype } from './tensor.ts';

/** One check a kind of node; the compiler keeps the table complete. */
export const CHECKS: {
  readonly [K in NodeKind]: (checker: GraphChecker, node: NodeOf<K>, id: number) => NodeType;
} = {
  constant: checkConstant,
  parameter: checkParameter,
  read: (checker, node, id) => checker.place(node.place, id),
  write: checkWrite,
  skip: checkSkip,
  stop: (checker, node, id) => {
    checker.place(node.place, id);
    return NONE;
  },
  operator: checkOperator,
  call: checkCall,
  member: checkMember,
  apply: checkApply,
  earlier: checkEarlier,
  save: () => NONE,
  log: () => NONE,
};

function checkConstant(checker: GraphChecker, node: NodeOf<'constant'>, id: number): NodeType {
  const ref = node.tensor ?? node.blob;
  if (!ref) return UNKNOWN;
  const known = checker.known.constant?.(id);
  return tensor(ref.dtype, known ? shapeOf(known) : { dims: ref.dims });
}

function checkParameter(checker: GraphChecker, node: NodeOf<'parameter'>, id: number): NodeType {
  const parameter = checker.index.parameters.get(node.name);
  if (parameter) return tensor(parameter.dtype, { dims: parameter.dims });
  const near = nearest(node.name, checker.index.parameters.keys());
  const message = `${checker.index.description.name} has no parameter ${node.name}.${near ? ` Did you mean ${near}?` : ''}`;
  return checker.report('unknown_parameter', message, { node: id, path: node.name, nearest: near });
}

function checkOperator(checker: GraphChecker, node: NodeOf<'operator'>, id: number): NodeType {
  const { operator, inputs } = node;
  const facts = operatorFacts(operator);
  if (!facts) {
    const near = nearest(operator, Object.keys(OPERATORS));
    const hint = near ? `Did you mean ${near}?` : 'docs/OPERATORS.md lists those that there are.';
    const message = `There is no operator ${JSON.stringify(operator)} in this protocol. ${hint}`;
    return checker.report('unknown_operator', message, { node: id, path: operator, nearest: near });
  }
  const least = facts.needs ?? (facts.variadic ? 1 : facts.inputs.length);
  const most = facts.variadic ? 64 : facts.inputs.length;
  if (inputs.length < least || inputs.length > most) {
    const wanted = least === most ? String(least) : `${least} to ${most}`;
    const message = `${operator} takes ${wanted} inputs, not ${inputs.length}.`;
    return checker.report('bad_arity', message, {
      node: id,
      path: operator,
      wanted,
      got: String(inputs.length),
    });
  }
  const fault = attributeFault(facts, node.attributes ?? {});
  if (fault) return reportAttribute(checker, node, id, fault);
  return operatorType(checker, node, id, facts);
}

/** Binds the type variable input by input, and gives the outputs' types. */
function operatorType(
  checker: GraphChecker,
  node: NodeOf<'operator'>,
  id: number,
  facts: OperatorFacts,
): NodeType {
  const { operator, attributes = {} } = node;
  const inputs = operandTypes(checker, node, id, facts);
  if (!inputs) return UNKNOWN;
  const dtypes = outputDtypes(
    facts,
    inputs.map(({ dtype }) => dtype),
    attributes,
  );
  if (dtypes.some((dtype) => dtype === undefined)) {
    const attribute = facts.made?.attribute ?? 'to';
    return checker.report(
      'bad_attribute',
      `${attribute} of ${operator} is ${String(attributes[attribute])}: no dtype that it may give.`,
      { node: id, path: `${operator}.${attribute}`, got: String(attributes[attribute]) },
    );
  }
  const shapes = operatorShapes(checker, node, id, facts, inputs);
  const outputs = dtypes.map((dtype, at) => (dtype ? tensor(dtype, shapes[at]) : UNKNOWN));
  const [first = UNKNOWN] = outputs;
  const type: NodeType = givesTuple(facts) ? { kind: 'tuple', members: outputs } : first;
  checker.count(type, id, operator);
  return type;
}

/** The operands' types; undefined after an error. */
function operandTypes(
  checker: GraphChecker,
  { operator, inputs }: NodeOf<'operator'>,
  id: number,
  facts: OperatorFacts,
): TensorType[] | undefined {
  let bound: Dtype | undefined;
  const types: TensorType[] = [];
  for (const [position, input] of inputs.entries()) {
    const type = checker.tensorOperand(input, id, `Input ${position} of ${operator}`);
    if (!type) return undefined;
    const { dtype } = type;
    const allowed = inputDtypes(facts, position, bound);
    if (!allowed.includes(dtype)) {
      const wanted = allowed.join(' or ');
      const message = `Input ${position} of ${operator} must be ${wanted}, not ${dtype}. Nothing is cast by itself: use Cast.`;
      checker.report('wrong_dtype', message, { node: id, path: operator, wanted, got: dtype });
      return undefined;
    }
    if (bindsT(facts, position)) bound = dtype;
    types.push(type);
  }
  if (bound && checker.index.lacks(operator, bound)) {
    const dtype = bound;
    const wanted = inputDtypes(facts, facts.inputs.indexOf('T'), undefined)
      .filter((other) => !checker.index.lacks(operator, other))
      .join(' or ');
    const message = `This server has no ${operator} of ${dtype}. Use Cast first: it has it of ${wanted}.`;
    checker.report('wrong_dtype', message, { node: id, path: operator, wanted, got: dtype });
    return undefined;
  }
  return types;
}

/** What is known of the outputs' dims; none after an error. */
function operatorShapes(
  checker: GraphChecker,
  { operator, attributes = {} }: NodeOf<'operator'>,
  id: number,
  facts: OperatorFacts,
  inputs: readonly TensorType[],
): readonly Shape[] {
  try {
    return outputShapes(operator, facts, inputs, attributes);
  } catch (fault) {
    if (!(fault instanceof ShapeFault)) throw fault;
    const { code, message, wanted, got } = fault;
    checker.report(code, `${message}. Wanted ${wanted}, got ${got}.`, {
      node: id,
      path: operator,
      wanted,
      got,
    });
    return [];
  }
}

function reportAttribute(
  checker: GraphChecker,
  { operator, attributes = {} }: NodeOf<'operator'>,
  node: number,
  { attribute, wanted }: { readonly attribute: string; readonly wanted: string | undefined },
): NodeType {
  if (wanted) {
    const got = Object.hasOwn(attributes, attribute) ? shown(attributes[attribute]) : 'none';
    const message = `${operator} wants its attribute ${attribute} as ${wanted}, not ${got}.`;
    const facts = { path: `${operator}.${attribute}`, wanted, got };
    return checker.report('bad_attribute', message, { node, ...facts });
  }
  const known = Object.keys(operatorFacts(operator)?.attributes ?? {});
  const near = nearest(attribute, known);
  const has = known.length === 0 ? 'none' : known.join(', ');
  const hint = near ? `Did you mean ${near}?` : `It has ${has}; what else it takes are inputs.`;
  const message = `${operator} has no attribute ${JSON.stringify(attribute)}. ${hint}`;
  return checker.report('unknown_attribute', message, {
    node,
    path: `${operator}.${attribute}`,
    nearest: near,
  });
}

/** What came, cut short; it may be anything. */
function shown(value: unknown): string {
  return (typeof value === 'string' ? `"${value}"` : `${value}`).slice(0, 100);
}

function checkMember(checker: GraphChecker, node: NodeOf<'member'>, id: number): NodeType {
  const type = checker.typeOf(node.of);
  if (type.kind === 'unknown' || type.kind === 'none') return UNKNOWN;
  if (type.kind === 'tensor' && node.index === 0) return type;
  const member = type.kind === 'tuple' ? type.members[node.index] : undefined;
  if (member) return member;
  const got = type.kind === 'tuple' ? `a tuple of ${type.members.length}` : 'one tensor';
  const wanted = type.kind === 'tuple' ? `0 to ${type.members.length - 1}` : '0';
  return checker.report('not_a_tuple', `There is no member ${node.index}: the value is ${got}.`, {
    node: id,
    wanted,
    got: String(node.index),
  });
}

function checkApply(checker: GraphChecker, node: NodeOf<'apply'>, id: number): NodeType {
  const module = checker.module(node.module, id);
  if (!module) return UNKNOWN;
  const [input] = module.inputs;
  const [output] = module.outputs;
  if (!input || !output) {
    const why = module.missing ?? 'it takes no activation';
    return checker.report('cannot_apply', `${node.module} can’t be applied: ${why}.`, {
      node: id,
      path: node.module,
    });
  }
  const operand = checker.tensorOperand(node.input, id, `The input of ${node.module}`);
  if (!operand) return UNKNOWN;
  const { dtype } = operand;
  if (dtype !== input.dtype) {
    const message = `${node.module || 'The model'} takes ${input.dtype}, not ${dtype}. Nothing is cast by itself.`;
    return checker.report('wrong_dtype', message, {
      node: id,
      path: node.module,
      wanted: input.dtype,
      got: dtype,
    });
  }
  const type = tensor(output.dtype, applied(input.dims, output.dims, operand));
  checker.count(type, id, node.module);
  return type;
}
