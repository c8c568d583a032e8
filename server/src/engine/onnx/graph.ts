/** A normalized ONNX graph with the look-ups that cutting needs. A node's index is its place in the order of execution. */
import type { ModelProto, NodeProto, TensorProto } from './schema.ts';

export class ModelGraph {
  readonly model: ModelProto;
  readonly nodes: readonly NodeProto[];
  readonly initializers: ReadonlyMap<string, TensorProto>;
  /** Names of the feeds and of the graph's outputs, in the model's order. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly #producers = new Map<string, number>();
  readonly #consumers = new Map<string, number[]>();

  constructor(model: ModelProto) {
    this.model = model;
    this.nodes = model.graph.node;
    this.initializers = new Map(model.graph.initializer.map((tensor) => [tensor.name, tensor]));
    this.inputs = model.graph.input.map((input) => input.name);
    this.outputs = model.graph.output.map((output) => output.name);
    for (const [index, node] of this.nodes.entries()) {
      for (const output of node.output) if (output) this.#producers.set(output, index);
      for (const input of activationsOf(this, node)) {
        const list = this.#consumers.get(input);
        if (list) list.push(index);
        else this.#consumers.set(input, [index]);
      }
    }
  }

  /** The index of the node that makes a value; −1 for a feed. */
  producer(value: string): number {
    return this.#producers.get(value) ?? -1;
  }

  /** Indices of the nodes that use a value, ascending. */
  consumers(value: string): readonly number[] {
    return this.#consumers.get(value) ?? [];
  }

  isOutput(value: string): boolean {
    return this.outputs.includes(value);
  }

  /** Bytes of the weights in external files. */
  get weightBytes(): number {
    const lengths = this.model.graph.initializer.map(({ external_data }) =>
      Number(external_data?.find(({ key }) => key === 'length')?.value ?? 0),
    );
    return lengths.reduce((sum, length) => sum + length, 0);
  }

  /** Every value that is computed. */
  values(): IterableIterator<string> {
    return this.#producers.keys();
  }
}

/** A node's inputs that aren't weights or constants, each once. */
export function activationsOf(graph: ModelGraph, node: NodeProto | undefined): string[] {
  return [...new Set(node?.input)].filter((name) => name !== '' && !graph.initializers.has(name));
}
