/**
 * What lies behind a model's last block, as far as it keeps positions apart: a norm, the head that makes logits. There a pass
 * may compute the positions that are read, and no others. Segments that hold all of it take the positions as one more feed.
 */
import { dataOf } from '@tracewire/protocol';
import { activationsOf, ModelGraph } from './onnx/graph.ts';
import { type NodeProto, type TensorProto, toNumber } from './onnx/schema.ts';
import { dimsOf, dtypeOf, inlineBytes, isExternal } from './onnx/tensors.ts';
import { type Operand, type PositionAxis, positionsThrough } from './position-wise.ts';
import type { ValueType } from './runtime/runtime.ts';

export interface Tail {
  /** Index of its first node. */
  readonly from: number;
  /** What it takes of the nodes before, `[batch, sequence, …]`, and of which it may take some positions alone. */
  readonly inputs: ReadonlySet<string>;
  /** What it makes, `[batch, sequence, …]` too: each position of it depends on the inputs' same position alone. */
  readonly values: ReadonlySet<string>;
}

/** The feed that names the positions: int64 `[batch, positions, 1]`, for each row those to compute. */
export const POSITIONS = '#positions';

/** The axis of positions in all values of a tail. */
export const AXIS = 1;
/** From here on operators name axes as position-wise.ts reads them, and rows can be gathered in a batch. */
const OLDEST_OPSET = 13;

/** The tail, if a segment takes its positions: it begins no later, and all that it gives of the tail keeps them apart. */
export function tailIn(
  tail: Tail | undefined,
  graph: ModelGraph,
  from: number,
  outputs: readonly string[],
): Tail | undefined {
  if (!tail || from > tail.from) return undefined;
  const given = outputs.filter((value) => graph.producer(value) >= tail.from);
  return given.length > 0 && given.every((value) => tail.values.has(value)) ? tail : undefined;
}

/** What keeps positions apart from the node `from` on; undefined where nothing does. */
export function findTail(
  graph: ModelGraph,
  types: ReadonlyMap<string, ValueType>,
  from: number | undefined,
): Tail | undefined {
  const opset = graph.model.opset_import.find(({ domain }) => domain === '' || domain === 'ai.onnx');
  if (from === undefined || !opset || toNumber(opset.version) < OLDEST_OPSET) return undefined;
  return new Finder(graph, types, from).find();
}

/**
 * The graph with the tail's `Reshape`s to the dims that their value has as `Identity`: they name all positions, which need not be
 * there, in dims that the exporter computed elsewhere.
 */
export function withoutIdleReshapes(
  graph: ModelGraph,
  types: ReadonlyMap<string, ValueType>,
  tail: Tail | undefined,
): ModelGraph {
  const isIdle = (node: NodeProto): boolean =>
    tail?.values.has(node.output[0] ?? '') === true && isIdleReshape(node, types);
  if (!graph.nodes.some(isIdle)) return graph;
  const node = graph.nodes.map((node): NodeProto => {
    const { name, input, output } = node;
    return isIdle(node)
      ? { name, op_type: 'Identity', input: input.slice(0, 1), output, attribute: [] }
      : node;
  });
  // Fields that the file leaves out are the decoder's, on prototypes: copied by spreading they would be gone.
  const { ir_version, opset_import, functions = [], graph: whole } = graph.model;
  const { name, initializer, input, output } = whole;
  return new ModelGraph({
    ir_version,
    opset_import,
    functions,
    graph: { name, node, initializer, input, output },
  });
}

function isIdleReshape({ op_type, domain, input, output }: NodeProto, types: ReadonlyMap<string, ValueType>) {
  const [before, after] = [types.get(input[0] ?? ''), types.get(output[0] ?? '')];
  return (
    op_type === 'Reshape' &&
    isStandard(domain) &&
    before !== undefined &&
    JSON.stringify(before.dims) === JSON.stringify(after?.dims)
  );
}

const isStandard = (domain = ''): boolean => domain === '' || domain === 'ai.onnx';

class Finder {
  readonly #graph: ModelGraph;
  readonly #types: ReadonlyMap<string, ValueType>;
  readonly #from: number;
  readonly #inputs = new Set<string>();
  readonly #values = new Set<string>();
  /** Whether values are made of weights alone, as far as that was asked. */
  readonly #constants = new Map<string, boolean>();

  constructor(graph: ModelGraph, types: ReadonlyMap<string, ValueType>, from: number) {
    this.#graph = graph;
    this.#types = types;
    this.#from = from;
  }

  find(): Tail | undefined {
    for (const node of this.#graph.nodes.slice(this.#from)) if (this.#keepsApart(node)) this.#take(node);
    if (this.#values.size === 0) return undefined;
    return { from: this.#from, inputs: this.#inputs, values: this.#values };
  }

  /** The dims of what is made of weights alone. */
  #constantDims(value: string): readonly number[] | undefined {
    const { dims } = this.#types.get(value) ?? {};
    if (!dims?.every((dim) => typeof dim === 'number')) return undefined;
    const known =
      this.#constants.get(value) ?? this.#isConstant(this.#graph.nodes[this.#graph.producer(value)]);
    this.#constants.set(value, known);
    return known ? dims : undefined;
  }

  #isConstant(node: NodeProto | undefined): boolean {
    const taken = activationsOf(this.#graph, node);
    return node !== undefined && taken.every((value) => this.#constantDims(value) !== undefined);
  }

  #keepsApart(node: NodeProto): boolean {
    const at = isIdleReshape(node, this.#types)
      ? this.#positions(node.input[0] ?? '')
      : positionsThrough({
          operator: isStandard(node.domain) ? node.op_type : `${node.domain}.${node.op_type}`,
          inputs: node.input.map((value) => this.#operand(value)),
          attribute: (name) => integersOf(node, name),
        });
    const given = node.output.filter((value) => value !== '' && this.#types.has(value));
    return at?.axis === AXIS && given.length > 0 && given.every((value) => this.#isApart(value, at.rank));
  }

  #take(node: NodeProto): void {
    const reshapes = isIdleReshape(node, this.#types);
    for (const value of reshapes ? node.input.slice(0, 1) : node.input)
      if (this.#positions(value) && !this.#values.has(value)) this.#inputs.add(value);
    for (const value of node.output) if (value !== '') this.#values.add(value);
  }

  #operand(value: string): Operand | undefined {
    if (value === '') return undefined;
    const tensor = this.#graph.initializers.get(value);
    if (tensor) return { positions: undefined, dims: dimsOf(tensor), integers: elementsOf(tensor) };
    return { positions: this.#positions(value), dims: this.#constantDims(value) };
  }

  /** Of what was found to keep them apart, or comes from before. */
  #positions(value: string): PositionAxis | undefined {
    const isThere = this.#values.has(value) || this.#graph.producer(value) < this.#from;
    const rank = this.#types.get(value)?.dims.length ?? 0;
    const isWeight = this.#graph.initializers.has(value);
    return isThere && !isWeight && this.#isApart(value, rank) ? { axis: AXIS, rank } : undefined;
  }

  #isApart(value: string, rank: number): boolean {
    const [batch, sequence, ...rest] = this.#types.get(value)?.dims ?? [];
    const open = rest.some((dim) => typeof dim === 'string');
    return batch === 'batch' && sequence === 'sequence' && !open && rest.length === rank - 2;
  }
}

function integersOf({ attribute }: NodeProto, name: string): readonly number[] | undefined {
  const found = attribute.find((candidate) => candidate.name === name);
  if (!found) return undefined;
  return found.ints?.length ? found.ints.map(toNumber) : [toNumber(found.i ?? 0)];
}

function elementsOf(tensor: TensorProto): readonly number[] | undefined {
  const dtype = dtypeOf(tensor.data_type);
  if ((dtype !== 'int64' && dtype !== 'int32') || isExternal(tensor)) return undefined;
  return Array.from(dataOf(dtype, inlineBytes(tensor)), Number);
}
