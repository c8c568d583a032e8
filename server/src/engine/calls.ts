/**
 * User functions become nodes like any other before a run is planned: each `call` is replaced by the function's operators and
 * constants, so that they are grouped, sized, stopped and blamed as what stands beside them. Ids in the plan are then
 * not the client's; the listener and the errors are mapped back.
 */
import type { ErrorBody, FunctionBody, Graph, GraphNode, TensorLike } from '@tracewire/protocol';
import type { RunListener, RunOutcome } from './outcomes.ts';

/** A function by its hash. */
export type FunctionOf = (sha256: string) => FunctionBody | undefined;

export interface Expanded<T> {
  readonly traces: readonly T[];
  /** A listener for a trace's ids as they are now. */
  listen(trace: number, listener: RunListener): RunListener;
  outcome<O extends RunOutcome>(trace: number, outcome: O): O;
  /** The client's id of a trace's node. */
  origin(trace: number, id: number): number;
}

interface Expandable {
  readonly graph: Graph;
  readonly constants: ReadonlyMap<number, TensorLike>;
}

/**
 * The traces of a run without functions. What is left of a `call` joins the function's results: its `inputs` are these, and its
 * value is the only one, or the tuple of them (`sourceOf` in operations.ts).
 */
export function expandTraces<T extends Expandable>(
  traces: readonly T[],
  functionOf: FunctionOf,
): Expanded<T> {
  if (!traces.some(({ graph }) => graph.nodes.some(({ kind }) => kind === 'call')))
    return {
      traces,
      listen: (_, listener) => listener,
      outcome: (_, outcome) => outcome,
      origin: (_, id) => id,
    };
  const expanders: Expander[] = [];
  for (const { graph, constants } of traces)
    expanders.push(new Expander(graph.nodes, constants, functionOf, [...expanders]));
  const origin = (trace: number, id: number): number => expanders[trace]?.origins[id] ?? id;
  const back = (error: ErrorBody, within: number): ErrorBody => {
    const trace = error.trace ?? within;
    const node = error.node === undefined ? undefined : origin(trace, error.node);
    return { ...error, node, cause: error.cause && back(error.cause, trace) };
  };
  return {
    traces: traces.map((trace, at) => {
      const { nodes = [], tensors = new Map() } = expanders[at] ?? {};
      return { ...trace, graph: { invokes: trace.graph.invokes, nodes }, constants: tensors };
    }),
    listen: (trace, listener) => ({
      value: (save, value, step) => listener.value(origin(trace, save), value, step),
      accessError: (save, error, step) => listener.accessError(origin(trace, save), back(error, trace), step),
      log: (node, text, value, step) => listener.log(origin(trace, node), text, value, step),
      progress: (done, total) => listener.progress(done, total),
      token: (token) => listener.token(token),
    }),
    outcome: (trace, outcome) => ({
      ...outcome,
      errors: outcome.errors.map((error) => back(error, trace)),
    }),
    origin,
  };
}

class Expander {
  readonly nodes: GraphNode[] = [];
  readonly tensors = new Map<number, TensorLike>();
  /** The client's id of each node. */
  readonly origins: number[] = [];
  /** Where the client's nodes are now. */
  readonly #ids: number[] = [];
  readonly #functionOf: FunctionOf;
  readonly #earlier: readonly Expander[];

  constructor(
    nodes: readonly GraphNode[],
    constants: ReadonlyMap<number, TensorLike>,
    functionOf: FunctionOf,
    earlier: readonly Expander[],
  ) {
    this.#functionOf = functionOf;
    this.#earlier = earlier;
    for (const [id, node] of nodes.entries()) {
      const at = this.#add(node.kind === 'call' ? this.#call(node, id) : this.#moved(node), id);
      this.#ids.push(at);
      const tensor = constants.get(id);
      if (tensor) this.tensors.set(at, tensor);
    }
  }

  #add(node: GraphNode, origin: number): number {
    this.origins.push(origin);
    return this.nodes.push(node) - 1;
  }

  at(id: number): number {
    return this.#ids[id] ?? -1;
  }

  /** Puts the function's nodes in, and gives the call that joins its results. */
  #call(node: GraphNode & { kind: 'call' }, id: number): GraphNode {
    const body = this.#functionOf(node.function);
    if (!body) throw new Error(`The function ${node.function} is not at hand.`);
    const values = node.inputs.map((input) => this.at(input));
    for (const inner of body.nodes) {
      const value = this.#add(
        renumbered(inner, (of) => values[of] ?? -1),
        id,
      );
      const tensor = body.constants.get(values.length);
      if (tensor) this.tensors.set(value, tensor);
      values.push(value);
    }
    return { ...node, inputs: body.results.map((result) => values[result] ?? -1) };
  }

  /** A member of a call is that result alone, so that the others need not be computed. */
  #moved(node: GraphNode): GraphNode {
    if (node.kind === 'earlier') return { ...node, node: this.#earlier[node.trace]?.at(node.node) ?? -1 };
    if (node.kind !== 'member') return renumbered(node, (id) => this.at(id));
    const of = this.nodes[this.at(node.of)];
    if (of?.kind !== 'call') return renumbered(node, (id) => this.at(id));
    return { ...of, inputs: of.inputs.slice(node.index, node.index + 1) };
  }
}

/** The node with other ids for its operands. */
function renumbered<N extends GraphNode>(node: N, to: (id: number) => number): N {
  const one: GraphNode = node;
  switch (one.kind) {
    case 'operator':
    case 'call':
      return { ...node, inputs: one.inputs.map(to) };
    case 'member':
      return { ...node, of: to(one.of) };
    case 'apply':
      return { ...node, input: to(one.input) };
    case 'write':
      return { ...node, value: to(one.value), ...(one.mask === undefined ? {} : { mask: to(one.mask) }) };
    case 'skip':
    case 'save':
      return { ...node, value: to(one.value) };
    case 'log':
      return one.value === undefined ? node : { ...node, value: to(one.value) };
    default:
      return node;
  }
}
