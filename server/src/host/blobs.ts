/**
 * Blobs in a host: read from the gateway's files when a run first names them, and kept while there is room, so that a
 * function that is called again and again is read once.
 */
import { readFileSync } from 'node:fs';
import {
  type FunctionBody,
  type Graph,
  PayloadReader,
  readFunction,
  type TensorLike,
  TracewireError,
} from '@tracewire/protocol';
import { LRUCache } from 'lru-cache';

/** What is kept between runs; what one run names it has in any case. */
const KEPT_BYTES = 512 * 1024 * 1024;

interface Kept {
  readonly bytes: Uint8Array;
  /** Read when it is first called. */
  body?: FunctionBody;
}

export class HostBlobs {
  readonly #kept = new LRUCache<string, Kept>({
    maxSize: KEPT_BYTES,
    sizeCalculation: ({ bytes }) => bytes.byteLength + 1,
  });

  /** What a run names, from the files that it came with. */
  of(files: readonly { readonly sha256: string; readonly path: string }[]): RunBlobs {
    return new RunBlobs(
      new Map(
        files.map(({ sha256, path }) => {
          const kept = this.#kept.get(sha256) ?? { bytes: readFileSync(path) };
          this.#kept.set(sha256, kept);
          return [sha256, kept];
        }),
      ),
    );
  }
}

export class RunBlobs {
  readonly #blobs: ReadonlyMap<string, Kept>;

  constructor(blobs: ReadonlyMap<string, Kept>) {
    this.#blobs = blobs;
  }

  /** The constants of a graph that are blobs. Throws `bad_message` for bytes that are no tensor of their dtype. */
  constants({ nodes }: Graph): Map<number, TensorLike> {
    const constants = new Map<number, TensorLike>();
    for (const [id, node] of nodes.entries()) {
      if (node.kind !== 'constant' || !node.blob) continue;
      const { sha256, dtype, dims } = node.blob;
      const { bytes } = this.#blob(sha256);
      const ref = { dtype, dims, offset: 0, length: bytes.byteLength };
      constants.set(id, new PayloadReader(bytes).tensor(ref, `graph.nodes.${id}.blob`));
    }
    return constants;
  }

  function(sha256: string): FunctionBody {
    const blob = this.#blob(sha256);
    if (blob.body) return blob.body;
    // The gateway has checked how many nodes it has.
    const { body, errors } = readFunction(blob.bytes, { nodes: Number.POSITIVE_INFINITY });
    if (!body) throw new TracewireError(errors[0]);
    blob.body = body;
    return body;
  }

  #blob(sha256: string): Kept {
    const blob = this.#blobs.get(sha256);
    if (!blob) throw new Error(`The run came without the blob ${sha256}.`);
    return blob;
  }
}
