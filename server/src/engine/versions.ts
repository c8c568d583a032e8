/**
 * Which version of a value everyone sees. Several modules may share one ONNX value, and a write changes it only
 * for some: writing an output for what is outside the module, writing an input for what is inside.
 */
import {
  describePlace,
  type GraphNode,
  isInside,
  type NodeOf,
  type Place,
  type Selection,
  TracewireError,
} from '@tracewire/protocol';
import { AXES } from './feeds.ts';
import type { Model } from './model.ts';
import type { HookPoint, Module } from './modules.ts';

/** A value in the run's environment: the model's own, or a version that a write made of it. */
export type ValueKey = string;

/** A read, write or skip of the graph at its hook point. */
export interface Hook {
  readonly node: number;
  readonly place: Place;
  readonly point: HookPoint;
  readonly rank: number;
  /** A skip's: whatever else there is at its place sees the value that stands for the module. */
  readonly first: boolean;
}

/** The order in which hooks act: by place, at one place by invoke, a skip first, then as the program has them. */
export function compareHooks(a: Hook, b: Hook): number {
  const invokes = (a.place.invoke ?? 0) - (b.place.invoke ?? 0);
  return a.rank - b.rank || invokes || Number(b.first) - Number(a.first) || a.node - b.node;
}

export interface PlannedWrite {
  readonly node: number;
  readonly place: Place;
  /** The node whose value is written; of a tuple that stands for a skipped module's outputs, the member. */
  readonly value: number;
  readonly member: number | undefined;
  readonly selection: Selection | undefined;
  /** The node whose value says where to write. */
  readonly mask: number | undefined;
  /** Whether something of the version before stays, so that it must be there. */
  readonly partial: boolean;
  /** The model's value there. */
  readonly of: string;
  /** The version before, which a selection changes a part of. */
  readonly before: ValueKey;
  readonly after: ValueKey;
}

/** The model's values at a hook's place: one, or a tuple's. */
export function valuesAt({ place, point }: Hook): readonly string[] {
  const { inputs, outputs } = point.module;
  const { port, member, source } = place;
  if (port === 'input') return inputs.slice(member ?? 0, (member ?? 0) + 1);
  const all = port === 'output' ? outputs : source === undefined ? [] : [source];
  return member === undefined ? all : all.slice(member, member + 1);
}

/** A change of one of the model's values. */
export type WriteHook = Hook & {
  readonly value: string;
  /** From here on nobody gives the value. */
  readonly unset?: boolean;
};

/**
 * What a skip changes: as if each output of the module were written before all else there, so that nothing of its inside
 * is needed. A single tensor stands for the first output, and the others have no value.
 */
export function skipWrites(hook: Hook, given: number | undefined): WriteHook[] {
  const { module } = hook.point;
  return module.outputs.map((value, member) => ({
    ...hook,
    place: { module: module.path, port: 'output', member, invoke: hook.place.invoke },
    value,
    unset: member >= (given ?? 1),
  }));
}

/** A hook point at which a value is written, with its writes in their order: all of them are seen alike. */
interface Site {
  readonly place: Place;
  readonly point: HookPoint;
  readonly rank: number;
  readonly writes: WriteHook[];
}

/**
 * The versions that writes make of the model's values, and who sees which. Writing an output changes what is
 * outside the module; writing an input what is inside; writing an inner value all that use it.
 */
export class Versions {
  /** By value, in the model's order. There are few of a value, however many writes a graph has. */
  readonly #sites = new Map<string, Site[]>();
  /** Outputs of skipped modules that were given no value. */
  readonly #unset = new Map<string, WriteHook[]>();
  /** The writes that give a value, by the graph's node. */
  readonly #byNode = new Map<number, WriteHook[]>();
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
    const modules = this.#around(hook);
    const site = this.#sites
      .get(value)
      ?.findLast((candidate) => lastBefore(candidate, hook) && reaches(candidate.place, modules));
    return versionOf(site && lastBefore(site, hook)?.node, value);
  }

  /** Why a hook finds no value, if it finds none: a skip before it, of its invoke, left that out. */
  unsetFor(hook: Hook, value: string): string | undefined {
    const { invoke = 0 } = hook.place;
    const modules = this.#around(hook);
    return whyUnset(
      this.#withUnset(value).findLast(
        (write) =>
          (write.place.invoke ?? 0) === invoke &&
          compareHooks(write, hook) < 0 &&
          reaches(write.place, modules),
      ),
    );
  }

  /** Why a node of the model would use a value that isn't there for some invoke. */
  unsetIn(node: number, value: string): string | undefined {
    const modules = this.#model.tree.scopes[node] ?? [];
    const latest = new Map<number, WriteHook>();
    for (const write of this.#withUnset(value)) {
      const seen = write.point.boundary <= node && reaches(write.place, modules);
      if (seen) latest.set(write.place.invoke ?? 0, write);
    }
    return [...latest.values()].map(whyUnset).find((why) => why !== undefined);
  }

  /** The writes to a value that some skip left without one, in their order; none of any other value. */
  #withUnset(value: string): readonly WriteHook[] {
    const unset = this.#unset.get(value);
    if (!unset) return [];
    const set = (this.#sites.get(value) ?? []).flatMap(({ writes }) => writes);
    return [...set, ...unset].sort(compareHooks);
  }

  /** What a write or skip does to the model's values. */
  planned(hook: Hook, nodes: readonly GraphNode[]): PlannedWrite[] {
    const node = nodes[hook.node];
    const how = (write: WriteHook) =>
      node?.kind === 'skip' ? { value: node.value, member: write.place.member } : node;
    return (this.#byNode.get(hook.node) ?? []).map((write) => {
      const said = how(write);
      if (!said || !('value' in said) || said.value === undefined)
        throw new Error(`Node ${hook.node} is no write.`);
      return this.#planned(write, { ...said, value: said.value });
    });
  }

  #planned(
    { node, place, value: of, ...hook }: WriteHook,
    how: Pick<NodeOf<'write'>, 'value' | 'selection' | 'mask'> & { readonly member?: number | undefined },
  ): PlannedWrite {
    const { value, member, selection, mask } = how;
    const partial = mask !== undefined || (selection !== undefined && !this.#isWhole(selection, of));
    const at = { node, place, ...hook };
    const unset = partial ? this.unsetFor(at, of) : undefined;
    if (unset !== undefined) {
      const message = `A part of ${describePlace(place)} can’t be written: ${unset}.`;
      throw new TracewireError({ code: 'unset', message, node, path: place.module });
    }
    const before = this.seenBy(at, of);
    return { node, place, value, member, selection, mask, partial, of, before, after: versionOf(node, of) };
  }

  /** Whether a selection takes all of a value whose sizes are known before it is there. */
  #isWhole(selection: Selection, value: string): boolean {
    const dims = this.#model.types.get(value)?.dims;
    const known = dims?.every((dim) => typeof dim === 'number' || AXES.some(({ name }) => name === dim));
    const whole = selection.every(
      (entry) => typeof entry !== 'number' && Object.values(entry).every((bound) => bound === undefined),
    );
    return (
      known === true && dims !== undefined && dims.length > 0 && selection.length <= dims.length && whole
    );
  }

  /** The modules from within which a hook sees a value. */
  #around({ point, place }: Hook): readonly string[] {
    const inside = ancestors(point.module);
    return place.port === 'input' ? inside : inside.slice(0, -1);
  }

  #add(write: WriteHook): void {
    if (write.unset) {
      this.#unset.set(write.value, [...(this.#unset.get(write.value) ?? []), write]);
      return;
    }
    this.#byNode.set(write.node, [...(this.#byNode.get(write.node) ?? []), write]);
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

const whyUnset = (write: WriteHook | undefined): string | undefined =>
  write?.unset
    ? `${write.place.module} was skipped, and the value that stands for it is its first output alone`
    : undefined;

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
  if (place.port === 'source') return true;
  return place.port === 'input' ? inside : !inside || place.module === '';
}

/** A module and those it is inside of, outermost first. */
function ancestors(module: Module): string[] {
  const parts = module.path.split('.');
  return parts
    .map((_, index) => parts.slice(0, index + 1).join('.'))
    .filter((path) => isInside(module.path, path));
}
