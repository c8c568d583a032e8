/**
 * The module tree of an exported graph: what each module takes and gives, and the one total order of hook
 * points. A module's outputs are the floating-point values made inside it and used outside, or graph outputs;
 * int64 shape values that cross its border are none.
 */
import { DTYPES } from '@tracewire/protocol';
import { activationsOf, type ModelGraph } from './onnx/graph.ts';
import type { ValueType } from './runtime/runtime.ts';
import { scopesOf } from './scopes.ts';

export interface Module {
  /** Dotted, as in the checkpoint; the empty string is the whole model. */
  readonly path: string;
  readonly class: string | undefined;
  /** Indices of the module's nodes, those of modules inside it included, ascending. */
  readonly nodes: readonly number[];
  /** The value that flows in; undefined where the module takes no activation. */
  readonly input: string | undefined;
  /** All activations it takes, in order of use. */
  readonly inputs: readonly string[];
  /** The value that flows on first, the rest in the order they are made. */
  readonly outputs: readonly string[];
}

/** A hook's place in the run: it acts before the node at `boundary`. */
export interface HookPoint {
  readonly module: Module;
  readonly port: 'input' | 'output';
  /** Index of the first node that runs after it. */
  readonly boundary: number;
}

export interface ModuleTree {
  readonly modules: ReadonlyMap<string, Module>;
  /** The total order: a hook point's index is its rank. */
  readonly hookPoints: readonly HookPoint[];
  /** The repeated blocks, in order. */
  readonly blocks: readonly Module[];
  /** The modules that a node is inside of, outermost first, the root left out. */
  readonly scopes: readonly (readonly string[])[];
}

export function buildModuleTree(graph: ModelGraph, types: ReadonlyMap<string, ValueType>): ModuleTree {
  const members = new Map<string, { nodes: number[]; class: string | undefined }>();
  members.set('', { nodes: [...graph.nodes.keys()], class: undefined });
  const scopes = scopesOf(graph).map((scope, index) => {
    for (const [depth, path] of scope.path.entries()) {
      const known = members.get(path);
      if (known) known.nodes.push(index);
      else members.set(path, { nodes: [index], class: scope.classes?.[depth] });
    }
    return scope.path;
  });
  const modules = new Map(
    [...members].map(([path, { nodes, class: name }]) => [
      path,
      { path, class: name, nodes, ...borders(graph, types, nodes) },
    ]),
  );
  return {
    modules,
    hookPoints: orderHookPoints(graph, modules.values()),
    blocks: findBlocks(modules),
    scopes,
  };
}

/** Whether `path` is `outer` or a module inside it. */
export function isInside(path: string, outer: string): boolean {
  return outer === '' || path === outer || path.startsWith(`${outer}.`);
}

type Borders = Pick<Module, 'input' | 'inputs' | 'outputs'>;

function borders(
  graph: ModelGraph,
  types: ReadonlyMap<string, ValueType>,
  nodes: readonly number[],
): Borders {
  const inside = new Set(nodes);
  const isFloat = (value: string): boolean => DTYPES[types.get(value)?.dtype ?? 'bool'].kind === 'float';
  const inputs = new Set<string>();
  const outputs: string[] = [];
  for (const index of nodes) {
    const node = graph.nodes[index];
    if (!node) continue;
    for (const value of activationsOf(graph, node)) if (!inside.has(graph.producer(value))) inputs.add(value);
    for (const value of node.output) {
      const leaves =
        graph.isOutput(value) || graph.consumers(value).some((consumer) => !inside.has(consumer));
      if (leaves && isFloat(value)) outputs.push(value);
    }
  }
  const taken = [...inputs];
  const isActivation = (value: string): boolean =>
    !isCache(value) &&
    (isFloat(value) || (types.get(value)?.dims.some((dim) => typeof dim === 'string') ?? false));
  const input = taken.find((value) => isActivation(value) && isFloat(value)) ?? taken.find(isActivation);
  return { input, inputs: taken, outputs: orderOutputs(graph, keepDependent(graph, nodes, input, outputs)) };
}

/** The key/value cache is fed, but it isn't what flows through a module. */
function isCache(value: string): boolean {
  return value.startsWith('past_key_values');
}

/**
 * Exporters compute once, in the first block, what all blocks share (a mask, rotary angles). Such a value is
 * made inside a module but doesn't depend on what flows in, so it isn't the module's to give.
 */
function keepDependent(
  graph: ModelGraph,
  nodes: readonly number[],
  input: string | undefined,
  outputs: readonly string[],
): readonly string[] {
  if (input === undefined) return outputs;
  const dependent = new Set([input]);
  for (const index of nodes) {
    const node = graph.nodes[index];
    // A mask or a bias made to an activation's size takes nothing else of it.
    if (node?.op_type === 'Shape' || node?.op_type === 'Size') continue;
    if (node?.input.some((value) => dependent.has(value)))
      for (const value of node.output) dependent.add(value);
  }
  const kept = outputs.filter((value) => dependent.has(value));
  return kept.length > 0 ? kept : outputs;
}

/** First what flows on to later modules, in the order it is made; then what the model gives, in the model's order. */
function orderOutputs(graph: ModelGraph, outputs: readonly string[]): readonly string[] {
  const given = graph.outputs.filter((value) => outputs.includes(value));
  return [...outputs.filter((value) => !graph.isOutput(value)), ...given];
}

function orderHookPoints(graph: ModelGraph, modules: Iterable<Module>): HookPoint[] {
  const points: HookPoint[] = [];
  for (const module of modules) {
    if (module.outputs.length > 0) {
      const boundary = Math.max(...module.outputs.map((value) => graph.producer(value))) + 1;
      points.push({ module, port: 'output', boundary });
    }
    if (module.input !== undefined) {
      const inside = new Set(module.nodes);
      const boundary = graph.consumers(module.input).find((consumer) => inside.has(consumer)) ?? 0;
      points.push({ module, port: 'input', boundary });
    }
  }
  return points.sort(compareHookPoints);
}

/** Modules that share one value give it inner first, and take it outer first. */
function compareHookPoints(a: HookPoint, b: HookPoint): number {
  if (a.boundary !== b.boundary) return a.boundary - b.boundary;
  if (a.port !== b.port) return a.port === 'output' ? -1 : 1;
  const deeper = depth(b.module.path) - depth(a.module.path);
  if (deeper !== 0) return a.port === 'output' ? deeper : -deeper;
  return a.module.path < b.module.path ? -1 : 1;
}

const depth = (path: string): number => (path === '' ? 0 : path.split('.').length);

/** The list of numbered modules (`transformer.h.0`, `.1`, …) that holds most of the graph. */
function findBlocks(modules: ReadonlyMap<string, Module>): Module[] {
  const lists = new Map<string, Module[]>();
  for (const module of modules.values()) {
    const list = /^(.*)\.(\d+)$/.exec(module.path);
    if (!list || module.outputs.length === 0) continue;
    const name = list[1] ?? '';
    lists.set(name, [...(lists.get(name) ?? []), module]);
  }
  const size = (list: readonly Module[]): number =>
    list.reduce((sum, module) => sum + module.nodes.length, 0);
  const blocks = [...lists.values()].sort((a, b) => size(b) - size(a))[0] ?? [];
  return blocks.sort((a, b) => Number(a.path.split('.').at(-1)) - Number(b.path.split('.').at(-1)));
}
