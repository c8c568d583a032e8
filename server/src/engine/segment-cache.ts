/**
 * The segments that are loaded: those of the unsplit blocks stay, others are kept by least recent use within
 * a budget of bytes and released when they leave.
 */
import { LRUCache } from 'lru-cache';
import type { ModelGraph } from './onnx/graph.ts';
import type { Runtime, Segment, ValueType } from './runtime/runtime.ts';
import { buildSegment, type SegmentSpec, segmentKey } from './segment.ts';

/** What a session takes beside its weights and its model. */
const SESSION_BYTES = 1024 * 1024;

export class SegmentCache {
  readonly #resident = new Map<string, Segment>();
  readonly #cached: LRUCache<string, Segment>;
  readonly #graph: ModelGraph;
  readonly #types: ReadonlyMap<string, ValueType>;
  readonly #runtime: Runtime;

  constructor(
    graph: ModelGraph,
    types: ReadonlyMap<string, ValueType>,
    runtime: Runtime,
    budgetBytes: number,
  ) {
    this.#graph = graph;
    this.#types = types;
    this.#runtime = runtime;
    this.#cached = new LRUCache({
      maxSize: budgetBytes,
      dispose: (segment) => void segment.release(),
    });
  }

  /** Loads a segment that is never evicted. */
  async keep(spec: SegmentSpec): Promise<void> {
    const key = segmentKey(spec);
    if (!this.#resident.has(key)) this.#resident.set(key, (await this.#make(spec)).segment);
  }

  /** The segment, made if need be. It stays usable until the next call of `get`. */
  async get(spec: SegmentSpec): Promise<Segment> {
    const key = segmentKey(spec);
    const known = this.#resident.get(key) ?? this.#cached.get(key);
    if (known) return known;
    const { segment, size } = await this.#make(spec);
    // One too large for the whole budget would not be kept, and so never be released: count it as all of it.
    this.#cached.set(key, segment, { size: Math.min(size, this.#cached.maxSize) });
    return segment;
  }

  async release(): Promise<void> {
    this.#cached.clear();
    for (const segment of this.#resident.values()) await segment.release();
    this.#resident.clear();
  }

  async #make(spec: SegmentSpec): Promise<{ segment: Segment; size: number }> {
    const { model, weightBytes } = buildSegment(this.#graph, this.#types, spec);
    const segment = await this.#runtime.createSegment(model);
    return { segment, size: weightBytes + model.byteLength + SESSION_BYTES };
  }
}
