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

/**
 * The versions that writes make of the model's values, and who sees which. Writing an output changes what is
 * outside the module; writing an input what is inside.
 */
export class Versions {
  readonly #writes: readonly WriteHook[];
  readonly #model: Model;

  constructor(writes: readonly WriteHook[], model: Model) {
    this.#writes = writes;
    this.#model = model;
    for (const write of writes) this.#refusePartial(write);
  }

  boundaries(): number[] {
    return this.#writes.map((write) => write.point.boundary);
  }

  /** The version that a node of the model uses. */
  usedBy(node: number, value: string): ValueKey {
    const modules = this.#model.tree.scopes[node] ?? [];
    return this.#last(value, (write) => write.point.boundary <= node && reaches(write, modules));
  }

  /** The version that a hook sees: as a consumer inside its module for an input, outside it for an output. */
  seenBy(hook: Hook, value: string): ValueKey {
    const inside = ancestors(hook.point.module);
    const modules = hook.place.port === 'input' ? inside : inside.slice(0, -1);
    return this.#last(value, (write) => isBefore(write, hook) && reaches(write, modules));
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

  #last(value: string, applies: (write: WriteHook) => boolean): ValueKey {
    const write = this.#writes.findLast((write) => write.value === value && applies(write));
    return write ? versionOf(write.node, value) : value;
  }

  /** A write must come before all that should see it; where the exporter moved a node ahead, it can't. */
  #refusePartial(write: WriteHook): void {
    const { graph, tree } = this.#model;
    const early = graph
      .consumers(write.value)
      .find((node) => node < write.point.boundary && reaches(write, tree.scopes[node] ?? []));
    if (early === undefined) return;
    throw new TracewireError({
      code: 'no_hook',
      message: `${describePlace(write.place)} can’t be written: ${graph.nodes[early]?.name} uses the value before the module ends.`,
      node: write.node,
      path: write.place.module,
    });
  }
}

const versionOf = (write: number, value: string): ValueKey => `${value}@${write}`;

function isBefore(write: WriteHook, hook: Hook): boolean {
  return compareHooks(write, hook) < 0;
}

/** Whether a write is seen from within these modules, outermost first. */
function reaches({ place }: WriteHook, modules: readonly string[]): boolean {
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
