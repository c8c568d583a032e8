/** Graph hashes against those of test/reference/make_hashes.py, which knows only PROTOCOL.md, section 3.4. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  canonicalBytes,
  type Generate,
  type Graph,
  graphHash,
  graph as graphSchema,
  PayloadReader,
  retryHash,
  retryHashOfTraces,
  type TensorLike,
  tensorsOf,
} from '@tracewire/protocol';
import { describe, expect, it } from 'vitest';

interface Vectors {
  readonly canonical: readonly { readonly value: unknown; readonly bytes: string }[];
  readonly graphs: readonly {
    readonly name: string;
    /** The same for graphs that are the same. */
    readonly means: string;
    readonly graph: unknown;
    readonly payload: string;
    readonly hash: string;
    readonly retryHash: string;
  }[];
  readonly sessions: readonly {
    readonly name: string;
    readonly means: string;
    readonly traces: readonly { readonly graph: unknown; readonly generate?: Generate }[];
    readonly payload: string;
    readonly retryHash: string;
  }[];
}

const vectors = JSON.parse(readFileSync(new URL('vectors/hashes.json', import.meta.url), 'utf8')) as Vectors;

describe('canonical encoding', () => {
  it.each(vectors.canonical)('of $bytes', ({ value, bytes }) => {
    expect(Buffer.from(canonicalBytes(value)).toString('hex')).toBe(bytes);
  });
});

describe('graph hash', () => {
  it.each(vectors.graphs)('of $name', ({ graph: data, payload, hash, retryHash: retry }) => {
    const graph = graphSchema.parse(data);
    const constants = constantsOf(graph, Buffer.from(payload, 'hex'));
    expect(graphHash(graph, constants)).toBe(hash);
    expect(retryHash(graph, constants)).toBe(retry);
  });

  it('is the same with another SHA-256', () => {
    const native = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
    for (const { graph: data, payload, hash } of vectors.graphs) {
      const graph = graphSchema.parse(data);
      expect(graphHash(graph, constantsOf(graph, Buffer.from(payload, 'hex')), native)).toBe(hash);
    }
  });

  it('is one for each meaning', () => {
    const pairs = new Set(vectors.graphs.map(({ means, hash }) => `${means} ${hash}`));
    expect(pairs.size).toBe(new Set(vectors.graphs.map(({ means }) => means)).size);
    expect(pairs.size).toBe(new Set(vectors.graphs.map(({ hash }) => hash)).size);
  });
});

describe('retry hash of several traces', () => {
  it.each(vectors.sessions)('of $name', ({ traces: data, payload, retryHash: retry }) => {
    const traces = data.map(({ graph, generate }) => ({ graph: graphSchema.parse(graph), generate }));
    const tensors = tensorsOf({ traces }, Buffer.from(payload, 'hex'));
    const constantOf = (trace: number, node: number): TensorLike => {
      const tensor = tensors[trace]?.constants.get(node);
      if (!tensor) throw new Error(`Node ${node} of trace ${trace} is no constant.`);
      return tensor;
    };
    expect(retryHashOfTraces(traces, constantOf)).toBe(retry);
  });
});

function constantsOf({ nodes }: Graph, payload: Uint8Array): (node: number) => TensorLike {
  const reader = new PayloadReader(payload);
  const tensors = nodes.map((node) =>
    node.kind === 'constant' && node.tensor ? reader.tensor(node.tensor, '') : undefined,
  );
  reader.end();
  return (node) => {
    const tensor = tensors[node];
    if (!tensor) throw new Error(`Node ${node} is no constant.`);
    return tensor;
  };
}
