/**
 * Builds the small ONNX models that compute a graph's operations between two hooks. Operators are defined by
 * the protocol's operator set, a module's nodes by the model's own, so they never share a model.
 */
import {
  type AttributeValue,
  attributeType,
  type GraphNode,
  isTuple,
  type NodeOf,
  OPSET,
  type OperatorFacts,
  operandsOf,
  operatorFacts,
  outputsOf,
  type TensorLike,
  TracewireError,
  type Value,
} from '@tracewire/protocol';
import type { Model } from './model.ts';
import { activationsOf } from './onnx/graph.ts';
import {
  ATTRIBUTE_TYPE,
  type AttributeProto,
  encodeModel,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from './onnx/schema.ts';
import { toValueInfo } from './onnx/tensors.ts';

/** A reference to a tensor: a node, and which of its outputs. */
export interface TensorSource {
  readonly node: number;
  readonly member: number;
}

/** Nodes that are computed in one go, in order. */
export interface OperationGroup {
  /** `random` ones are drawn by the host; the others become a model for the runtime. */
  readonly kind: 'operators' | 'modules' | 'random';
  readonly nodes: readonly number[];
}

export interface OperationModel {
  readonly bytes: Uint8Array;
  /** What each input is fed with. */
  readonly inputs: readonly { readonly name: string; readonly source: TensorSource }[];
  /** Which node's output each of the model's outputs is; what only the group's own nodes use is none. */
  readonly outputs: readonly { readonly name: string; readonly source: TensorSource }[];
}

/** Splits operations where the kind of model changes; members of tuples, and what calls join, need no computing. */
export function groupOperations(
  operations: readonly number[],
  nodes: readonly GraphNode[],
): OperationGroup[] {
  const groups: { kind: OperationGroup['kind']; nodes: number[] }[] = [];
  for (const id of operations) {
    const node = nodes[id];
    if (!node || node.kind === 'member' || node.kind === 'call') continue;
    const kind = kindOf(node);
    const last = groups.at(-1);
    if (last?.kind === kind) last.nodes.push(id);
    else groups.push({ kind, nodes: [id] });
  }
  return groups;
}

function kindOf(node: GraphNode): OperationGroup['kind'] {
  if (node.kind === 'apply') return 'modules';
  return node.kind === 'operator' && operatorFacts(node.operator)?.random ? 'random' : 'operators';
}

/** Follows `member` nodes, and calls of one result, to the node that makes the tensor. */
export function sourceOf(node: number, nodes: readonly GraphNode[]): TensorSource {
  const at = nodes[node];
  if (at?.kind === 'call' && at.inputs.length === 1) return sourceOf(at.inputs[0] ?? -1, nodes);
  if (at?.kind !== 'member') return { node, member: 0 };
  const { node: of } = sourceOf(at.of, nodes);
  return { node: of, member: at.index };
}

/** The tensor that a source stands for, in the value of its node. */
export function tensorIn(value: Value | undefined, { node, member }: TensorSource): TensorLike {
  const tensor = value && isTuple(value) ? value[member] : value;
  if (!tensor || isTuple(tensor)) throw new Error(`Node ${node} has no tensor ${member}.`);
  return tensor;
}

/**
 * The model of a group. `tensorAt` gives the tensors that the group takes from before it; their dims' number,
 * not their sizes, goes into the model, so that equal structures give equal bytes.
 */
export function buildOperations(
  group: OperationGroup,
  nodes: readonly GraphNode[],
  model: Model,
  tensorAt: (source: TensorSource) => TensorLike,
): OperationModel {
  return new Builder(group, nodes, model, tensorAt).build();
}

class Builder {
  readonly #group: OperationGroup;
  readonly #inside: ReadonlySet<number>;
  readonly #nodes: readonly GraphNode[];
  readonly #model: Model;
  readonly #tensorAt: (source: TensorSource) => TensorLike;
  /** Names are by place in the group, not by node id: equal structures must look equal. */
  readonly #names = new Map<string, string>();
  readonly #inputs: { name: string; source: TensorSource }[] = [];
  readonly #outputs: { name: string; source: TensorSource }[] = [];
  readonly #made: NodeProto[] = [];
  readonly #initializers = new Map<string, TensorProto>();

  constructor(
    group: OperationGroup,
    nodes: readonly GraphNode[],
    model: Model,
    tensorAt: (source: TensorSource) => TensorLike,
  ) {
    this.#group = group;
    this.#inside = new Set(group.nodes);
    this.#nodes = nodes;
    this.#model = model;
    this.#tensorAt = tensorAt;
  }

  build(): OperationModel {
    for (const [index, id] of this.#group.nodes.entries()) {
      const node = this.#nodes[id];
      if (node?.kind === 'operator') this.#operator(node, id, `v${index}`);
      else if (node?.kind === 'parameter') this.#parameter(node, id, `v${index}`);
      else if (node?.kind === 'apply') this.#apply(node, id, `v${index}`);
    }
    const own = this.#group.kind === 'operators';
    const { graph } = this.#model;
    const proto: ModelProto = {
      ir_version: own ? 10 : graph.model.ir_version,
      opset_import: own ? [{ domain: '', version: OPSET }] : graph.model.opset_import,
      functions: own ? [] : (graph.model.functions ?? []),
      graph: {
        name: 'operations',
        node: this.#made,
        initializer: [...this.#initializers.values()],
        input: this.#inputs.map(({ name, source }) => {
          const { dtype, dims } = this.#tensorAt(source);
          return toValueInfo(
            name,
            dtype,
            dims.map(() => '?'),
          );
        }),
        output: this.#outputs.map(({ name }) => ({ name })),
      },
    };
    return { bytes: encodeModel(proto), inputs: this.#inputs, outputs: this.#outputs };
  }

  #operator({ operator, inputs, attributes = {} }: NodeOf<'operator'>, id: number, name: string): void {
    const facts = operatorFacts(operator);
    if (!facts) throw new Error(`There is no operator ${operator}.`);
    const outputs = outputsOf(facts, attributes).map((_, member) => `${name}.${member}`);
    this.#made.push({
      name,
      op_type: operator,
      input: inputs.map((input) => this.#use(input)),
      output: outputs,
      attribute: Object.entries(attributes).map(([attribute, value]) =>
        attributeProto(facts, attribute, value),
      ),
    });
    for (const [member, output] of outputs.entries()) this.#give(id, member, output);
  }

  #parameter({ name }: NodeOf<'parameter'>, id: number, output: string): void {
    const parameter = this.#model.parameters.get(name);
    const tensor = parameter && this.#model.graph.initializers.get(parameter.initializer);
    if (!parameter || !tensor) throw new Error(`There is no parameter ${name}.`);
    this.#initializers.set(parameter.initializer, tensor);
    const op_type = parameter.transposed ? 'Transpose' : 'Identity';
    this.#made.push({
      name: output,
      op_type,
      input: [parameter.initializer],
      output: [output],
      attribute: [],
    });
    this.#give(id, 0, output);
  }

  /** Copies the module's nodes, its flowing input replaced by the operand. */
  #apply({ module: path, input }: NodeOf<'apply'>, id: number, name: string): void {
    const { graph, tree } = this.#model;
    const module = tree.modules.get(path);
    const output = module?.outputs[0];
    if (!module || output === undefined) throw new Error(`The module ${path} has no output.`);
    const inside = new Set(module.nodes);
    const [flowing] = module.inputs;
    const operand = this.#use(input);
    const rename = (value: string): string => {
      if (value === '' || value === flowing) return value && operand;
      const tensor = graph.initializers.get(value);
      if (tensor) this.#initializers.set(value, tensor);
      return tensor ? value : `${name}/${value}`;
    };
    for (const index of neededInside(this.#model, module.nodes, output, flowing)) {
      const node = graph.nodes[index];
      if (!node) continue;
      const outer = activationsOf(graph, node).find(
        (value) => value !== flowing && !inside.has(graph.producer(value)),
      );
      if (outer !== undefined) throw cannotApply(path, id, outer);
      this.#made.push({
        name: `${name}/${node.name}`,
        op_type: node.op_type,
        domain: node.domain ?? '',
        input: node.input.map(rename),
        output: node.output.map((value) => value && `${name}/${value}`),
        attribute: node.attribute,
      });
    }
    this.#give(id, 0, `${name}/${output}`);
  }

  /** The name of an operand: one made in this group, or an input. */
  #use(operand: number): string {
    const source = sourceOf(operand, this.#nodes);
    const key = `${source.node} ${source.member}`;
    const known = this.#names.get(key);
    if (known) return known;
    const name = `i${this.#inputs.length}`;
    this.#inputs.push({ name, source });
    this.#names.set(key, name);
    return name;
  }

  #give(node: number, member: number, name: string): void {
    this.#names.set(`${node} ${member}`, name);
    if (this.#leaves(node)) this.#outputs.push({ name, source: { node, member } });
  }

  /** Whether anything outside the group wants what a node gives: of a chain of operators, only the last one's result. */
  #leaves(node: number): boolean {
    return (
      usersOf(this.#nodes)
        .get(node)
        ?.some((user) => !this.#inside.has(user)) ?? true
    );
  }
}

/** The nodes that take what a node gives, by node; asked again and again of one graph. */
export function usersOf(nodes: readonly GraphNode[]): ReadonlyMap<number, readonly number[]> {
  const known = USERS.get(nodes);
  if (known) return known;
  const users = new Map<number, number[]>();
  for (const [user, node] of nodes.entries()) {
    for (const operand of operandsOf(node)) {
      const list = users.get(operand);
      if (list) list.push(user);
      else users.set(operand, [user]);
    }
  }
  USERS.set(nodes, users);
  return users;
}

const USERS = new WeakMap<readonly GraphNode[], ReadonlyMap<number, readonly number[]>>();

/** The module's nodes that its flowing output needs. */
function neededInside(
  { graph }: Model,
  nodes: readonly number[],
  output: string,
  input: string | undefined,
): number[] {
  const wanted = new Set([output]);
  const needed: number[] = [];
  for (const index of nodes.toReversed()) {
    const node = graph.nodes[index];
    if (!node?.output.some((value) => wanted.has(value))) continue;
    needed.push(index);
    for (const value of activationsOf(graph, node)) if (value !== input) wanted.add(value);
  }
  return needed.reverse();
}

function cannotApply(path: string, node: number, outer: string): TracewireError {
  return new TracewireError({
    code: 'cannot_apply',
    message: `${path} can’t be run on a value alone: it also takes ${outer} from outside. Apply a part that takes one value, or write the value to ${path}.input.`,
    node,
    path,
  });
}

/** An attribute as ONNX has it: a number is a float where the table says so. */
export function attributeProto(facts: OperatorFacts, name: string, value: AttributeValue): AttributeProto {
  if (typeof value === 'string')
    return { name, type: ATTRIBUTE_TYPE.string, s: new TextEncoder().encode(value) };
  if (typeof value === 'object') return { name, type: ATTRIBUTE_TYPE.ints, ints: [...value] };
  return attributeType(facts, name) === 'float'
    ? { name, type: ATTRIBUTE_TYPE.float, f: value }
    : { name, type: ATTRIBUTE_TYPE.int, i: value };
}
