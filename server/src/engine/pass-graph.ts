/**
 * A generation as passes: for each step the graph of the nodes that act in it. Node ids stay what they are. A node that
 * doesn't act stands there as a constant: its value is what an earlier step made, if a later one needs it.
 */
import {
  type Graph,
  type GraphNode,
  hasStep,
  isHeld,
  operandsOf,
  placeOf,
  type Steps,
  stepFrom,
  stepsOfNodes,
} from '@tracewire/protocol';

export interface PassGraph {
  /** The nodes of the trace, then those that take out what later passes need. */
  readonly graph: Graph;
  /** The logs that give the outputs of the whole model, as they are once each invoke's hooks have acted: log → invoke. */
  readonly outputs: ReadonlyMap<number, number>;
  /** Their reads, which take the rows of all invokes. */
  readonly uncut: ReadonlySet<number>;
  /** Logs that give the values of nodes for later steps: log → node. */
  readonly kept: ReadonlyMap<number, number>;
  /** Nodes of this step that later ones use, and that take something of an invoke that has ended. */
  readonly lost: readonly number[];
  /** A write or skip whose value would be of an invoke that has ended. */
  readonly blocked: number | undefined;
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

  /**
   * The same object for steps in which the same nodes act; the first step is apart, for its pass is of many tokens. `going` are
   * the invokes that have not ended.
   */
  at(step: number, going: readonly number[]): PassGraph {
    const acting = this.#patterns.map((steps) => (hasStep(steps, step) ? '1' : '0')).join('');
    const key = `${step === 0} ${acting} ${going.join()}`;
    const known = this.#made.get(key);
    if (known) return known;
    const made = this.#make(step, going);
    this.#made.set(key, made);
    return made;
  }

  /** Whether an invoke stops in a step. */
  stops(invoke: number, step: number): boolean {
    return this.#graph.nodes.some(
      (node, id) =>
        node.kind === 'stop' && (node.place.invoke ?? 0) === invoke && hasStep(this.#steps[id] ?? 0, step),
    );
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

  #make(step: number, going: readonly number[]): PassGraph {
    const isOf = (id: number): boolean => hasStep(this.#steps[id] ?? 0, step);
    const acts = this.#acting(step, going);
    const nodes = this.#graph.nodes.map((node, id) => (acts[id] || isGiven(node) ? node : ABSENT));
    const outputs = new Map<number, number>();
    const uncut = new Set<number>();
    for (const invoke of going) {
      const read = nodes.push({ kind: 'read', place: { module: '', port: 'output', invoke } }) - 1;
      uncut.add(read);
      outputs.set(nodes.push({ kind: 'log', value: read }) - 1, invoke);
    }
    const kept = new Map<number, number>();
    for (const id of this.#kept) if (acts[id]) kept.set(nodes.push({ kind: 'log', value: id }) - 1, id);
    return {
      graph: { invokes: this.#graph.invokes, nodes },
      outputs,
      uncut,
      kept,
      lost: [...this.#kept].filter((id) => isOf(id) && !acts[id]),
      blocked: this.#blocked(going, (id) => isOf(id) && !acts[id]),
    };
  }

  /** By node: whether it acts in a step, with all that it takes of it. */
  #acting(step: number, going: readonly number[]): boolean[] {
    const acts: boolean[] = [];
    for (const [id, node] of this.#graph.nodes.entries()) {
      const place = placeOf(node);
      const taken = operandsOf(node).filter((operand) => this.#isTaken(operand, id));
      acts.push(
        hasStep(this.#steps[id] ?? 0, step) &&
          (!place || going.includes(place.invoke ?? 0)) &&
          taken.every((operand) => acts[operand]),
      );
    }
    return acts;
  }

  /** Whether an operand's value is of the very step in which a node acts. */
  #isTaken(operand: number, id: number): boolean {
    return !isGiven(this.#graph.nodes[operand]) && !isHeld(this.#steps[operand], this.#steps[id]);
  }

  #blocked(going: readonly number[], missing: (id: number) => boolean): number | undefined {
    const id = this.#graph.nodes.findIndex(
      (node, id) =>
        (node.kind === 'write' || node.kind === 'skip') &&
        missing(id) &&
        going.includes(placeOf(node)?.invoke ?? 0),
    );
    return id < 0 ? undefined : id;
  }
}
