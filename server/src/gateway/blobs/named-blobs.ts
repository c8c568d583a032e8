/** The blobs that a graph names, and what is wrong with them before anything runs. */
import {
  byteLength,
  type ErrorBody,
  type Graph,
  MAX_VALUES,
  PayloadReader,
  type TensorLike,
} from '@tracewire/protocol';
import { type KeyBlobs, unknownBlob } from './key-blobs.ts';

/** Hashes of constants and functions, each once. */
export function namedBlobs({ nodes }: Graph): ReadonlySet<string> {
  return new Set(
    nodes.flatMap((node) => {
      if (node.kind === 'call') return [node.function];
      return node.kind === 'constant' && node.blob ? [node.blob.sha256] : [];
    }),
  );
}

/** The fields of a graph that only a capability allows, each with the capability; `at` is where the graph stands. */
export function blobFields({ nodes }: Graph, at: string): [capability: string, path: string][] {
  return nodes.flatMap((node, id): [string, string][] => {
    if (node.kind === 'call') return [['functions', `${at}.nodes.${id}.kind`]];
    return node.kind === 'constant' && node.blob ? [['blobs', `${at}.nodes.${id}.blob`]] : [];
  });
}

/** Constants that the key doesn't have as they are named. */
export function blobFaults({ nodes }: Graph, blobs: KeyBlobs): ErrorBody[] {
  return nodes.flatMap((node, id): ErrorBody[] => {
    if (node.kind !== 'constant' || !node.blob) return [];
    const { sha256, dtype, dims } = node.blob;
    const size = blobs.sizeOf(sha256);
    if (size === undefined) return [unknownBlob(sha256, id)];
    const wanted = byteLength(dtype, dims);
    if (size === wanted) return [];
    const message = `${dtype} [${dims.join(', ')}] takes ${wanted} bytes; the blob ${sha256} has ${size}.`;
    const [ours, theirs] = [`${wanted} bytes`, `${size} bytes`];
    return [{ code: 'wrong_dims', message, node: id, path: 'blob.dims', wanted: ours, got: theirs }];
  });
}

/** The tensor of a constant that may be axes, dims or ends of ranges; of others checking takes no elements. */
export function smallBlob(graph: Graph, id: number, blobs: KeyBlobs): TensorLike | undefined {
  const node = graph.nodes[id];
  if (node?.kind !== 'constant' || !node.blob) return undefined;
  const { sha256, dtype, dims } = node.blob;
  const length = byteLength(dtype, dims);
  if (length > MAX_VALUES * 8 || blobs.sizeOf(sha256) !== length) return undefined;
  const reader = new PayloadReader(blobs.read(sha256));
  return reader.tensor({ dtype, dims, offset: 0, length }, `graph.nodes.${id}.blob`);
}
