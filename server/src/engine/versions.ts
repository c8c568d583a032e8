/**
 * Which version of a value everyone sees. Several modules may share one ONNX value, and a write changes it only
 * for some: writing an output for what is outside the module, writing an input for what is inside.
 */
import {
  describePlace,
  type GraphNode,
  type Place,
  type Selection,
  TracewireError,
} from '@tracewire/protocol';
import type { Model } from './model.ts';
import { type HookPoint, isInside, type Module } from './modules.ts';

/** A value in the run's environment: the model's own, or a version that a write made of it. */
export type ValueKey = string;

/** A read or write of the graph at its hook point. */
export interface Hook {
  readonly node: number;
  readonly place: Place;
  readonly point: HookPoint;
  readonly rank: number;
}

/** The order in which hooks act: by place, at one place by invoke, then as the program has them. */
export function compareHooks(a: Hook, b: Hook): number {
  return a.rank - b.rank || (a.place.invoke ?? 0) - (b.place.invoke ?? 0) || a.node - b.node;
}

export interface PlannedWrite {
  readonly node: number;
  readonly place: Place;
  /** The node whose value is written. */
  readonly value: number;
  readonly selection: Selection | undefined;
  /** The model's value there. */
  readonly of: string;
  /** The version before, which a selection changes a part of. */
  readonly before: ValueKey;
  readonly after: ValueKey;
}

/** The model's values at a hook's place: one, or a tuple's. */
export function valuesAt({ place, point }: Hook): readonly string[] {
  const { input, outputs } = point.module;
  const all = place.port === 'input' ? (input === undefined ? [] : [input]) : outputs;
  return place.member === undefined ? all : all.slice(place.member, place.member + 1);
}

export type WriteHook = Hook & { readonly value: string };

/** A hook point at which a value is written, with its writes in their order: all of them are seen alike. */
interface Site {
  readonly place: Place;
  readonly point: HookPoint;
  readonly rank: number;
  readonly writes: WriteHook[];
}

/**
 * The versions that writes make of the model's values, and who sees which. Writing an output changes what is
 * outside the module; writing an input what is inside.
 */
export class Versions {
  /** By value, in the model's order. There are few of a value, however many writes a graph has. */
  readonly #sites = new Map<string, Site[]>();
  readonly #model: Model;

  /** `writes` are in the order in which they act. */
  constructor(writes: readonly WriteHook[], model: Model) {
    this.#model = model;
    for (const write of writes) this.#add(write);
  }

  get any(): boolean {
    return this.#sites.size > 0;
  }

  boundaries(): number[] {
    return [...this.#sites.values()].flatMap((sites) => sites.map(({ point }) => point.boundary));
  }

  /** The version that a node of the model uses. */
  usedBy(node: number, value: string): ValueKey {
    const modules = this.#model.tree.scopes[node] ?? [];
    const site = this.#sites
      .get(value)
      ?.findLast(({ place, point }) => point.boundary <= node && reaches(place, modules));
    return versionOf(site?.writes.at(-1)?.node, value);
  }

  /** The version that a hook sees: as a consumer inside its module for an input, outside it for an output. */
  seenBy(hook: Hook, value: string): ValueKey {
    const inside = ancestors(hook.point.module);
    const modules = hook.place.port === 'input' ? inside : inside.slice(0, -1);
    const site = this.#sites
      .get(value)
      ?.findLast((candidate) => lastBefore(candidate, hook) && reaches(candidate.place, modules));
    return versionOf(site && lastBefore(site, hook)?.node, value);
  }

  planned(hook: Hook, nodes: readonly GraphNode[]): PlannedWrite {
    const node = nodes[hook.node];
    const value = valuesAt(hook)[0];
    if (node?.kind !== 'write' || value === undefined) throw new Error(`Node ${hook.node} is no write.`);
    return {
      node: hook.node,
      place: hook.place,
      value: node.value,
      selection: node.selection,
      of: value,
      before: this.seenBy(hook, value),
      after: versionOf(hook.node, value),
    };
  }

  #add(write: WriteHook): void {
    const sites = this.#sites.get(write.value) ?? [];
    this.#sites.set(write.value, sites);
    const last = sites.at(-1);
    if (last?.rank === write.rank) {
      last.writes.push(write);
      return;
    }
    this.#refusePartial(write);
    sites.push({ place: write.place, point: write.point, rank: write.rank, writes: [write] });
  }

  /** A write must come before all that should see it; where the exporter moved a node ahead, it can't. */
  #refusePartial(write: WriteHook): void {
    const { graph, tree } = this.#model;
    const early = graph
      .consumers(write.value)
      .find((node) => node < write.point.boundary && reaches(write.place, tree.scopes[node] ?? []));
    if (early === undefined) return;
    throw new TracewireError({
      code: 'no_hook',
      message: `${describePlace(write.place)} can’t be written: ${graph.nodes[early]?.name} uses the value before the module ends.`,
      node: write.node,
      path: write.place.module,
    });
  }
}

const versionOf = (write: number | undefined, value: string): ValueKey =>
  write === undefined ? value : `${value}@${write}`;

/** The last write of a site that acts before a hook. */
function lastBefore({ writes }: Site, hook: Hook): WriteHook | undefined {
  let [from, to] = [0, writes.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    const write = writes[middle];
    if (write && compareHooks(write, hook) < 0) from = middle + 1;
    else to = middle;
  }
  return writes[from - 1];
}

/** Whether a write at a place is seen from within these modules, outermost first. */
function reaches(place: Place, modules: readonly string[]): boolean {
  const inside = place.module === '' || modules.includes(place.module);
  return place.port === 'input' ? inside : !inside || place.module === '';
}

/** A module and those it is inside of, outermost first. */
function ancestors(module: Module): string[] {
  const parts = module.path.split('.');
  return parts
    .map((_, index) => parts.slice(0, index + 1).join('.'))
    .filter((path) => isInside(module.path, path));
}
