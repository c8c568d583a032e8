/** Which module each node of an exported graph came from, as the exporters record it. */
import type { ModelDescription } from '@tracewire/protocol';
import { activationsOf, type ModelGraph } from './onnx/graph.ts';
import type { NodeProto } from './onnx/schema.ts';

/** The chain of modules a node runs in, outermost first, without the root; and their classes where told. */
export interface Scope {
  readonly path: readonly string[];
  readonly classes?: readonly (string | undefined)[];
}

const DYNAMO_SCOPES = 'pkg.torch.onnx.name_scopes';
/** What torch writes for nodes that it made outside any module. */
const NO_MODULE = '_empty_nn_module_stack_from_metadata_hook';
const DYNAMO_CLASSES = 'pkg.torch.onnx.class_hierarchy';

export function exporterOf(nodes: readonly NodeProto[]): ModelDescription['exporter'] {
  if (nodes.some((node) => metadata(node, DYNAMO_SCOPES) !== undefined)) return 'dynamo';
  return nodes.some((node) => node.name.startsWith('/')) ? 'torchscript' : 'other';
}

/** Every node's scope, in the order of the nodes. */
export function scopesOf(graph: ModelGraph): Scope[] {
  const told = graph.nodes.map(toldScope);
  // No scopes at all: each value is a module of its own, called by its name.
  if (told.every((scope) => scope === undefined))
    return graph.nodes.map(({ output }) => ({ path: output.slice(0, 1).filter((name) => name !== '') }));
  const scopes: Scope[] = [];
  for (const [index, scope] of told.entries()) scopes.push(scope ?? adoptedScope(graph, index, scopes, told));
  return scopes;
}

/**
 * Nodes that may be whole modules and tell nothing: a quantizer drops what the dynamo exporter recorded of the nodes that it
 * rewrites. They are those that compute with a weight, and what tells nothing around them. Which module a value next to
 * one belongs to, nobody knows.
 */
export function unattributedNodes(graph: ModelGraph): ReadonlySet<number> {
  const found = new Set<number>();
  if (exporterOf(graph.nodes) !== 'dynamo') return found;
  const untold = new Set(
    [...graph.nodes.keys()].filter((index) => !toldScope(graph.nodes[index] as NodeProto)),
  );
  const waiting = [...untold].filter((index) => hasWeight(graph, graph.nodes[index]));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    const node = graph.nodes[next];
    const makers = activationsOf(graph, node).map((value) => graph.producer(value));
    const users = node?.output.flatMap((value) => graph.consumers(value)) ?? [];
    waiting.push(...[...makers, ...users].filter((index) => untold.has(index)));
  }
  return found;
}

const hasWeight = (graph: ModelGraph, node: NodeProto | undefined): boolean =>
  node?.input.some((name) => (graph.initializers.get(name)?.dims.length ?? 0) > 1) ?? false;

/** The scope that a node itself tells; undefined where an optimizer made the node and told nothing. */
function toldScope(node: NodeProto): Scope | undefined {
  return dynamoScope(node) ?? slashScope(node.name);
}

/**
 * A node that tells nothing belongs where all that it is between belongs: a `Split` that an optimizer made of
 * what `attn.c_attn` gives to `attn` is a part of `attn`.
 */
function adoptedScope(
  graph: ModelGraph,
  index: number,
  before: readonly Scope[],
  told: readonly (Scope | undefined)[],
): Scope {
  const node = graph.nodes[index];
  const makers = activationsOf(graph, node).map((value) => before[graph.producer(value)]);
  const users = (node?.output ?? []).flatMap((value) => graph.consumers(value).map((user) => told[user]));
  const around = [...makers, ...users].filter((scope) => scope !== undefined);
  const [first = { path: [] }, ...others] = around;
  let length = first.path.length;
  for (const { path } of others) {
    const differs = path.findIndex((name, depth) => name !== first.path[depth]);
    length = Math.min(length, differs < 0 ? path.length : differs);
  }
  return { path: first.path.slice(0, length), classes: first.classes?.slice(0, length) ?? [] };
}

/**
 * `/transformer/h.0/attn/c_attn/MatMul`: the TorchScript exporter and the model builders put the modules into
 * the node's name, each segment relative to the one before; the last segment is the operator's.
 */
function slashScope(name: string): Scope | undefined {
  if (!name.startsWith('/')) return undefined;
  const segments = name.slice(1).split('/').slice(0, -1);
  return { path: segments.map((_, index) => segments.slice(0, index + 1).join('.')) };
}

/** The dynamo exporter lists full paths, the root's empty one first and the operator's own name last. */
function dynamoScope(node: NodeProto): Scope | undefined {
  const scopes = metadata(node, DYNAMO_SCOPES);
  if (scopes === undefined) return undefined;
  const all = pythonStrings(scopes).slice(0, -1);
  const classes = pythonStrings(metadata(node, DYNAMO_CLASSES) ?? '[]');
  const kept = all
    .map((path, index) => ({ path, class: shortClass(classes[index]) }))
    .filter(({ path }) => path !== '' && path !== NO_MODULE);
  return { path: kept.map(({ path }) => path), classes: kept.map((entry) => entry.class) };
}

function metadata(node: NodeProto, key: string): string | undefined {
  return node.metadata_props?.find((entry) => entry.key === key)?.value;
}

/** The strings of a Python list's repr. */
function pythonStrings(repr: string): string[] {
  return [...repr.matchAll(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/g)].map(
    (match) => match[1] ?? match[2] ?? '',
  );
}

const shortClass = (name: string | undefined): string | undefined => name?.split('.').at(-1);
