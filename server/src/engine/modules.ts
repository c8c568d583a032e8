/**
 * The module tree of an exported graph: what each module takes and gives, and the one total order of hook
 * points. A module's outputs are the floating-point values made inside it and used outside, or graph outputs;
 * int64 shape values that cross its border are none.
 */
import { DTYPES, type Port } from '@tracewire/protocol';
import { activationsOf, type ModelGraph } from './onnx/graph.ts';
import type { ValueType } from './runtime/runtime.ts';
import { scopesOf, unattributedNodes } from './scopes.ts';

export interface Module {
  /** Dotted, as in the checkpoint; the empty string is the whole model. */
  readonly path: string;
  readonly class: string | undefined;
  /** Indices of the module's nodes, those of modules inside it included, ascending. */
  readonly nodes: readonly number[];
  /** All activations it takes when it begins: the one that flows in first, the rest in order of use. */
  readonly inputs: readonly string[];
  /** The value that flows on first, the rest in the order they are made. */
  readonly outputs: readonly string[];
  /** What its own nodes make, those of modules inside it left out. */
  readonly sources: readonly string[];
  /** It has a border beside nodes that tell no module: what it takes or gives is not known, and left out. */
  readonly doubtful?: true;
}

/** A hook's place in the run: it acts before the node at `boundary`. */
export interface HookPoint {
  readonly module: Module;
  readonly port: Port;
  /** The value, with the port `source`. */
  readonly source?: string;
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
  const made = sourcesOf(graph, types, scopes);
  const unattributed = unattributedNodes(graph);
  const modules = new Map(
    [...members].map(([path, { nodes, class: name }]): [string, Module] => {
      const known = knownBorders(graph, borders(graph, types, nodes), path === '' ? NONE : unattributed);
      return [path, { path, class: name, nodes, ...known, sources: made.get(path) ?? [] }];
    }),
  );
  return {
    modules,
    hookPoints: orderHookPoints(graph, modules.values()),
    blocks: findBlocks(modules),
    scopes,
  };
}

const NONE: ReadonlySet<number> = new Set();

/** Without the ports that lie beside a node of no known module. */
function knownBorders(
  graph: ModelGraph,
  { inputs, outputs }: Borders,
  unattributed: ReadonlySet<number>,
): Borders & Pick<Module, 'doubtful'> {
  if (unattributed.size === 0) return { inputs, outputs };
  const isKnown = (value: string): boolean =>
    ![graph.producer(value), ...graph.consumers(value)].some((node) => unattributed.has(node));
  const known = {
    inputs: inputs.slice(0, 1).every(isKnown) ? inputs : [],
    outputs: outputs.every(isKnown) ? outputs : [],
  };
  return known.inputs === inputs && known.outputs === outputs ? known : { ...known, doubtful: true };
}

/**
 * More values than this are not described one by one: a description must fit a message (200 000 values in a header).
 * Then those that hold sizes and positions are left out, which TorchScript's exports are full of.
 */
const MOST_SOURCES = 12_000;

/** The values that each module's own nodes make, in the order they are made. */
function sourcesOf(
  graph: ModelGraph,
  types: ReadonlyMap<string, ValueType>,
  scopes: readonly (readonly string[])[],
): Map<string, readonly string[]> {
  const all = graph.nodes.flatMap((node, index) =>
    node.output
      .filter((value) => value !== '' && types.has(value))
      .map((value) => ({ module: scopes[index]?.at(-1) ?? '', value })),
  );
  const kept =
    all.length <= MOST_SOURCES
      ? all
      : all.filter(({ value }) => isFloat(types, value) || varies(types, value));
  const sources = new Map<string, string[]>();
  for (const { module, value } of kept) sources.set(module, [...(sources.get(module) ?? []), value]);
  return sources;
}

const isFloat = (types: ReadonlyMap<string, ValueType>, value: string): boolean =>
  DTYPES[types.get(value)?.dtype ?? 'bool'].kind === 'float';

/** Whether an axis goes with the input, as activations' do and those of sizes don't. */
const varies = (types: ReadonlyMap<string, ValueType>, value: string): boolean =>
  types.get(value)?.dims.some((dim) => typeof dim === 'string') ?? false;

type Borders = Pick<Module, 'inputs' | 'outputs'>;

function borders(
  graph: ModelGraph,
  types: ReadonlyMap<string, ValueType>,
  nodes: readonly number[],
): Borders {
  const inside = new Set(nodes);
  const inputs = new Set<string>();
  const outputs: string[] = [];
  for (const index of nodes) {
    const node = graph.nodes[index];
    if (!node) continue;
    for (const value of activationsOf(graph, node)) if (!inside.has(graph.producer(value))) inputs.add(value);
    for (const value of node.output) {
      const leaves =
        graph.isOutput(value) || graph.consumers(value).some((consumer) => !inside.has(consumer));
      if (leaves && isFloat(types, value)) outputs.push(value);
    }
  }
  const taken = [...inputs].filter((value) => isFloat(types, value) || varies(types, value));
  const flowing = taken.filter((value) => !isCache(value));
  const input = flowing.find((value) => isFloat(types, value)) ?? flowing[0];
  return {
    inputs: input === undefined ? [] : [input, ...othersThere(graph, nodes, input, taken)],
    outputs: orderOutputs(graph, keepDependent(graph, nodes, input, outputs)),
  };
}

/** What else a module takes, as far as it exists when the module begins: when `input` is first used. */
function othersThere(
  graph: ModelGraph,
  nodes: readonly number[],
  input: string,
  taken: readonly string[],
): readonly string[] {
  const begins = firstUse(graph, new Set(nodes), input);
  return taken.filter((value) => value !== input && graph.producer(value) < begins);
}

function firstUse(graph: ModelGraph, inside: ReadonlySet<number>, value: string): number {
  return graph.consumers(value).find((consumer) => inside.has(consumer)) ?? 0;
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
    const [input] = module.inputs;
    if (input !== undefined) {
      points.push({ module, port: 'input', boundary: firstUse(graph, new Set(module.nodes), input) });
    }
    for (const source of module.sources) {
      points.push({ module, port: 'source', source, boundary: graph.producer(source) + 1 });
    }
  }
  return points.sort(compareHookPoints);
}

/** Modules that share one value give it inner first, and take it outer first; before that it is what made it. */
function compareHookPoints(a: HookPoint, b: HookPoint): number {
  if (a.boundary !== b.boundary) return a.boundary - b.boundary;
  if (a.port !== b.port) return PORTS.indexOf(a.port) - PORTS.indexOf(b.port);
  // The outputs of one node, in its order: they were listed so, and sorting keeps that.
  if (a.port === 'source') return 0;
  const deeper = depth(b.module.path) - depth(a.module.path);
  if (deeper !== 0) return a.port === 'output' ? deeper : -deeper;
  return a.module.path < b.module.path ? -1 : 1;
}

const PORTS: readonly Port[] = ['source', 'output', 'input'];

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
