/** What each kind of node must be: one check a kind, called by the checker in program order. */
import type { GraphChecker } from './check.ts';
import { portsOf } from './description.ts';
import { describePlace, type NodeKind, type NodeOf, type Selection } from './graph.ts';
import { isLater } from './hook-time.ts';
import { nearest } from './nearest.ts';
import { NONE, type NodeType, tensor, UNKNOWN } from './node-type.ts';
import {
  attributeFault,
  bindsT,
  inputDtypes,
  OPERATORS,
  type OperatorFacts,
  operatorFacts,
  outputDtypes,
} from './operators.ts';
import type { Dtype } from './tensor.ts';
import { plural } from './words.ts';

/** One check a kind of node; the compiler keeps the table complete. */
export const CHECKS: {
  readonly [K in NodeKind]: (checker: GraphChecker, node: NodeOf<K>, id: number) => NodeType;
} = {
  constant: (_, node) => tensor(node.tensor.dtype),
  parameter: checkParameter,
  read: (checker, node, id) => checker.place(node.place, id),
  write: checkWrite,
  stop: (checker, node, id) => {
    checker.place(node.place, id);
    return NONE;
  },
  operator: checkOperator,
  member: checkMember,
  apply: checkApply,
  save: () => NONE,
  log: () => NONE,
};

function checkParameter(checker: GraphChecker, node: NodeOf<'parameter'>, id: number): NodeType {
  const parameter = checker.index.parameters.get(node.name);
  if (parameter) return tensor(parameter.dtype);
  const near = nearest(node.name, checker.index.parameters.keys());
  const message = `${checker.index.description.name} has no parameter ${node.name}.${near ? ` Did you mean ${near}?` : ''}`;
  return checker.report('unknown_parameter', message, { node: id, path: node.name, nearest: near });
}

function checkWrite(checker: GraphChecker, node: NodeOf<'write'>, id: number): NodeType {
  const written = checker.timeOf(node.value);
  const type = checker.place(node.place, id);
  const path = node.place.module;
  if (type.kind === 'tuple') {
    checker.report(
      'tuple_value',
      `${describePlace(node.place)} is a tuple. Write one member: ${describePlace({ ...node.place, member: 0 })}.`,
      { node: id, path, wanted: 'a tensor', got: 'a tuple' },
    );
  }
  if (type.kind !== 'tensor') return NONE;
  if (node.selection) checkSelection(checker, node, node.selection, id);
  const dtype = checker.tensorOperand(node.value, id, 'The written value');
  if (dtype && dtype !== type.dtype) {
    const message = `${describePlace(node.place)} is ${type.dtype}; the written value is ${dtype}.`;
    checker.report('wrong_dtype', message, { node: id, path, wanted: type.dtype, got: dtype });
  }
  const rank = checker.index.rank(node.place);
  if (rank !== undefined && isLater(written, { rank, invoke: node.place.invoke ?? 0 })) {
    const what = written.rank > rank ? 'module' : 'invoke';
    const message = `The value written to ${describePlace(node.place)} comes from a later ${what}, so it can’t exist in time.`;
    checker.report('write_order', message, { node: id, path });
  }
  return NONE;
}

/** What the description's dims tell of a selection; named axes are known only when the model runs. */
function checkSelection(
  checker: GraphChecker,
  { place }: NodeOf<'write'>,
  selection: Selection,
  node: number,
): void {
  const module = checker.index.modules.get(place.module);
  const dims = (module && portsOf(module, place.port)[place.member ?? 0]?.dims) ?? [];
  const refuse = (what: string, wanted: string, got: string): NodeType =>
    checker.report('bad_selection', `In the selection of ${describePlace(place)}, ${what}.`, {
      node,
      path: place.module,
      wanted,
      got,
    });
  // No dims is a scalar, or a rank that the exporter did not write down.
  if (dims.length > 0 && selection.length > dims.length) {
    const wanted = `at most ${dims.length}`;
    refuse(
      `there are more entries than its ${plural(dims.length, 'axis', 'axes')}`,
      wanted,
      `${selection.length}`,
    );
  }
  for (const [axis, entry] of selection.entries()) {
    const dim = dims[axis];
    if (typeof entry !== 'number') {
      if (entry.step === 0) refuse(`axis ${axis} has step 0`, 'a step that is not 0', '0');
    } else if (typeof dim === 'number' && (entry >= dim || entry < -dim)) {
      refuse(
        `axis ${axis} has ${plural(dim, 'index', 'indices')}, so no ${entry}`,
        `${-dim} to ${dim - 1}`,
        `${entry}`,
      );
    }
  }
}

function checkOperator(checker: GraphChecker, node: NodeOf<'operator'>, id: number): NodeType {
  const { operator, inputs } = node;
  const facts = operatorFacts(operator);
  if (!facts) {
    const near = nearest(operator, Object.keys(OPERATORS));
    const message = `There is no operator ${JSON.stringify(operator)} in this protocol.${near ? ` Did you mean ${near}?` : ''}`;
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
  { operator, inputs, attributes = {} }: NodeOf<'operator'>,
  id: number,
  facts: OperatorFacts,
): NodeType {
  let bound: Dtype | undefined;
  for (const [position, input] of inputs.entries()) {
    const dtype = checker.tensorOperand(input, id, `Input ${position} of ${operator}`);
    if (!dtype) return UNKNOWN;
    const allowed = inputDtypes(facts, position, bound);
    if (!allowed.includes(dtype)) {
      const wanted = allowed.join(' or ');
      const message = `Input ${position} of ${operator} must be ${wanted}, not ${dtype}. Nothing is cast by itself.`;
      return checker.report('wrong_dtype', message, { node: id, path: operator, wanted, got: dtype });
    }
    if (bindsT(facts, position)) bound = dtype;
  }
  const outputs = outputDtypes(facts, bound, attributes).map((dtype) => (dtype ? tensor(dtype) : UNKNOWN));
  if (outputs.some((output) => output.kind === 'unknown')) {
    return checker.report(
      'bad_attribute',
      `Cast to ${String(attributes['to'])}: no dtype of this protocol.`,
      { node: id, path: operator },
    );
  }
  return outputs.length === 1 && outputs[0] ? outputs[0] : { kind: 'tuple', members: outputs };
}

function reportAttribute(
  checker: GraphChecker,
  { operator }: NodeOf<'operator'>,
  node: number,
  { attribute, wanted }: { readonly attribute: string; readonly wanted: string | undefined },
): NodeType {
  if (wanted) {
    const message = `${operator} wants its attribute ${attribute} as ${wanted}.`;
    return checker.report('bad_attribute', message, { node, path: `${operator}.${attribute}`, wanted });
  }
  const near = nearest(attribute, Object.keys(operatorFacts(operator)?.attributes ?? {}));
  const message = `${operator} has no attribute ${JSON.stringify(attribute)}.${near ? ` Did you mean ${near}?` : ''}`;
  return checker.report('unknown_attribute', message, {
    node,
    path: `${operator}.${attribute}`,
    nearest: near,
  });
}

function checkMember(checker: GraphChecker, node: NodeOf<'member'>, id: number): NodeType {
  const type = checker.typeOf(node.of);
  if (type.kind === 'unknown' || type.kind === 'none') return UNKNOWN;
  if (type.kind === 'tensor' && node.index === 0) return type;
  const member = type.kind === 'tuple' ? type.members[node.index] : undefined;
  if (member) return member;
  const got = type.kind === 'tuple' ? `a tuple of ${type.members.length}` : 'one tensor';
  return checker.report('not_a_tuple', `There is no member ${node.index}: the value is ${got}.`, {
    node: id,
    got,
  });
}

function checkApply(checker: GraphChecker, node: NodeOf<'apply'>, id: number): NodeType {
  const module = checker.module(node.module, id);
  if (!module) return UNKNOWN;
  const output = module.outputs[0];
  if (!module.input || !output) {
    const why = module.missing ?? 'it takes no activation';
    return checker.report('cannot_apply', `${node.module} can’t be applied: ${why}.`, {
      node: id,
      path: node.module,
    });
  }
  const dtype = checker.tensorOperand(node.input, id, `The input of ${node.module}`);
  if (!dtype) return UNKNOWN;
  if (dtype !== module.input.dtype) {
    const message = `${node.module} takes ${module.input.dtype}, not ${dtype}.`;
    return checker.report('wrong_dtype', message, {
      node: id,
      path: node.module,
      wanted: module.input.dtype,
      got: dtype,
    });
  }
  return tensor(output.dtype);
}
