/** Cuts a range of a model's nodes out as an ONNX model of its own, weights left in the external file. */
import { LRUCache } from 'lru-cache';
import { activationsOf, type ModelGraph } from './onnx/graph.ts';
import { ATTRIBUTE_TYPE, encodeModel, type NodeProto } from './onnx/schema.ts';
import { toValueInfo } from './onnx/tensors.ts';
import type { ValueType } from './runtime/runtime.ts';
import { AXIS, POSITIONS, type Tail } from './tail.ts';

/** A part of the model: the nodes from `from` to before `to` that its outputs need. */
export interface SegmentSpec {
  readonly from: number;
  readonly to: number;
  /** Values that it declares; a run may fetch some of them. */
  readonly outputs: readonly string[];
  /** Where a node uses another version of a value than the segment's other nodes: `node value` → input name. */
  readonly versions: ReadonlyMap<string, string>;
  /** The tail in it, where it takes the positions to compute there as a feed. */
  readonly tail?: Tail | undefined;
}

/** Identifies a segment: equal specs make equal segments. */
export function segmentKey({ from, to, outputs, versions, tail }: SegmentSpec): string {
  return JSON.stringify([from, to, outputs, [...versions], tail !== undefined]);
}

export function versionKey(node: number, value: string): string {
  return `${node} ${value}`;
}

/** What a range of the model's nodes makes and takes; planning asks the same of the same ranges again and again. */
export class Ranges {
  readonly #graph: ModelGraph;
  readonly #made = new LRUCache<string, readonly string[]>({ max: REMEMBERED });
  readonly #leaving = new LRUCache<string, readonly string[]>({ max: REMEMBERED });
  readonly #uses = new LRUCache<string, readonly Use[]>({ max: REMEMBERED });
  readonly #nodes = new LRUCache<string, readonly number[]>({ max: REMEMBERED });

  constructor(graph: ModelGraph) {
    this.#graph = graph;
  }

  /** All values that a range makes. */
  made(from: number, to: number): readonly string[] {
    return remember(this.#made, `${from} ${to}`, () =>
      this.#graph.nodes.slice(from, to).flatMap((node) => node.output),
    );
  }

  /** Values made in a range that nodes after it use, or that the model gives. */
  leaving(from: number, to: number): readonly string[] {
    return remember(this.#leaving, `${from} ${to}`, () =>
      this.made(from, to).filter(
        (value) => this.#graph.isOutput(value) || (this.#graph.consumers(value).at(-1) ?? -1) >= to,
      ),
    );
  }

  /** The nodes that run in a range to make the wanted values, ascending. */
  nodes(from: number, to: number, wanted: readonly string[]): readonly number[] {
    return remember(this.#nodes, JSON.stringify([from, to, wanted]), () =>
      nodesFor(this.#graph, from, to, wanted),
    );
  }

  /** What a range takes from before it to make the wanted values: which node uses which value, in order. */
  uses(from: number, to: number, wanted: readonly string[]): readonly Use[] {
    return remember(this.#uses, JSON.stringify([from, to, wanted]), () =>
      this.nodes(from, to, wanted).flatMap((node) =>
        activationsOf(this.#graph, this.#graph.nodes[node])
          .filter((value) => this.#graph.producer(value) < from)
          .map((value) => ({ node, value })),
      ),
    );
  }
}

interface Use {
  readonly node: number;
  readonly value: string;
}

/** Ranges are few, for traces hook the same places; a client that hooks new ones each time must not fill the memory. */
const REMEMBERED = 2000;

function remember<T extends object>(cache: LRUCache<string, T>, key: string, make: () => T): T {
  const known = cache.get(key);
  if (known) return known;
  const made = make();
  cache.set(key, made);
  return made;
}

/** Indices of the nodes in a range that the wanted values need, ascending. */
function nodesFor(graph: ModelGraph, from: number, to: number, wanted: Iterable<string>): number[] {
  const values = new Set(wanted);
  const nodes: number[] = [];
  for (let index = to - 1; index >= from; index--) {
    const node = graph.nodes[index];
    if (!node?.output.some((output) => values.has(output))) continue;
    nodes.push(index);
    for (const input of activationsOf(graph, node)) values.add(input);
  }
  return nodes.reverse();
}

export interface SegmentModel {
  readonly model: Uint8Array;
  /** Bytes of the weights that its kernels lay out anew in memory of its own; all segments map the others. */
  readonly weightBytes: number;
}

export function buildSegment(
  graph: ModelGraph,
  types: ReadonlyMap<string, ValueType>,
  spec: SegmentSpec,
): SegmentModel {
  const inputs = new Map<string, string>();
  const initializers = new Set<string>();
  const laidOut = new Set<string>();
  const { tail } = spec;
  /** Of what the tail takes with all positions, that of which it takes some. */
  const picked = new Set<string>();
  const picks = (name: string): string => {
    picked.add(name);
    return pickedOf(name);
  };
  const indices = nodesFor(graph, spec.from, spec.to, spec.outputs);
  const nodes = indices.map((index): NodeProto => {
    const node = graph.nodes[index];
    if (!node) throw new Error(`There is no node ${index}.`);
    const input = node.input.map((value) => {
      if (value === '') return value;
      if (graph.initializers.has(value)) {
        initializers.add(value);
        if (node.op_type !== 'Gather') laidOut.add(value);
        return value;
      }
      const isMade = graph.producer(value) >= spec.from;
      const name = isMade ? value : (spec.versions.get(versionKey(index, value)) ?? value);
      if (!isMade) inputs.set(name, value);
      return tail?.inputs.has(value) && index >= tail.from ? picks(name) : name;
    });
    return {
      name: node.name,
      op_type: node.op_type,
      domain: node.domain ?? '',
      input,
      output: node.output,
      attribute: node.attribute,
    };
  });
  // What it takes is made before its first node.
  const first = indices.findIndex((index) => index >= (tail?.from ?? 0));
  nodes.splice(first, 0, ...[...picked].map(pickRows));
  const info = (name: string, value: string) => {
    const type = types.get(value);
    if (!type) throw new Error(`The type of ${value} is not known.`);
    const some = tail?.values.has(value) === true;
    return toValueInfo(name, type.dtype, some ? type.dims.with(AXIS, 'positions') : type.dims);
  };
  const inputInfos = [...inputs].map(([name, value]) => info(name, value));
  if (tail) inputInfos.push(toValueInfo(POSITIONS, 'int64', ['batch', 'positions', 1]));
  const weights = [...initializers].flatMap((name) => graph.initializers.get(name) ?? []);
  const model = encodeModel({
    ir_version: graph.model.ir_version,
    opset_import: graph.model.opset_import,
    functions: graph.model.functions ?? [],
    graph: {
      name: `nodes ${spec.from} to ${spec.to}`,
      node: nodes,
      initializer: weights,
      input: inputInfos,
      output: spec.outputs.map((value) => info(value, value)),
    },
  });
  const own = weights.filter(({ name }) => laidOut.has(name)).map(ownLength);
  return { model, weightBytes: own.reduce((sum, length) => sum + length, 0) };
}

const pickedOf = (name: string): string => `${name}#picked`;

/** The rows of `[batch, sequence, …]` at the positions, for each entry of the batch its own: `[batch, positions, …]`. */
function pickRows(name: string): NodeProto {
  const output = pickedOf(name);
  const attribute = [{ name: 'batch_dims', type: ATTRIBUTE_TYPE.int, i: 1 }];
  return {
    name: output,
    op_type: 'GatherND',
    domain: '',
    input: [name, POSITIONS],
    output: [output],
    attribute,
  };
}

function ownLength(tensor: { external_data?: { key: string; value: string }[] }): number {
  if (tensor.external_data?.some(({ key }) => key.startsWith('prepacked'))) return 0;
  return Number(tensor.external_data?.find(({ key }) => key === 'length')?.value ?? 0);
}
