/** When two graphs are the same: the canonical encoding and the hash of a graph (PROTOCOL.md, section 3.4). */
import { sha256 as portable } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { TraceGraph } from './generate.ts';
import type { Graph, GraphNode, Input, NodeKind, NodeOf, Place } from './graph.ts';
import { feedsOf } from './graph-tensors.ts';
import { bytesOf, type TensorLike } from './tensor.ts';

/** The tensor of a `constant` node, by the node's id. */
export type ConstantOf = (node: number) => TensorLike;

/** A feed of an invoke's input. */
export type FeedOf = (invoke: number, name: string) => TensorLike;

const noFeeds: FeedOf = (_, name) => {
  throw new Error(`the feed ${name} is not at hand`);
};

/** The 32 bytes of a SHA-256. Node's own is 13 times as fast as the one that runs anywhere, on large constants. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/**
 * The SHA-256 in hex that all graphs of one meaning have, in whatever order they say it. The graph must be sound
 * (`checkGraph`): a wrong one has a hash too, but one that means nothing. Throws only what `constantOf` throws.
 */
export function graphHash(
  graph: Graph,
  constantOf: ConstantOf,
  sha256: Sha256 = portable,
  feedOf: FeedOf = noFeeds,
): string {
  return new Digester(graph, constantOf, sha256, feedOf).graph();
}

/**
 * The hash that a retry of a run must repeat. Messages name saves and logs by their ids, so it covers these too: the
 * values of a graph that is the same but numbered otherwise would be taken for one another.
 */
export function retryHash(
  graph: Graph,
  constantOf: ConstantOf,
  sha256: Sha256 = portable,
  feedOf: FeedOf = noFeeds,
): string {
  return new Digester(graph, constantOf, sha256, feedOf).retry();
}

/** What a retry of a run of several traces must repeat: the retry hash of each, and how it generates. */
export function retryHashOfTraces(
  traces: readonly TraceGraph[],
  constantOf: (trace: number, node: number) => TensorLike,
  sha256: Sha256 = portable,
  feedOf: (trace: number, invoke: number, name: string) => TensorLike = (_, invoke, name) =>
    noFeeds(invoke, name),
): string {
  const digesters: Digester[] = [];
  for (const [trace, { graph }] of traces.entries()) {
    const feeds: FeedOf = (invoke, name) => feedOf(trace, invoke, name);
    digesters.push(new Digester(graph, (node) => constantOf(trace, node), sha256, feeds, [...digesters]));
  }
  const hashes = digesters.map((digester, trace) => [digester.retry(), traces[trace]?.generate ?? 0]);
  return bytesToHex(sha256(canonicalBytes(hashes)));
}

/** Digests the nodes in order; what a node's digest takes in of those before it, it has. */
class Digester {
  readonly #graph: Graph;
  readonly #constantOf: ConstantOf;
  readonly #sha256: Sha256;
  readonly #feedOf: FeedOf;
  readonly #digests: string[] = [];
  /** How many writes each place has had; those of another invoke are of another place. */
  readonly #writes = new Map<string, number>();
  readonly #earlier: readonly Digester[];
  #logs = 0;

  constructor(
    graph: Graph,
    constantOf: ConstantOf,
    sha256: Sha256,
    feedOf: FeedOf,
    earlier: readonly Digester[] = [],
  ) {
    this.#earlier = earlier;
    this.#graph = graph;
    this.#feedOf = feedOf;
    this.#constantOf = constantOf;
    this.#sha256 = sha256;
    for (const node of graph.nodes) {
      const list = LISTS[node.kind] as (digester: Digester, node: GraphNode) => readonly unknown[];
      this.#digests.push(this.#digest(list(this, node)));
    }
  }

  graph(): string {
    const acts = this.#of('write', 'skip', 'stop', 'save', 'log').map(({ digest }) => digest);
    const invokes = this.#graph.invokes.map((invoke, index) => ({
      ...invoke,
      input: this.#input(invoke.input, index),
    }));
    return this.#digest([invokes, acts.sort()]);
  }

  retry(): string {
    const named = this.#of('save', 'log').map(({ id, digest }) => [id, digest]);
    return this.#digest([this.graph(), named]);
  }

  valueOf(node: number): string {
    return this.#digests[node] ?? '';
  }

  earlierOf(trace: number, node: number): string {
    return this.#earlier[trace]?.valueOf(node) ?? '';
  }

  /** Of the tensor of the node that is next. A blob is the same constant as its bytes in the message. */
  constant({ blob }: NodeOf<'constant'>): readonly unknown[] {
    if (blob) return ['constant', blob.dtype, blob.dims, blob.sha256];
    return ['constant', ...this.#tensor(this.#constantOf(this.#digests.length))];
  }

  /** Feeds stand for what they hold, not for where their bytes lie. */
  #input(input: Input, invoke: number): unknown {
    if (!('feeds' in input)) return input;
    const feeds = feedsOf(input).map(([name]) => [name, this.#tensor(this.#feedOf(invoke, name))]);
    return { feeds: Object.fromEntries(feeds) };
  }

  #tensor({ dtype, dims, data }: TensorLike): readonly unknown[] {
    return [dtype, dims, bytesToHex(this.#sha256(bytesOf(data)))];
  }

  writesAt(place: Place): number {
    return this.#writes.get(writeKey(place)) ?? 0;
  }

  countWrite(place: Place): void {
    this.#writes.set(writeKey(place), this.writesAt(place) + 1);
  }

  countLog(): number {
    return this.#logs++;
  }

  #digest(value: unknown): string {
    return bytesToHex(this.#sha256(canonicalBytes(value)));
  }

  #of(...kinds: readonly NodeKind[]): { id: number; digest: string }[] {
    return this.#digests.flatMap((digest, id) => {
      const kind = this.#graph.nodes[id]?.kind;
      return kind && kinds.includes(kind) ? [{ id, digest }] : [];
    });
  }
}

const writeKey = ({ module, port, source, invoke = 0 }: Place): string =>
  JSON.stringify([invoke, port, module, source]);

/** What a node's digest is the hash of; the compiler keeps the table complete. */
const LISTS: { readonly [K in NodeKind]: (so: Digester, node: NodeOf<K>) => readonly unknown[] } = {
  constant: (so, node) => so.constant(node),
  parameter: (_, { name }) => ['parameter', name],
  read: (so, { place }) => ['read', place, so.writesAt(place)],
  write: (so, { place, value, selection, mask }) => {
    const before = so.writesAt(place);
    so.countWrite(place);
    const list = ['write', place, before, so.valueOf(value), selection ?? 0];
    return mask === undefined ? list : [...list, so.valueOf(mask)];
  },
  skip: (so, { module, value, invoke }) => ['skip', { module, invoke }, so.valueOf(value)],
  stop: (_, { place }) => ['stop', place],
  operator: (so, { operator, inputs, attributes }) => [
    'operator',
    operator,
    inputs.map((input) => so.valueOf(input)),
    attributes ?? {},
  ],
  call: (so, { function: sha256, inputs }) => ['call', sha256, inputs.map((input) => so.valueOf(input))],
  member: (so, { of, index }) => ['member', so.valueOf(of), index],
  apply: (so, { module, input }) => ['apply', module, so.valueOf(input)],
  earlier: (so, { trace, node, step }) => ['earlier', { trace, step }, so.earlierOf(trace, node)],
  save: (so, { value }) => ['save', so.valueOf(value)],
  log: (so, { text, value }) => [
    'log',
    so.countLog(),
    { text, value: value === undefined ? undefined : so.valueOf(value) },
  ],
};

/**
 * The one msgpack encoding of plain data: maps sorted by key, undefined fields left out, each number and length in its
 * shortest form, what is no integer as a float 64. A lone surrogate becomes U+FFFD, as it does in a message. Throws a
 * `TypeError` for what has no such form: null, NaN, infinities, and what is no plain data.
 *
 * Written by hand: msgpackr sorts no keys, and writes what it reads fastest rather than what is shortest.
 */
export function canonicalBytes(value: unknown): Uint8Array {
  const out: number[] = [];
  encode(value, out);
  return new Uint8Array(out);
}

function encode(value: unknown, out: number[]): void {
  if (typeof value === 'string') encodeString(utf8.encode(value), out);
  else if (typeof value === 'number') encodeNumber(value, out);
  else if (typeof value === 'boolean') out.push(value ? 0xc3 : 0xc2);
  else if (Array.isArray(value)) {
    encodeHead(value.length, LIST, out);
    for (const item of value) encode(item, out);
  } else if (typeof value === 'object' && value !== null) encodeMap(value, out);
  else throw new TypeError(`${value} has no canonical form.`);
}

const utf8 = new TextEncoder();

function encodeString(bytes: Uint8Array, out: number[]): void {
  encodeHead(bytes.byteLength, STRING, out);
  for (const byte of bytes) out.push(byte);
}

function encodeMap(map: object, out: number[]): void {
  const fields = Object.entries(map)
    .filter(([, field]) => field !== undefined)
    .map(([key, field]) => ({ key: utf8.encode(key), field }))
    .sort((a, b) => compareBytes(a.key, b.key));
  encodeHead(fields.length, MAP, out);
  for (const { key, field } of fields) {
    encodeString(key, out);
    encode(field, out);
  }
}

/** Not by UTF-16 units, as strings compare: there U+10000 comes before U+FFFF. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, index) => byte !== b[index]);
  return at < 0 ? a.length - b.length : (a[at] ?? 0) - (b[at] ?? -1);
}

function encodeNumber(value: number, out: number[]): void {
  if (!Number.isFinite(value)) throw new TypeError(`${value} has no canonical form.`);
  if (Number.isSafeInteger(value)) {
    encodeHead(value, value < 0 ? NEGATIVE : UINT, out);
    return;
  }
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  out.push(0xcb, ...bytes);
}

/** What a form holds, its tag, and the bytes behind the tag; with none of them the number is added to the tag. */
type Forms = readonly (readonly [below: number, tag: number, size: number])[];

const LIST: Forms = [
  [16, 0x90, 0],
  [2 ** 16, 0xdc, 2],
  [2 ** 32, 0xdd, 4],
];
const MAP: Forms = [
  [16, 0x80, 0],
  [2 ** 16, 0xde, 2],
  [2 ** 32, 0xdf, 4],
];
const STRING: Forms = [
  [32, 0xa0, 0],
  [2 ** 8, 0xd9, 1],
  [2 ** 16, 0xda, 2],
  [2 ** 32, 0xdb, 4],
];
const UINT: Forms = [
  [2 ** 7, 0, 0],
  [2 ** 8, 0xcc, 1],
  [2 ** 16, 0xcd, 2],
  [2 ** 32, 0xce, 4],
  [2 ** 64, 0xcf, 8],
];
/** −1 counts as 0, −2 as 1. */
const NEGATIVE: Forms = [
  [2 ** 5, 0x100, 0],
  [2 ** 7, 0xd0, 1],
  [2 ** 15, 0xd1, 2],
  [2 ** 31, 0xd2, 4],
  [2 ** 63, 0xd3, 8],
];

function encodeHead(value: number, forms: Forms, out: number[]): void {
  const size = value < 0 ? -1 - value : value;
  const form = forms.find(([below]) => size < below);
  if (!form) throw new TypeError(`${value} is too large for a canonical form.`);
  const [, tag, behind] = form;
  out.push(behind === 0 ? tag + value : tag);
  for (let byte = behind - 1; byte >= 0; byte--) out.push(Math.floor(value / 256 ** byte) & 0xff);
}
