/**
 * Runs groups of operations, and finds the one to blame when a group fails. Sessions are cached by structure. Results are
 * counted before they are made: where the data decides how many there are, what makes that data runs first.
 */
import { createHash } from 'node:crypto';
import {
  describeTensor,
  type ErrorBody,
  type GraphNode,
  givesTuple,
  operandsOf,
  operatorFacts,
  type TensorLike,
  toErrorBody,
  type Value,
} from '@tracewire/protocol';
import { LRUCache } from 'lru-cache';
import type { MemoryBudget } from './memory-budget.ts';
import type { Model } from './model.ts';
import {
  buildOperations,
  type OperationGroup,
  type OperationModel,
  sourceOf,
  type TensorSource,
  tensorIn,
} from './operations.ts';
import { drawNode } from './random.ts';
import type { Runtime, Segment } from './runtime/runtime.ts';
import { measure } from './sizing.ts';

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
    budget: MemoryBudget,
  ): Promise<OperationResult> {
    const [only] = group.nodes;
    if (only === undefined) return { values: new Map(), failures: new Map() };
    try {
      const { sized, bytes, empty } = measure(group.nodes, nodes, this.#model, tensorAt);
      if (sized < group.nodes.length) {
        const parts = [group.nodes.slice(0, sized), group.nodes.slice(sized)];
        return await this.#runParts(group, parts, nodes, tensorAt, budget);
      }
      if (empty) return { values: new Map([[only, valueOfNode(only, empty, nodes)]]), failures: new Map() };
      return {
        values: await budget.within(bytes, () => this.#runWhole(group, nodes, tensorAt)),
        failures: new Map(),
      };
    } catch (error) {
      if (group.nodes.length > 1) {
        // One after another, so that one failure takes down only what depends on it.
        const parts = group.nodes.map((node) => [node]);
        return this.#runParts(group, parts, nodes, tensorAt, budget);
      }
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
    if (group.kind === 'random') return new Map(group.nodes.map((id) => [id, drawNode(id, nodes, tensorAt)]));
    const built = buildOperations(group, nodes, this.#model, tensorAt);
    const session = await this.#session(built.bytes);
    const feeds = new Map(built.inputs.map(({ name, source }) => [name, tensorAt(source)]));
    const outputs = await session.run(
      feeds,
      built.outputs.map(({ name }) => name),
    );
    return collect(built, outputs, nodes);
  }

  /** Parts of a group, each with what the ones before it have made. */
  async #runParts(
    group: OperationGroup,
    parts: readonly (readonly number[])[],
    nodes: readonly GraphNode[],
    tensorAt: (source: TensorSource) => TensorLike,
    budget: MemoryBudget,
  ): Promise<OperationResult> {
    const values = new Map<number, Value>();
    const failures = new Map<number, ErrorBody>();
    const find = (source: TensorSource): TensorLike => {
      const own = values.get(source.node);
      return own === undefined ? tensorAt(source) : tensorIn(own, source);
    };
    for (const part of parts) {
      const sound = part.filter((id) => {
        const cause = makersOf(id, nodes)
          .map((operand) => failures.get(operand))
          .find((failure) => failure);
        if (cause) failures.set(id, cause);
        return !cause;
      });
      const result = await this.run({ kind: group.kind, nodes: sound }, nodes, find, budget);
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

function collect(
  { outputs }: OperationModel,
  made: ReadonlyMap<string, TensorLike>,
  nodes: readonly GraphNode[],
): Map<number, Value> {
  const members = new Map<number, TensorLike[]>();
  for (const { name, source } of outputs) {
    const tensor = made.get(name);
    if (!tensor) throw new Error(`The runtime gave no ${name}.`);
    members.set(source.node, [...(members.get(source.node) ?? []), tensor]);
  }
  return new Map([...members].map(([id, tensors]) => [id, valueOfNode(id, tensors, nodes)]));
}

/** A tuple where an operator gives several, though it be one. */
function valueOfNode(id: number, tensors: readonly TensorLike[], nodes: readonly GraphNode[]): Value {
  const node = nodes[id];
  const facts = node?.kind === 'operator' ? operatorFacts(node.operator) : undefined;
  const [first] = tensors;
  return first && !(facts && givesTuple(facts)) ? first : tensors;
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
  const node = nodes[id];
  const what =
    node?.kind === 'operator' ? node.operator : node?.kind === 'apply' ? node.module : 'the operation';
  if (body.code !== 'operation_failed') return { path: what, ...body, node: id };
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
