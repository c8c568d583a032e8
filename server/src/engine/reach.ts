/** How far the forward pass goes, what it needs to compute, and what it will not come to. */
import { describePlace, type ErrorBody, type GraphNode, operandsOf } from '@tracewire/protocol';
import type { Model } from './model.ts';
import type { HookPoint } from './modules.ts';
import type { SegmentSpec } from './segment.ts';

export class Reach {
  /** The rank at which the pass ends: the first stop's, or the last that anything delivered needs; −1 for none. */
  readonly limit: number;
  /** Index of the first node of the model that isn't run. */
  readonly end: number;
  /** Nodes of the graph that a save, a log, or a write that fires needs. */
  readonly needed: ReadonlySet<number>;
  /** The module after which the pass ends, if others would follow. */
  readonly stoppedAfter: string | undefined;
  /** Nodes of the graph whose values will not come to be, and why. */
  readonly notReached: ReadonlyMap<number, ErrorBody>;
  readonly #hookPoints: readonly HookPoint[];

  constructor(nodes: readonly GraphNode[], model: Model) {
    this.#hookPoints = model.tree.hookPoints;
    this.limit = findLimit(nodes, model);
    this.end = this.#hookPoints[this.limit]?.boundary ?? 0;
    this.needed = neededNodes(
      nodes,
      (node) => delivers(node) || (node.kind === 'write' && model.rank(node.place) <= this.limit),
    );
    this.stoppedAfter = this.#findLastModule();
    this.notReached = this.#findMissed(nodes, model);
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

  #findLastModule(): string | undefined {
    const last = this.#hookPoints.slice(0, this.limit + 1).findLast(({ port }) => port === 'output');
    // Modules that end with the same node, as `lm_head` and the whole model do, are complete together.
    const more = this.#hookPoints.some(({ port, boundary }) => port === 'output' && boundary > this.end);
    return more ? last?.module.path : undefined;
  }

  #findMissed(nodes: readonly GraphNode[], model: Model): Map<number, ErrorBody> {
    const where =
      this.stoppedAfter === undefined ? '' : `: the forward pass stopped after ${this.stoppedAfter}`;
    const missed = new Map<number, ErrorBody>();
    for (const [id, node] of nodes.entries()) {
      const operand = operandsOf(node).find((operand) => missed.has(operand));
      const cause = operand === undefined ? undefined : missed.get(operand);
      if (cause) missed.set(id, cause);
      else if (node.kind === 'read' && model.rank(node.place) > this.limit && this.needed.has(id)) {
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

function findLimit(nodes: readonly GraphNode[], model: Model): number {
  const stops = nodes.flatMap((node) => (node.kind === 'stop' ? [model.rank(node.place)] : []));
  if (stops.length > 0) return Math.min(...stops);
  // A write needs no more than the pass has already come to, so it never makes the pass longer.
  const needed = neededNodes(nodes, delivers);
  const reads = nodes.flatMap((node, id) =>
    node.kind === 'read' && needed.has(id) ? [model.rank(node.place)] : [],
  );
  return Math.max(-1, ...reads);
}

/** Nodes whose values those that act need, directly or not. */
function neededNodes(nodes: readonly GraphNode[], acts: (node: GraphNode) => boolean): Set<number> {
  const needed = new Set<number>();
  for (const [id, node] of [...nodes.entries()].reverse()) {
    if (acts(node) || needed.has(id)) for (const operand of operandsOf(node)) needed.add(operand);
  }
  return needed;
}
