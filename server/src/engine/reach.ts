/** How far the forward pass goes, what it needs to compute, and what it will not come to. */
import {
  describePlace,
  type ErrorBody,
  findSkipped,
  type Graph,
  type GraphNode,
  NEVER_SET,
  operandsOf,
  type Place,
  placeOf,
} from '@tracewire/protocol';
import type { Model } from './model.ts';
import type { HookPoint } from './modules.ts';
import type { SegmentSpec } from './segment.ts';

export class Reach {
  /**
   * The rank at which each invoke ends: its first stop's, or the last that anything delivered needs of it; −1 for none.
   * The pass ends with the last of them.
   */
  readonly #limits: readonly number[];
  readonly #model: Model;
  readonly #nodes: readonly GraphNode[];
  /** Hooks inside skipped modules, with the module. */
  readonly #skipped: ReadonlyMap<number, string>;
  /** Index of the first node of the model that isn't run. */
  readonly end: number;
  /** Nodes of the graph that a save, a log, or a write that fires needs. */
  readonly needed: ReadonlySet<number>;
  /** The module after which the pass ends, if others would follow. */
  readonly stoppedAfter: string | undefined;
  readonly #hookPoints: readonly HookPoint[];
  /** Whether the invokes are runs of their own, of which each knows nothing of the others. */
  readonly #apart: boolean;

  constructor(graph: Graph, model: Model, apart = false) {
    this.#nodes = graph.nodes;
    this.#model = model;
    this.#apart = apart;
    this.#skipped = findSkipped(graph.nodes);
    this.#hookPoints = model.tree.hookPoints;
    const { limits, needed } = explore(graph, model, this.#skipped);
    this.#limits = limits;
    this.needed = needed;
    const last = Math.max(...this.#limits);
    this.end = this.#hookPoints[last]?.boundary ?? 0;
    this.stoppedAfter = this.#findLastModule(last);
  }

  /** Whether a node's invoke goes on to its place, and no skip around it keeps it from there. */
  fires(place: Place, node: number): boolean {
    return !this.#skipped.has(node) && isWithin(this.#limits, place, this.#model);
  }

  /**
   * How many modules have run to their end: those whose last node ran. A module whose output was replaced need not have.
   * Of one invoke, those that the pass would have come to for it.
   */
  modulesRun(ran: readonly SegmentSpec[], invoke?: number): number {
    const nodes = new Set(
      ran.flatMap(({ from, to, outputs }) => this.#model.ranges.nodes(from, to, outputs)),
    );
    const end =
      invoke === undefined ? this.end : (this.#hookPoints[this.#limits[invoke] ?? -1]?.boundary ?? 0);
    return this.#hookPoints.filter(
      ({ port, boundary }) => port === 'output' && boundary <= end && nodes.has(boundary - 1),
    ).length;
  }

  /** The module after which an invoke ends, if others would follow. */
  stoppedAfterOf(invoke: number): string | undefined {
    return this.#findLastModule(this.#limits[invoke] ?? -1);
  }

  #findLastModule(limit: number): string | undefined {
    const points = this.#hookPoints;
    const last = points.slice(0, limit + 1).findLast(({ port }) => port === 'output');
    // Modules that end with the same node, as `lm_head` and the whole model do, are complete together.
    const end = points[limit]?.boundary ?? 0;
    const more = points.some(({ port, boundary }) => port === 'output' && boundary > end);
    return more ? last?.module.path : undefined;
  }

  /** Nodes of the graph whose values will not come to be, and why. `unset` tells of reads that find no value. */
  missed(unset: (read: number) => string | undefined): Map<number, ErrorBody> {
    const several = this.#limits.length > 1 && !this.#apart;
    const who = several ? (invoke: number) => `invoke ${invoke}` : () => 'the forward pass';
    const ends = this.#limits.map((limit, invoke) => {
      const last = this.#findLastModule(limit);
      return last === undefined ? '' : `: ${who(invoke)} stopped after ${last}`;
    });
    const missed = new Map<number, ErrorBody>();
    for (const [id, node] of this.#nodes.entries()) {
      const operand = operandsOf(node).find((operand) => missed.has(operand));
      const cause = operand === undefined ? undefined : missed.get(operand);
      if (cause) missed.set(id, cause);
      else if (node.kind === 'read' && this.needed.has(id)) {
        const error = this.#missedRead(node.place, id, ends[node.place.invoke ?? 0] ?? '', unset);
        if (error) missed.set(id, error);
      }
    }
    return missed;
  }

  #missedRead(
    place: Place,
    node: number,
    stopped: string,
    unset: (read: number) => string | undefined,
  ): ErrorBody | undefined {
    const facts = { node, path: place.module };
    const shown = this.#apart ? { ...place, invoke: 0 } : place;
    const begins = `${NEVER_SET} ${describePlace(shown)}`;
    if (this.fires(place, node)) {
      const why = unset(node);
      return why === undefined
        ? undefined
        : { code: 'unset', message: `${begins} has no value: ${why}.`, ...facts };
    }
    const skipped = this.#skipped.get(node);
    const why = skipped === undefined ? stopped : `: ${skipped} was skipped, so nothing inside it ran`;
    return { code: 'not_reached', message: `${begins} was not reached${why}.`, ...facts };
  }
}

/** Whether a node sends something to the client. */
export function delivers(node: GraphNode): boolean {
  return node.kind === 'save' || node.kind === 'log';
}

/**
 * How far each invoke goes, and which nodes have values that those that act need, directly or not. What one invoke writes
 * may need what another has further on, which takes that one on to writes of its own, and so on: each node is met once.
 */
function explore(
  { nodes, invokes }: Graph,
  model: Model,
  skipped: ReadonlyMap<number, string>,
): { limits: number[]; needed: Set<number> } {
  const stops = firstStops(nodes, model);
  const limits = invokes.map((_, invoke) => stops.get(invoke) ?? -1);
  const needed = new Set<number>();
  const acting = nodes.flatMap((node, id) => (delivers(node) ? [id] : []));
  const waiting = invokes.map((_, invoke) => changesOf(invoke, nodes, model, skipped));
  /** A write needs no more than its invoke has already come to, so it never makes that one longer. */
  const releaseWrites = (invoke: number): void => {
    const writes = waiting[invoke] ?? [];
    for (let last = writes.at(-1); last && last.rank <= (limits[invoke] ?? -1); last = writes.at(-1)) {
      acting.push(last.id);
      writes.pop();
    }
  };
  for (const invoke of limits.keys()) releaseWrites(invoke);
  for (let id = acting.pop(); id !== undefined; id = acting.pop()) {
    const node = nodes[id];
    for (const operand of node ? operandsOf(node) : []) {
      if (needed.has(operand)) continue;
      needed.add(operand);
      acting.push(operand);
    }
    if (node?.kind !== 'read' || skipped.has(id)) continue;
    const { invoke = 0 } = node.place;
    if (stops.has(invoke) || isWithin(limits, node.place, model)) continue;
    limits[invoke] = model.rank(node.place);
    releaseWrites(invoke);
  }
  return { limits, needed };
}

/** An invoke's writes and skips that no skip around them silences, the first in the total order last. */
function changesOf(
  invoke: number,
  nodes: readonly GraphNode[],
  model: Model,
  skipped: ReadonlyMap<number, string>,
): { id: number; rank: number }[] {
  return nodes
    .flatMap((node, id) => {
      const place = node.kind === 'write' || node.kind === 'skip' ? changesAt(node) : undefined;
      const acts = place && (place.invoke ?? 0) === invoke && !skipped.has(id);
      return acts ? [{ id, rank: model.rank(place) }] : [];
    })
    .sort((a, b) => b.rank - a.rank);
}

/** Where a hook is in the plan. A skip changes what its module gives, though its value is there when the module begins. */
export function changesAt(node: GraphNode): Place | undefined {
  if (node.kind !== 'skip') return placeOf(node);
  return { module: node.module, port: 'output', invoke: node.invoke };
}

function firstStops(nodes: readonly GraphNode[], model: Model): Map<number, number> {
  const stops = new Map<number, number>();
  for (const node of nodes) {
    if (node.kind !== 'stop') continue;
    const { invoke = 0 } = node.place;
    stops.set(invoke, Math.min(stops.get(invoke) ?? Number.POSITIVE_INFINITY, model.rank(node.place)));
  }
  return stops;
}

function isWithin(limits: readonly number[], place: Place, model: Model): boolean {
  return model.rank(place) <= (limits[place.invoke ?? 0] ?? -1);
}
