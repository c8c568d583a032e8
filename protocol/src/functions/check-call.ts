/** The check of a `call` node: its operands against the function's inputs, then the function's nodes over them. */
import type { GraphChecker } from '../check.ts';
import type { PortDescription } from '../description.ts';
import type { NodeOf } from '../graph.ts';
import { type NodeType, type TensorType, tensor, UNKNOWN } from '../node-type.ts';
import { ANY, type Dim, describeDims, unify } from '../shapes/dim.ts';
import { plural } from '../words.ts';
import type { FunctionBody } from './function-body.ts';
import { typeBody } from './type-body.ts';

export function checkCall(checker: GraphChecker, node: NodeOf<'call'>, id: number): NodeType {
  const known = checker.known.function?.(node.function);
  if (!known) {
    const message = `The server has no function ${node.function}. Send its file as a blob, then the run again.`;
    return checker.report('unknown_blob', message, { node: id, wanted: node.function });
  }
  if (!known.body) {
    for (const error of known.errors) {
      const { code, message, ...facts } = error;
      checker.report(code, `The function ${short(node)} can’t be called. ${message}`, { ...facts, node: id });
    }
    return UNKNOWN;
  }
  const operands = operandTypes(checker, node, id, known.body);
  return operands ? callType(checker, node, id, known.body, operands) : UNKNOWN;
}

const short = ({ function: hash }: NodeOf<'call'>): string => hash.slice(0, 8);

/** What each input is; undefined after an error. Axes of one name are of one size. */
function operandTypes(
  checker: GraphChecker,
  node: NodeOf<'call'>,
  id: number,
  { inputs }: FunctionBody,
): TensorType[] | undefined {
  if (node.inputs.length !== inputs.length) {
    const names = inputs.map(({ name }) => name).join(', ');
    const message = `The function ${short(node)} takes ${plural(inputs.length, 'input')} (${names}), not ${node.inputs.length}.`;
    checker.report('bad_arity', message, {
      node: id,
      path: 'function',
      wanted: String(inputs.length),
      got: String(node.inputs.length),
    });
    return undefined;
  }
  const axes = new Map<string, Dim>();
  const types: TensorType[] = [];
  for (const [position, port] of inputs.entries()) {
    const role = `Input ${position} (${port.name}) of the function ${short(node)}`;
    const operand = checker.tensorOperand(node.inputs[position] ?? -1, id, role);
    if (!operand) return undefined;
    if (operand.dtype !== port.dtype) {
      const message = `${role} must be ${port.dtype}, not ${operand.dtype}. Nothing is cast by itself.`;
      const facts = { node: id, path: port.name, wanted: port.dtype, got: operand.dtype };
      checker.report('wrong_dtype', message, facts);
      return undefined;
    }
    const dims = bind(port, operand, axes);
    if (dims === undefined) {
      const [wanted, got] = [describeDims(bound(port, axes)), describeDims(operand.dims)];
      const message = `${role} must have dims ${wanted}, not ${got}.`;
      checker.report('wrong_dims', message, { node: id, path: port.name, wanted, got });
      return undefined;
    }
    types.push(tensor(port.dtype, { ...operand, dims: dims ?? undefined }));
  }
  return types;
}

const bound = ({ dims }: PortDescription, axes: ReadonlyMap<string, Dim>): Dim[] =>
  dims.map((dim) => (typeof dim === 'string' ? (axes.get(dim) ?? dim) : dim));

/** The dims that an operand has for certain; null where nothing is known of them, undefined where they don't fit. */
function bind(
  { dims: wanted }: PortDescription,
  { dims: given }: TensorType,
  axes: Map<string, Dim>,
): Dim[] | null | undefined {
  if (wanted.length === 0) return given ? [...given] : null;
  if (given && given.length !== wanted.length) return undefined;
  const dims: Dim[] = [];
  for (const [axis, dim] of wanted.entries()) {
    const own = given?.[axis] ?? ANY;
    const named = typeof dim === 'string' && dim !== ANY;
    const joined = unify(own, named ? (axes.get(dim) ?? ANY) : dim);
    if (joined === undefined) return undefined;
    // A name of the function's own is no name of the model's.
    const size = typeof dim === 'string' && joined === ANY ? own : joined;
    if (named) axes.set(dim, size);
    dims.push(size);
  }
  return dims;
}

function callType(
  checker: GraphChecker,
  node: NodeOf<'call'>,
  id: number,
  body: FunctionBody,
  operands: readonly TensorType[],
): NodeType {
  const { types, errors } = typeBody(
    body,
    operands,
    checker.inner((value) => body.constants.get(value)),
  );
  for (const { code, message, ...facts } of errors)
    checker.report(code, `In the function ${short(node)}, ${message}`, { ...facts, node: id });
  if (errors.length > 0) return UNKNOWN;
  for (const [at, inner] of body.nodes.entries()) {
    if (inner.kind !== 'operator') continue;
    checker.count(types[body.inputs.length + at] ?? UNKNOWN, id, inner.operator);
  }
  const outputs = body.results.map((value) => types[value] ?? UNKNOWN);
  const [only = UNKNOWN] = outputs;
  return outputs.length === 1 ? only : { kind: 'tuple', members: outputs };
}
