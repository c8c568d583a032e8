/** Writes a graph and its payload, node by node; ids are what each call gives. */
import {
  type AttributeValue,
  type Dtype,
  type Graph,
  type GraphNode,
  type Input,
  PayloadWriter,
  type Place,
  type Selection,
  sortFeeds,
  type TensorLike,
} from '@tracewire/protocol';
import { tensorOf } from './tensors.ts';

export class Sketch {
  readonly nodes: GraphNode[] = [];
  readonly #inputs: readonly Input[];
  readonly #payload = new PayloadWriter();

  /** Of one prompt, or of several in one pass; `tensors` are an input's feeds. */
  constructor(...inputs: readonly (Input | { readonly tensors: Readonly<Record<string, TensorLike>> })[]) {
    this.#inputs = inputs.map((input) => ('tensors' in input ? this.#feeds(input.tensors) : input));
  }

  get graph(): Graph {
    return { invokes: this.#inputs.map((input) => ({ input })), nodes: this.nodes };
  }

  get payload(): Uint8Array {
    return Buffer.concat(this.#payload.parts);
  }

  /** What a run message needs. */
  get request(): { graph: Graph; payload: Uint8Array } {
    return { graph: this.graph, payload: this.payload };
  }

  #feeds(tensors: Readonly<Record<string, TensorLike>>): Input {
    const feeds = sortFeeds(Object.entries(tensors)).map(([name, tensor]) => [
      name,
      this.#payload.tensor(tensor),
    ]);
    return { feeds: Object.fromEntries(feeds) };
  }

  add(node: GraphNode): number {
    this.nodes.push(node);
    return this.nodes.length - 1;
  }

  constant(dtype: Dtype, dims: readonly number[], numbers: readonly number[]): number {
    return this.add({ kind: 'constant', tensor: this.#payload.tensor(tensorOf(dtype, dims, numbers)) });
  }

  read(place: Place): number {
    return this.add({ kind: 'read', place });
  }

  write(place: Place, value: number, selection?: Selection, mask?: number): number {
    const part = { ...(selection ? { selection } : {}), ...(mask === undefined ? {} : { mask }) };
    return this.add({ kind: 'write', place, value, ...part });
  }

  skip(module: string, value: number): number {
    return this.add({ kind: 'skip', module, value });
  }

  stop(place: Place): number {
    return this.add({ kind: 'stop', place });
  }

  operator(
    operator: string,
    inputs: readonly number[],
    attributes?: Readonly<Record<string, AttributeValue>>,
  ): number {
    return this.add({
      kind: 'operator',
      operator,
      inputs: [...inputs],
      ...(attributes ? { attributes } : {}),
    });
  }

  save(value: number): number {
    return this.add({ kind: 'save', value });
  }

  /** Reads a place and saves it; gives the save. */
  saveRead(place: Place): number {
    return this.save(this.read(place));
  }
}
