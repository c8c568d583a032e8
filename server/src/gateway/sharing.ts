/**
 * Which waiting runs go through one pass together (PROTOCOL.md, section 6.6). It takes what is there when the model is free,
 * and waits for nobody.
 */
import type { ClientMessage, GraphNode, Input, Limits, ModelIndex, Place } from '@tracewire/protocol';
import { canBeJoined } from '../host/join.ts';

export const BATCHING = ['exact', 'shared'] as const;
export type Batching = (typeof BATCHING)[number];

/** What a run brings into a pass that it shares. */
export interface Share {
  /** Tokens, or what a text has at most. */
  readonly tokens: number;
  readonly nodes: number;
  /** What it looks at inside of blocks: a part of the model is made for that, so only runs that agree on it go together. */
  readonly inside: string;
}

/** Rows beyond which a pass gains little and every run in it waits for it. */
const MOST_RUNS = 16;
/** Tokens, padding counted, of which the same is true. */
const MOST_TOKENS = 512;
/** Padding that costs more than another pass saves: of more tokens than this… */
const FREE_TOKENS = 128;
/** … at most so many times those that are wanted. */
const PADDED = 1.5;
/** What a tokenizer adds to a text, such as a token for its beginning; each of the others has a byte at least. */
const ADDED_TOKENS = 8;

/** Undefined for a run that can't share a pass: it runs alone. The graph has been checked. */
export function shareOf(
  { graph, options }: ClientMessage & { type: 'run' },
  index: ModelIndex,
): Share | undefined {
  const [only] = graph?.invokes ?? [];
  if (!graph || !only || options?.generate !== undefined || !canBeJoined(graph)) return undefined;
  if (!graph.nodes.every((node) => hasRows(node, index))) return undefined;
  return { tokens: tokensOf(only.input), nodes: graph.nodes.length, inside: insideOf(graph.nodes, index) };
}

/** The waiting runs to go with `first`, in their order. */
export function ridersFor<T extends { readonly share: Share | undefined }>(
  first: Share,
  waiting: Iterable<T>,
  {
    nodes: mostNodes,
    batchTokens = MOST_TOKENS,
    invokes = MOST_RUNS,
  }: Pick<Limits, 'nodes' | 'batchTokens' | 'invokes'>,
): T[] {
  const riders: T[] = [];
  let { tokens: longest, tokens, nodes, inside } = first;
  for (const run of waiting) {
    if (riders.length + 1 >= Math.min(MOST_RUNS, invokes)) break;
    const { share } = run;
    if (!share || (inside !== '' && share.inside !== '' && share.inside !== inside)) continue;
    const together = (riders.length + 2) * Math.max(longest, share.tokens);
    if (together > Math.min(MOST_TOKENS, batchTokens) || nodes + share.nodes > mostNodes) continue;
    if (together > FREE_TOKENS && together > PADDED * (tokens + share.tokens)) continue;
    riders.push(run);
    longest = Math.max(longest, share.tokens);
    tokens += share.tokens;
    nodes += share.nodes;
    inside ||= share.inside;
  }
  return riders;
}

/** Whether what a node reads or writes can be told apart by prompt (section 6.1, Mixed rows). */
function hasRows(node: GraphNode, index: ModelIndex): boolean {
  const place = changedBy(node);
  if (!place) return true;
  return index
    .portsAt(place)
    .every(
      ({ mixed, dims }) => !mixed && (node.kind === 'read' || node.kind === 'stop' || dims.includes('batch')),
    );
}

function changedBy(node: GraphNode): Place | undefined {
  if (node.kind === 'skip') return { module: node.module, port: 'output' };
  return 'place' in node ? node.place : undefined;
}

function tokensOf(input: Input): number {
  if ('ids' in input) return input.ids.length;
  return 'text' in input ? Buffer.byteLength(input.text) + ADDED_TOKENS : 0;
}

/** Values other than those that blocks and the whole model give, and which of them are written. */
function insideOf(nodes: readonly GraphNode[], index: ModelIndex): string {
  const { blocks, modules } = index.description;
  const outside = new Set(
    modules
      .filter(({ path }) => path === '' || blocks.includes(path))
      .flatMap(({ outputs }) => outputs.map(({ name }) => name)),
  );
  const inside = new Set<string>();
  for (const node of nodes) {
    const place = changedBy(node);
    const kind = node.kind === 'read' ? 'r' : 'w';
    for (const { name } of place ? index.portsAt(place) : []) {
      if (!outside.has(name)) inside.add(`${kind}${name}`);
    }
  }
  return [...inside].sort().join('\n');
}
