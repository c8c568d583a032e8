/** How far the forward pass goes, what it needs to compute, and what it will not come to. */
import {
  describePlace,
  type ErrorBody,
  type Graph,
  type GraphNode,
  operandsOf,
  type Place,
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
  /** Index of the first node of the model that isn't run. */
  readonly end: number;
  /** Nodes of the graph that a save, a log, or a write that fires needs. */
  readonly needed: ReadonlySet<number>;
  /** The module after which the pass ends, if others would follow. */
  readonly stoppedAfter: string | undefined;
  /** Nodes of the graph whose values will not come to be, and why. */
  readonly notReached: ReadonlyMap<number, ErrorBody>;
  readonly #hookPoints: readonly HookPoint[];

  constructor(graph: Graph, model: Model) {
    const { nodes } = graph;
    this.#model = model;
    this.#hookPoints = model.tree.hookPoints;
    this.#limits = findLimits(graph, model);
    const last = Math.max(...this.#limits);
    this.end = this.#hookPoints[last]?.boundary ?? 0;
    this.needed = neededNodes(
      nodes,
      (node) => delivers(node) || (node.kind === 'write' && this.reaches(node.place)),
    );
    this.stoppedAfter = this.#findLastModule(last);
    this.notReached = this.#findMissed(nodes);
  }

  /** Whether the place's invoke goes on to it. */
  reaches(place: Place): boolean {
    return isWithin(this.#limits, place, this.#model);
  }

  /** How many modules have run to their end: those whose last node is in a segment that runs. */
  modulesRun(ran: readonly SegmentSpec[]): number {
    return this.#hookPoints.filter(
      ({ port, boundary }) =>
        port === 'output' &&
        boundary <= this.end &&
        ran.some(({ from, to }) => from < boundary && boundary <= to),
    ).length;
  }

  #findLastModule(limit: number): string | undefined {
    const points = this.#hookPoints;
    const last = points.slice(0, limit + 1).findLast(({ port }) => port === 'output');
    // Modules that end with the same node, as `lm_head` and the whole model do, are complete together.
    const end = points[limit]?.boundary ?? 0;
    const more = points.some(({ port, boundary }) => port === 'output' && boundary > end);
    return more ? last?.module.path : undefined;
  }

  #findMissed(nodes: readonly GraphNode[]): Map<number, ErrorBody> {
    const who = this.#limits.length > 1 ? (invoke: number) => `invoke ${invoke}` : () => 'the forward pass';
    const ends = this.#limits.map((limit, invoke) => {
      const last = this.#findLastModule(limit);
      return last === undefined ? '' : `: ${who(invoke)} stopped after ${last}`;
    });
    const missed = new Map<number, ErrorBody>();
    for (const [id, node] of nodes.entries()) {
      const operand = operandsOf(node).find((operand) => missed.has(operand));
      const cause = operand === undefined ? undefined : missed.get(operand);
      if (cause) missed.set(id, cause);
      else if (node.kind === 'read' && !this.reaches(node.place) && this.needed.has(id)) {
        const where = ends[node.place.invoke ?? 0] ?? '';
        const message = `Accessing value before it's been set. ${describePlace(node.place)} was not reached${where}.`;
        missed.set(id, { code: 'not_reached', message, node: id, path: node.place.module });
      }
    }
    return missed;
  }
}

/** Whether a node sends something to the client. */
export function delivers(node: GraphNode): boolean {
  return node.kind === 'save' || node.kind === 'log';
}

/** How far each invoke goes: what one writes may need what another has further on, which may be written there, and so on. */
function findLimits({ nodes, invokes }: Graph, model: Model): number[] {
  const stops = firstStops(nodes, model);
  const limits = invokes.map((_, invoke) => stops.get(invoke) ?? -1);
  for (let more = true; more; ) {
    more = false;
    // A write needs no more than its invoke has already come to, so it never makes that one longer.
    const needed = neededNodes(
      nodes,
      (node) => delivers(node) || (node.kind === 'write' && isWithin(limits, node.place, model)),
    );
    for (const [id, node] of nodes.entries()) {
      if (node.kind !== 'read' || !needed.has(id) || isWithin(limits, node.place, model)) continue;
      const { invoke = 0 } = node.place;
      if (stops.has(invoke)) continue;
      limits[invoke] = model.rank(node.place);
      more = true;
    }
  }
  return limits;
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

/** Nodes whose values those that act need, directly or not. */
function neededNodes(nodes: readonly GraphNode[], acts: (node: GraphNode) => boolean): Set<number> {
  const needed = new Set<number>();
  for (const [id, node] of [...nodes.entries()].reverse()) {
    if (acts(node) || needed.has(id)) for (const operand of operandsOf(node)) needed.add(operand);
  }
  return needed;
}
