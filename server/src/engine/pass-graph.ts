/**
 * A generation as passes: for each step the graph of the nodes that act in it. Node ids stay what they are. A node that
 * doesn't act stands there as a constant: its value is what an earlier step made, if a later one needs it.
 */
import {
  type Graph,
  type GraphNode,
  hasStep,
  operandsOf,
  type Steps,
  stepFrom,
  stepsOfNodes,
} from '@tracewire/protocol';

export interface PassGraph {
  /** The nodes of the trace, then those that take out what later passes need. */
  readonly graph: Graph;
  /** The log that gives the outputs of the whole model. */
  readonly outputs: number;
  /** Logs that give the values of nodes for later steps: log → node. */
  readonly kept: ReadonlyMap<number, number>;
}

/** In place of a node that doesn't act; nothing that acts looks at its tensor. */
const ABSENT: GraphNode = { kind: 'constant', tensor: { dtype: 'float32', dims: [], offset: 0, length: 0 } };

/** Whether a node's value is there before the first pass. */
function isGiven(node: GraphNode | undefined): boolean {
  return node?.kind === 'constant' || node?.kind === 'earlier';
}

export class PassGraphs {
  readonly #graph: Graph;
  /** What is of no step, such as a parameter, is computed in the first and kept. */
  readonly #steps: readonly Steps[];
  /** Different steps of nodes: passes in which the same of them act are the same. */
  readonly #patterns: readonly Steps[];
  /** Nodes of one step whose values later steps use. */
  readonly #kept: ReadonlySet<number>;
  readonly #made = new Map<string, PassGraph>();

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#steps = stepsOfNodes(graph).map((steps) => steps ?? 0);
    this.#patterns = [...new Map(this.#steps.map((steps) => [JSON.stringify(steps), steps])).values()];
    this.#kept = new Set(graph.nodes.flatMap((_, id) => this.#usedFromBefore(id)));
  }

  /** The same object for steps in which the same nodes act; the first step is apart, for its pass is of many tokens. */
  at(step: number): PassGraph {
    const acting = this.#patterns.map((steps) => (hasStep(steps, step) ? '1' : '0')).join('');
    const key = `${step === 0} ${acting}`;
    const known = this.#made.get(key);
    if (known) return known;
    const made = this.#make(step);
    this.#made.set(key, made);
    return made;
  }

  /** Operands of one step that a node uses in a later one. */
  #usedFromBefore(id: number): number[] {
    const { nodes } = this.#graph;
    const node = nodes[id];
    const steps = this.#steps[id] ?? 0;
    return (node ? operandsOf(node) : []).filter((operand) => {
      const step = this.#steps[operand];
      return !isGiven(nodes[operand]) && typeof step === 'number' && stepFrom(steps, step + 1) !== undefined;
    });
  }

  #make(step: number): PassGraph {
    const acts = (id: number): boolean => hasStep(this.#steps[id] ?? 0, step);
    const nodes = this.#graph.nodes.map((node, id) => (acts(id) || isGiven(node) ? node : ABSENT));
    nodes.push({ kind: 'read', place: { module: '', port: 'output' } });
    const outputs = nodes.push({ kind: 'log', value: nodes.length - 1 }) - 1;
    const kept = new Map<number, number>();
    for (const id of this.#kept) if (acts(id)) kept.set(nodes.push({ kind: 'log', value: id }) - 1, id);
    return { graph: { invokes: this.#graph.invokes, nodes }, outputs, kept };
  }
}
