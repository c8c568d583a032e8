/** Runs groups of operations, and finds the one to blame when a group fails. Sessions are cached by structure. */
import { createHash } from 'node:crypto';
import {
  describeTensor,
  type ErrorBody,
  type GraphNode,
  isTuple,
  operandsOf,
  type TensorLike,
  toErrorBody,
  type Value,
} from '@tracewire/protocol';
import { LRUCache } from 'lru-cache';
import type { Model } from './model.ts';
import {
  buildOperations,
  type OperationGroup,
  type OperationModel,
  sourceOf,
  type TensorSource,
  tensorIn,
} from './operations.ts';
import type { Runtime, Segment } from './runtime/runtime.ts';

/** Sessions of up to a few operators take little memory; applied modules map their weights. */
const CACHED_SESSIONS = 256;

export interface OperationResult {
  readonly values: ReadonlyMap<number, Value>;
  readonly failures: ReadonlyMap<number, ErrorBody>;
}

export class OperationRunner {
  readonly #model: Model;
  readonly #runtime: Runtime;
  readonly #sessions = new LRUCache<string, Segment>({
    max: CACHED_SESSIONS,
    dispose: (segment) => void segment.release(),
  });

  constructor(model: Model, runtime: Runtime) {
    this.#model = model;
    this.#runtime = runtime;
  }

  /** Every node of the group has a value or a failure in the result; it rejects for neither. */
  async run(
    group: OperationGroup,
    nodes: readonly GraphNode[],
    tensorAt: (source: TensorSource) => TensorLike,
  ): Promise<OperationResult> {
    if (group.nodes.length === 0) return { values: new Map(), failures: new Map() };
    try {
      return { values: await this.#runWhole(group, nodes, tensorAt), failures: new Map() };
    } catch (error) {
      const [only] = group.nodes;
      if (group.nodes.length > 1 || only === undefined) return this.#runEach(group, nodes, tensorAt);
      return { values: new Map(), failures: new Map([[only, explain(only, nodes, error, tensorAt)]]) };
    }
  }

  async release(): Promise<void> {
    this.#sessions.clear();
  }

  async #runWhole(
    group: OperationGroup,
    nodes: readonly GraphNode[],
    tensorAt: (source: TensorSource) => TensorLike,
  ): Promise<Map<number, Value>> {
    const built = buildOperations(group, nodes, this.#model, tensorAt);
    const session = await this.#session(built.bytes);
    const feeds = new Map(built.inputs.map(({ name, source }) => [name, tensorAt(source)]));
    const outputs = await session.run(
      feeds,
      built.outputs.map(({ name }) => name),
    );
    return collect(built, outputs);
  }

  /** One after another, so that one failure takes down only what depends on it. */
  async #runEach(
    group: OperationGroup,
    nodes: readonly GraphNode[],
    tensorAt: (source: TensorSource) => TensorLike,
  ): Promise<OperationResult> {
    const values = new Map<number, Value>();
    const failures = new Map<number, ErrorBody>();
    const find = (source: TensorSource): TensorLike => {
      const own = values.get(source.node);
      return own === undefined ? tensorAt(source) : tensorIn(own, source);
    };
    for (const id of group.nodes) {
      const cause = makersOf(id, nodes)
        .map((operand) => failures.get(operand))
        .find((failure) => failure);
      const result = cause
        ? { values: new Map<number, Value>(), failures: new Map([[id, cause]]) }
        : await this.run({ kind: group.kind, nodes: [id] }, nodes, find);
      for (const [node, value] of result.values) values.set(node, value);
      for (const [node, failure] of result.failures) failures.set(node, failure);
    }
    return { values, failures };
  }

  async #session(model: Uint8Array): Promise<Segment> {
    const key = createHash('sha1').update(model).digest('base64');
    const known = this.#sessions.get(key);
    if (known) return known;
    const session = await this.#runtime.createSegment(model);
    this.#sessions.set(key, session);
    return session;
  }
}

function collect({ outputs }: OperationModel, made: ReadonlyMap<string, TensorLike>): Map<number, Value> {
  const values = new Map<number, Value>();
  for (const { name, source } of outputs) {
    const tensor = made.get(name);
    if (!tensor) throw new Error(`The runtime gave no ${name}.`);
    const known = values.get(source.node);
    values.set(source.node, known === undefined ? tensor : [...(isTuple(known) ? known : [known]), tensor]);
  }
  return values;
}

/** The nodes that make a node's operands. */
function makersOf(id: number, nodes: readonly GraphNode[]): number[] {
  const node = nodes[id];
  return node ? operandsOf(node).map((operand) => sourceOf(operand, nodes).node) : [];
}

/** Names the operation and its operands' types, then says what the runtime said. */
function explain(
  id: number,
  nodes: readonly GraphNode[],
  error: unknown,
  tensorAt: (source: TensorSource) => TensorLike,
): ErrorBody {
  const body = toErrorBody(error, 'operation_failed');
  if (body.code !== 'operation_failed') return { ...body, node: id };
  const node = nodes[id];
  const what =
    node?.kind === 'operator' ? node.operator : node?.kind === 'apply' ? node.module : 'the operation';
  const operands = node ? operandsOf(node) : [];
  const types = operands.map((operand) => describeTensor(tensorAt(sourceOf(operand, nodes)))).join(', ');
  return {
    ...body,
    node: id,
    path: what,
    got: types,
    message: `${what} of ${types} failed: ${runtimeWords(body.message)}`,
  };
}

/** ONNX Runtime's message without its place in the C++ sources. */
function runtimeWords(message: string): string {
  const status = /Status Message: (.*)$/s.exec(message)?.[1] ?? message;
  return status
    .replace(/\S*\/onnxruntime\/\S+\s?/g, '')
    .replace(/(?:\w+ )?onnxruntime::[\w:]+\([^)]*\)\s*/g, '')
    .trim()
    .slice(0, 2000);
}
