/**
 * Turns a graph into a plan: which parts of the model run, with what to do between them. A pure function of
 * graph and model, so that the same trace runs the same way wherever and whenever it runs.
 *
 * Every read, operation and save belongs to a *moment*: a point between two nodes of the model, after which
 * no hook of the same rank is left, or a write changes what the next one sees. Parts of the model are cut only
 * at block borders, at writes and at the end; what is read in between is one more output of its part.
 */
import {
  describePlace,
  type ErrorBody,
  type Graph,
  type GraphNode,
  operandsOf,
  operatorFacts,
  placeOf,
  TracewireError,
} from '@tracewire/protocol';
import type { Model } from './model.ts';
import { type Looking, type Picked, positionsOf, type TailRead } from './positions.ts';
import { changesAt, delivers, Reach } from './reach.ts';
import { type SegmentSpec, versionKey } from './segment.ts';
import { POSITIONS, tailIn } from './tail.ts';
import {
  compareHooks,
  type Hook,
  type PlannedWrite,
  skipWrites,
  type ValueKey,
  Versions,
  valuesAt,
  type WriteHook,
} from './versions.ts';
import { asWholePass } from './whole-pass.ts';

export interface PlannedSegment {
  readonly kind: 'segment';
  readonly spec: SegmentSpec;
  /** What each input of the segment is fed with. */
  readonly feeds: ReadonlyMap<string, ValueKey>;
  readonly fetches: readonly string[];
}

export interface Moment {
  readonly kind: 'moment';
  /** Reads, each with its value, or its tuple's values. */
  readonly reads: readonly {
    readonly node: number;
    readonly keys: readonly ValueKey[];
    /** The model's values that these are versions of. */
    readonly of: readonly string[];
    readonly tuple: boolean;
  }[];
  /** Nodes to compute, in order: operators, members, parameters and applied modules. */
  readonly operations: readonly number[];
  /** Saves and logs whose values exist now. */
  readonly deliveries: readonly number[];
  /** What a write or a skip then changes: one value, or a tuple's. */
  readonly writes: readonly PlannedWrite[];
}

export interface Plan {
  readonly steps: readonly (PlannedSegment | Moment)[];
  /** The positions that are computed behind the last block; undefined where all are. */
  readonly picked: Picked | undefined;
  /** Versions that a write may make of the one before itself, for nothing looks at that any more. */
  readonly inPlace: ReadonlySet<ValueKey>;
  readonly segmentsTotal: number;
  /** How many modules have run to their end once these segments have. */
  readonly modulesRun: (ran: readonly SegmentSpec[]) => number;
  /** Likewise, and where it stopped, of each of several runs in the pass as far as the pass went for it. */
  readonly ends: readonly RunEnd[];
  readonly modulesTotal: number;
  /** The module after which the pass ends, if others would follow. */
  readonly stoppedAfter: string | undefined;
  /** Nodes whose values will not come to be, and why. */
  readonly notReached: ReadonlyMap<number, ErrorBody>;
}

export interface RunEnd {
  readonly modulesRun: (ran: readonly SegmentSpec[]) => number;
  readonly stoppedAfter: string | undefined;
}

/** What else there is beside a pass's graph. */
interface Among {
  /** The invokes are runs that know nothing of each other. */
  readonly apart?: boolean;
  /** The traces before it in a session. */
  readonly earlier?: readonly Graph[] | undefined;
  /** What tells which positions the graph looks at; without it, at all. */
  readonly looking?: Omit<Looking, 'nodes' | 'acts'> | undefined;
}

/**
 * `tokens` is how many the pass takes in, padding included. Throws `no_hook` for a write that could not act on all that use
 * the value, `unset` where what must run needs an output that a skip left without a value. The graph has been checked.
 */
export function planRun(graph: Graph, model: Model, tokens: number, among: Among = {}): Plan {
  return new Planner(graph, model, tokens, among).plan();
}

class Planner {
  readonly #nodes: readonly GraphNode[];
  readonly #model: Model;
  readonly #tokens: number;
  readonly #reach: Reach;
  /** Whether a value holds more than what one invoke sees of it. */
  readonly #batched: boolean;
  readonly #earlier: readonly Graph[];
  readonly #looking: Among['looking'];

  readonly #runs: number;

  constructor(graph: Graph, model: Model, tokens: number, among: Among) {
    const { apart = false, earlier = [], looking } = among;
    this.#earlier = earlier;
    this.#looking = looking;
    this.#nodes = graph.nodes;
    this.#model = model;
    this.#tokens = tokens;
    this.#reach = new Reach(graph, model, apart);
    this.#batched = graph.invokes.length > 1;
    this.#runs = apart ? graph.invokes.length : 0;
  }

  plan(): Plan {
    const { end, stoppedAfter } = this.#reach;
    const hooks = this.#hooks();
    const writes = new Versions(
      hooks.flatMap((hook) => this.#asWrites(hook)),
      this.#model,
    );
    const byNode = new Map(hooks.map((hook) => [hook.node, hook]));
    const notReached = this.#reach.missed((read) => whyUnset(byNode.get(read), writes));
    this.#refuseLost(hooks, notReached);
    const moments = this.#moments(
      hooks.filter(({ node }) => !notReached.has(node)),
      writes,
      notReached,
    );
    const segments = this.#segments(end, moments, writes);
    return {
      steps: interleave(moments, segments),
      picked: this.#picked(moments, segments),
      inPlace: this.#batched ? unshared(moments, segments) : new Set(),
      segmentsTotal: this.#cuts(end, writes).length - 1,
      modulesRun: remembered((ran) => this.#reach.modulesRun(ran)),
      ends: Array.from({ length: this.#runs }, (_, run) => ({
        modulesRun: (ran) => this.#reach.modulesRun(ran, run),
        stoppedAfter: this.#reach.stoppedAfterOf(run),
      })),
      modulesTotal: this.#model.tree.hookPoints.filter(({ port }) => port === 'output').length,
      stoppedAfter,
      notReached,
    };
  }

  /** What would be written has no value, because of a skip; to leave the write out would be to change nothing, silently. */
  #refuseLost(hooks: readonly Hook[], notReached: ReadonlyMap<number, ErrorBody>): void {
    for (const { node, place } of hooks) {
      const cause = notReached.get(node);
      if (!cause || this.#nodes[node]?.kind === 'read') continue;
      const message = `The value for ${describePlace(place)} isn’t there: ${cause.message}`;
      throw new TracewireError({ code: 'unset', message, node, path: place.module, cause });
    }
  }

  /** Reads, writes and skips that fire, in the order that they do. */
  #hooks(): Hook[] {
    const hooks = this.#nodes.flatMap((node, id): Hook[] => {
      const place = changesAt(node);
      if (!place || node.kind === 'stop' || !this.#reach.fires(place, id)) return [];
      if (node.kind === 'read' && !this.#reach.needed.has(id)) return [];
      const rank = this.#model.rank(place);
      const point = this.#model.tree.hookPoints[rank];
      return point ? [{ node: id, place, point, rank, first: node.kind === 'skip' }] : [];
    });
    return hooks.sort(compareHooks);
  }

  #asWrites(hook: Hook): WriteHook[] {
    const node = this.#nodes[hook.node];
    if (node?.kind === 'write') return [{ ...hook, value: valuesAt(hook)[0] ?? '' }];
    return node?.kind === 'skip'
      ? skipWrites(hook, tupleLength(node.value, this.#nodes, this.#model, this.#earlier))
      : [];
  }

  #moments(
    hooks: readonly Hook[],
    writes: Versions,
    notReached: ReadonlyMap<number, ErrorBody>,
  ): PlannedMoment[] {
    const moments: MomentDraft[] = [draft(0)];
    const momentOf = new Map<number, number>();
    let rank = -1;
    for (const hook of hooks) {
      let moment = moments.at(-1) ?? draft(0);
      if (hook.rank !== rank || moment.writes.length > 0) {
        moment = draft(hook.point.boundary);
        moments.push(moment);
        rank = hook.rank;
      }
      if (this.#nodes[hook.node]?.kind === 'read') moment.reads.push(plannedRead(hook, writes));
      else moment.writes = writes.planned(hook, this.#nodes);
      momentOf.set(hook.node, moments.length - 1);
    }
    this.#placeOperations(moments, momentOf, notReached);
    return moments;
  }

  /** Everything else happens as soon as its operands exist. */
  #placeOperations(
    moments: readonly MomentDraft[],
    momentOf: Map<number, number>,
    notReached: ReadonlyMap<number, ErrorBody>,
  ): void {
    for (const [id, node] of this.#nodes.entries()) {
      if (placeOf(node) || notReached.has(id)) continue;
      if (!this.#reach.needed.has(id) && !delivers(node)) continue;
      const index = Math.max(0, ...operandsOf(node).map((operand) => momentOf.get(operand) ?? 0));
      momentOf.set(id, index);
      if (delivers(node)) moments[index]?.deliveries.push(id);
      else if (node.kind !== 'constant' && node.kind !== 'earlier') moments[index]?.operations.push(id);
    }
  }

  /** The parts of the model to run up to `end`, found from the last to the first, for each tells what it needs. */
  #segments(end: number, moments: readonly PlannedMoment[], writes: Versions): PlannedSegment[] {
    const { ranges } = this.#model;
    const cuts = this.#cuts(end, writes).filter((cut) => cut <= end);
    const wanted = new Set<ValueKey>();
    for (const moment of moments) {
      for (const read of moment.reads) for (const key of read.keys) wanted.add(key);
      for (const { partial, before } of moment.writes) if (partial || this.#batched) wanted.add(before);
    }
    const whole = writes.any ? undefined : asWholePass(this.#model, this.#tokens, end, wanted);
    if (whole) return [this.#whole(whole, wanted)];
    const segments: PlannedSegment[] = [];
    for (let index = cuts.length - 2; index >= 0; index--) {
      const [from = 0, to = 0] = [cuts[index], cuts[index + 1]];
      const fetches = ranges.made(from, to).filter((value) => wanted.has(value));
      if (fetches.length === 0) continue;
      const leaving = this.#isWholeBlock(from, to) ? ranges.leaving(from, to) : [];
      const outputs = [...leaving, ...fetches.filter((value) => !leaving.includes(value))];
      const { feeds, versions } = this.#feeds(from, to, outputs, writes);
      for (const key of feeds.values()) wanted.add(key);
      const tail = tailIn(this.#model.tail, this.#model.graph, from, outputs);
      if (tail) feeds.set(POSITIONS, POSITIONS);
      segments.push({ kind: 'segment', spec: { from, to, outputs, versions, tail }, feeds, fetches });
    }
    return segments.reverse();
  }

  /** What is computed behind the last block, where the graph only looks at some positions of it, and changes nothing there. */
  #picked(moments: readonly Moment[], segments: readonly PlannedSegment[]): Picked | undefined {
    const { tail, graph, types } = this.#model;
    const looking = this.#looking;
    if (!tail || !looking) return undefined;
    const isBehind = (value: string): boolean => graph.producer(value) >= tail.from;
    if (moments.some(({ writes }) => writes.some(({ of }) => isBehind(of)))) return undefined;
    const makers = segments.filter(({ fetches }) => fetches.some(isBehind));
    if (!makers.every(({ spec }) => spec.tail)) return undefined;
    const reads = moments.flatMap(({ reads }) =>
      reads.flatMap(({ node, of, tuple }): TailRead[] => {
        const known = [...of.entries()].filter(([, value]) => isBehind(value));
        const ranks = new Map(known.map(([member, value]) => [member, types.get(value)?.dims.length ?? 0]));
        return ranks.size > 0 ? [{ node, invoke: this.#invokeOf(node), tuple, ranks }] : [];
      }),
    );
    const acts = (id: number): boolean => {
      const node = this.#nodes[id];
      return this.#reach.needed.has(id) || (node !== undefined && delivers(node));
    };
    const rows = positionsOf(reads, { ...looking, nodes: this.#nodes, acts });
    const values = new Set(makers.flatMap(({ fetches }) => fetches.filter(isBehind)));
    return rows && values.size > 0 ? { rows, values } : undefined;
  }

  #invokeOf(node: number): number {
    const read = this.#nodes[node];
    return read?.kind === 'read' ? (read.place.invoke ?? 0) : 0;
  }

  #whole(spec: SegmentSpec, wanted: ReadonlySet<ValueKey>): PlannedSegment {
    const feeds = new Map(this.#model.graph.inputs.map((name) => [name, name]));
    if (spec.tail) feeds.set(POSITIONS, POSITIONS);
    return { kind: 'segment', spec, feeds, fetches: spec.outputs.filter((value) => wanted.has(value)) };
  }

  /** Where the model is cut for this run: the borders of its blocks, the writes, and the end of the pass. */
  #cuts(end: number, writes: Versions): number[] {
    const { blockBorders, graph } = this.#model;
    return [...new Set([0, ...blockBorders, ...writes.boundaries(), end, graph.nodes.length])].sort(
      (a, b) => a - b,
    );
  }

  #isWholeBlock(from: number, to: number): boolean {
    const borders = [0, ...this.#model.blockBorders, this.#model.graph.nodes.length];
    const index = borders.indexOf(from);
    return index >= 0 && borders[index + 1] === to;
  }

  /** What a segment takes, and where its nodes see different versions of one value. */
  #feeds(from: number, to: number, outputs: readonly string[], writes: Versions) {
    const feeds = new Map<string, ValueKey>();
    const names = new Map<string, string>();
    const versions = new Map<string, string>();
    for (const { node, value } of this.#model.ranges.uses(from, to, outputs)) {
      refuseUnset(writes.unsetIn(node, value));
      const key = writes.usedBy(node, value);
      // The first version met keeps the value's name, so that a block fed with a written value is the same segment.
      const name = names.get(`${value} ${key}`) ?? (feeds.has(value) ? `${value}#${names.size}` : value);
      names.set(`${value} ${key}`, name);
      feeds.set(name, key);
      if (name !== value) versions.set(versionKey(node, value), name);
    }
    return { feeds, versions };
  }
}

/** Why a read finds no value, if it doesn't. */
function whyUnset(hook: Hook | undefined, writes: Versions): string | undefined {
  for (const value of hook ? valuesAt(hook) : []) {
    const why = hook && writes.unsetFor(hook, value);
    if (why !== undefined) return why;
  }
  return undefined;
}

function refuseUnset(why: string | undefined): void {
  if (why === undefined) return;
  const message = `A part of the pass that must run needs a value that isn’t there: ${why}. Give the skip a tuple of all outputs.`;
  throw new TracewireError({ code: 'unset', message });
}

/** How many values a tuple has that a node gives; undefined for one tensor. */
function tupleLength(
  id: number,
  nodes: readonly GraphNode[],
  model: Model,
  earlier: readonly Graph[],
): number | undefined {
  const node = nodes[id];
  if (node?.kind === 'call') return node.inputs.length > 1 ? node.inputs.length : undefined;
  if (node?.kind === 'earlier')
    return tupleLength(node.node, earlier[node.trace]?.nodes ?? [], model, earlier);
  if (node?.kind === 'operator') {
    const count = operatorFacts(node.operator)?.outputs.length ?? 1;
    return count > 1 ? count : undefined;
  }
  if (node?.kind !== 'read' || node.place.port !== 'output' || node.place.member !== undefined)
    return undefined;
  const { outputs = [] } = model.tree.modules.get(node.place.module) ?? {};
  return outputs.length > 1 ? outputs.length : undefined;
}

/** A read's versions of its place's values. */
function plannedRead(hook: Hook, writes: Versions): MomentDraft['reads'][number] {
  const values = valuesAt(hook);
  const tuple = values.length > 1;
  return { node: hook.node, keys: values.map((value) => writes.seenBy(hook, value)), of: values, tuple };
}

/** Puts each segment before the first moment that lies behind its beginning. */
function interleave(
  moments: readonly PlannedMoment[],
  segments: readonly PlannedSegment[],
): (PlannedSegment | Moment)[] {
  const steps: (PlannedSegment | Moment)[] = [];
  let from = 0;
  for (const { boundary, ...moment } of moments) {
    steps.push(...segments.filter(({ spec }) => spec.from >= from && spec.from < boundary), moment);
    from = Math.max(from, boundary);
  }
  return steps;
}

/** Versions whose version before feeds no segment and no other write, and isn't read after them. */
function unshared(moments: readonly Moment[], segments: readonly PlannedSegment[]): Set<ValueKey> {
  const uses = new Map<ValueKey, number>();
  const count = (key: ValueKey, by: number): void => void uses.set(key, (uses.get(key) ?? 0) + by);
  for (const { feeds } of segments) for (const key of feeds.values()) count(key, 1);
  for (const { writes } of moments) for (const { before } of writes) count(before, 1);
  const alone = new Set<ValueKey>();
  for (const { reads, writes } of moments.toReversed()) {
    for (const { before, after } of writes) if (uses.get(before) === 1) alone.add(after);
    for (const { keys } of reads) for (const key of keys) count(key, 1);
  }
  return alone;
}

type PlannedMoment = Moment & { readonly boundary: number };

interface MomentDraft {
  kind: 'moment';
  boundary: number;
  reads: { node: number; keys: ValueKey[]; of: readonly string[]; tuple: boolean }[];
  operations: number[];
  deliveries: number[];
  writes: readonly PlannedWrite[];
}

const draft = (boundary: number): MomentDraft => ({
  kind: 'moment',
  boundary,
  reads: [],
  operations: [],
  deliveries: [],
  writes: [],
});

/** Each pass of a generation asks of the same segments. */
function remembered(count: Plan['modulesRun']): Plan['modulesRun'] {
  const counts = new Map<string, number>();
  return (ran) => {
    const key = ran.map(({ from }) => from).join();
    const known = counts.get(key) ?? count(ran);
    counts.set(key, known);
    return known;
  };
}
