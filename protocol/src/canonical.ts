/** When two graphs are the same: the canonical encoding and the hash of a graph (PROTOCOL.md, section 3.4). */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Graph, GraphNode, NodeKind, NodeOf, Place } from './graph.ts';
import { bytesOf, type TensorLike } from './tensor.ts';

/** The tensor of a `constant` node, by the node's id. */
export type ConstantOf = (node: number) => TensorLike;

/**
 * The SHA-256 in hex that all graphs of one meaning have, in whatever order they say it. The graph must be sound
 * (`checkGraph`): a wrong one has a hash too, but one that means nothing. Throws only what `constantOf` throws.
 */
export function graphHash(graph: Graph, constantOf: ConstantOf): string {
  return hashOf(graph, nodeDigests(graph.nodes, constantOf));
}

/**
 * The hash that a retry of a run must repeat. Messages name saves and logs by their ids, so it covers these too: the
 * values of a graph that is the same but numbered otherwise would be taken for one another.
 */
export function retryHash(graph: Graph, constantOf: ConstantOf): string {
  const digests = nodeDigests(graph.nodes, constantOf);
  const named = graph.nodes.flatMap(({ kind }, id) =>
    kind === 'save' || kind === 'log' ? [[id, digests[id]]] : [],
  );
  return digestOf([hashOf(graph, digests), named]);
}

function hashOf({ invokes, nodes }: Graph, digests: readonly string[]): string {
  return digestOf([invokes, digests.filter((_, id) => ACTS.has(nodes[id]?.kind)).sort()]);
}

/** The kinds that do something; what nothing of them needs does not count. */
const ACTS: ReadonlySet<NodeKind | undefined> = new Set<NodeKind>(['write', 'stop', 'save', 'log']);

const digestOf = (value: unknown): string => bytesToHex(sha256(canonicalBytes(value)));

function nodeDigests(nodes: readonly GraphNode[], constantOf: ConstantOf): readonly string[] {
  const so: SoFar = { digests: [], writes: new Map(), logs: 0, constantOf };
  for (const node of nodes) {
    const list = LISTS[node.kind] as (so: SoFar, node: GraphNode) => readonly unknown[];
    so.digests.push(digestOf(list(so, node)));
  }
  return so.digests;
}

/** What is known at a node of those before it. */
interface SoFar {
  readonly digests: string[];
  /** How many writes each place has had. */
  readonly writes: Map<string, number>;
  logs: number;
  readonly constantOf: ConstantOf;
}

/** What a node's digest is the hash of; the compiler keeps the table complete. */
const LISTS: { readonly [K in NodeKind]: (so: SoFar, node: NodeOf<K>) => readonly unknown[] } = {
  constant: ({ digests, constantOf }) => {
    const { dtype, dims, data } = constantOf(digests.length);
    return ['constant', dtype, dims, bytesToHex(sha256(bytesOf(data)))];
  },
  parameter: (_, { name }) => ['parameter', name],
  read: (so, { place }) => ['read', place, writesAt(so, place)],
  write: (so, { place, value, selection }) => {
    const before = writesAt(so, place);
    so.writes.set(keyOf(place), before + 1);
    return ['write', place, before, valueAt(so, value), selection ?? 0];
  },
  stop: (_, { place }) => ['stop', place],
  operator: (so, { operator, inputs, attributes }) => {
    return ['operator', operator, inputs.map((input) => valueAt(so, input)), attributes ?? {}];
  },
  member: (so, { of, index }) => ['member', valueAt(so, of), index],
  apply: (so, { module, input }) => ['apply', module, valueAt(so, input)],
  save: (so, { value }) => ['save', valueAt(so, value)],
  log: (so, { text, value }) => {
    const before = so.logs;
    so.logs += 1;
    return ['log', before, { text, value: value === undefined ? undefined : valueAt(so, value) }];
  },
};

const valueAt = ({ digests }: SoFar, node: number): string => digests[node] ?? '';
const keyOf = ({ module, port }: Place): string => `${port} ${module}`;
const writesAt = ({ writes }: SoFar, place: Place): number => writes.get(keyOf(place)) ?? 0;

/**
 * The one msgpack encoding of plain data: maps sorted by key, undefined fields left out, each number and length in its
 * shortest form, what is no integer as a float 64. A lone surrogate becomes U+FFFD, as it does in a message. Throws a
 * `TypeError` for what has no such form: null, NaN, infinities, and what is no plain data.
 */
export function canonicalBytes(value: unknown): Uint8Array {
  const writer = new Writer();
  writer.value(value);
  return writer.bytes();
}

/** Written by hand: msgpackr sorts no keys, and writes what it reads fastest, not what is shortest. */
class Writer {
  #bytes = new Uint8Array(512);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  value(value: unknown): void {
    if (typeof value === 'string') this.#string(encoder.encode(value));
    else if (typeof value === 'number') this.#number(value);
    else if (typeof value === 'boolean') this.#tag(value ? 0xc3 : 0xc2);
    else if (Array.isArray(value)) this.#list(value);
    else if (typeof value === 'object' && value !== null) this.#map(value);
    else throw new TypeError(`${String(value)} has no canonical form.`);
  }

  #string(bytes: Uint8Array): void {
    this.#head(bytes.byteLength, { fixed: 0xa0, below: 32, tags: [0xd9, 0xda, 0xdb] });
    const offset = this.#advance(bytes.byteLength);
    this.#bytes.set(bytes, offset);
  }

  #list(items: readonly unknown[]): void {
    this.#head(items.length, { fixed: 0x90, below: 16, tags: [undefined, 0xdc, 0xdd] });
    for (const item of items) this.value(item);
  }

  #map(map: object): void {
    const fields = Object.entries(map)
      .filter(([, field]) => field !== undefined)
      .map(([key, field]) => ({ key: encoder.encode(key), field }))
      .sort((a, b) => compare(a.key, b.key));
    this.#head(fields.length, { fixed: 0x80, below: 16, tags: [undefined, 0xde, 0xdf] });
    for (const { key, field } of fields) {
      this.#string(key);
      this.value(field);
    }
  }

  #number(value: number): void {
    if (!Number.isFinite(value)) throw new TypeError(`${value} has no canonical form.`);
    if (!Number.isSafeInteger(value)) {
      this.#tag(0xcb);
      this.#view.setFloat64(this.#advance(8), value);
    } else if (value >= 0) this.#head(value, { fixed: 0, below: 128, tags: [0xcc, 0xcd, 0xce, 0xcf] });
    else this.#negative(value);
  }

  #negative(value: number): void {
    if (value >= -32) this.#tag(0x100 + value);
    else if (value >= -0x80) this.#view.setInt8(this.#tagged(0xd0, 1), value);
    else if (value >= -0x8000) this.#view.setInt16(this.#tagged(0xd1, 2), value);
    else if (value >= -0x8000_0000) this.#view.setInt32(this.#tagged(0xd2, 4), value);
    else this.#view.setBigInt64(this.#tagged(0xd3, 8), BigInt(value));
  }
}
