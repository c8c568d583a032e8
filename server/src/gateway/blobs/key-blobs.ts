/**
 * The blobs of one key, by their hashes: taken in part by part, within a quota, and let go some time after they were last
 * used. No key sees another's, even of the same bytes.
 */
import { createHash, type Hash, hash } from 'node:crypto';
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type ErrorBody, type Limits, TracewireError } from '@tracewire/protocol';
import { KEY_BLOBS } from '../limits.ts';
import type { BlobStore } from './blob-store.ts';

/** What is answered to an offer and to a part. */
export interface BlobState {
  readonly state: 'wanted' | 'known' | 'refused';
  readonly received: number;
  readonly error?: ErrorBody;
}

interface Blob {
  readonly size: number;
  readonly path: string;
  received: number;
  /** Of what has been taken in; undefined once the blob is known. */
  upload: Hash | undefined;
  usedAt: number;
  /** Runs that name it and have not ended. */
  runs: number;
}

const EMPTY = hash('sha256', '');

export class KeyBlobs {
  readonly #limits: Limits;
  readonly #store: BlobStore;
  readonly #blobs = new Map<string, Blob>();
  /** Of all blobs, those under way counted whole. */
  #bytes = 0;

  constructor(limits: Limits, store: BlobStore) {
    this.#limits = limits;
    this.#store = store;
  }

  /** The bytes of a blob; undefined where it isn't known. That counts as a use. */
  sizeOf(sha256: string): number | undefined {
    return this.#known(sha256)?.size;
  }

  /** Where a known blob lies. Throws `unknown_blob`. */
  pathOf(sha256: string): string {
    return this.#mustKnow(sha256).path;
  }

  read(sha256: string): Uint8Array {
    return readFileSync(this.pathOf(sha256));
  }

  offer(sha256: string, size: number): BlobState {
    const there = this.#blobs.get(sha256);
    if (there && (!there.upload || there.size === size)) {
      there.usedAt = performance.now();
      return { state: there.upload ? 'wanted' : 'known', received: there.received };
    }
    if (there) this.#remove(sha256, there);
    if (size === 0 && sha256 !== EMPTY) return mismatch(sha256);
    const fault = this.#makeRoom(size);
    if (fault) return refused(fault);
    return this.#begin(sha256, size);
  }

  take(sha256: string, offset: number, part: Uint8Array): BlobState {
    const blob = this.#blobs.get(sha256);
    if (!blob) {
      const message = `Nobody wants a part of the blob ${sha256}: offer it first, and wait for the answer.`;
      return refused({ code: 'bad_message', message, path: 'sha256' });
    }
    const { upload, received, size } = blob;
    // Two connections may send the same blob, and one be behind.
    if (!upload) return { state: 'known', received };
    if (offset < received) return { state: 'wanted', received };
    const wanted = Math.min(this.#limits.chunkBytes, size - received);
    if (offset > received || part.byteLength !== wanted) {
      const message = `The next part of the blob is ${wanted} bytes at ${received}, not ${part.byteLength} at ${offset}.`;
      return refused({ code: 'bad_message', message, path: 'offset', wanted: String(received) }, received);
    }
    blob.usedAt = performance.now();
    return this.#add(sha256, blob, upload, part);
  }

  /** Keeps blobs until the run that names them has ended: call what it gives then, once. Throws `unknown_blob`. */
  hold(hashes: Iterable<string>): () => void {
    const held = [...hashes].map((sha256) => this.#mustKnow(sha256));
    for (const blob of held) blob.runs += 1;
    return () => {
      for (const blob of held) {
        blob.runs -= 1;
        blob.usedAt = performance.now();
      }
    };
  }

  /** Lets go of what is past its time. */
  sweep(): void {
    for (const [sha256, blob] of [...this.#blobs]) if (this.#isOver(blob)) this.#remove(sha256, blob);
  }

  close(): void {
    for (const [sha256, blob] of [...this.#blobs]) this.#remove(sha256, blob);
  }

  #known(sha256: string): Blob | undefined {
    const blob = this.#blobs.get(sha256);
    if (!blob || blob.upload) return undefined;
    blob.usedAt = performance.now();
    return blob;
  }

  #mustKnow(sha256: string): Blob {
    const blob = this.#known(sha256);
    if (blob) return blob;
    throw new TracewireError(unknownBlob(sha256));
  }

  #begin(sha256: string, size: number): BlobState {
    try {
      const path = this.#store.newPath();
      // No file stays open: uploads that nobody goes on with would use up all that a process may have.
      writeFileSync(path, '', { flag: 'wx', mode: 0o600 });
      const upload = size > 0 ? createHash('sha256') : undefined;
      this.#blobs.set(sha256, { size, path, received: 0, upload, usedAt: performance.now(), runs: 0 });
      this.#count(size);
      return { state: upload ? 'wanted' : 'known', received: 0 };
    } catch (error) {
      return refused(noDisk(error));
    }
  }

  #add(sha256: string, blob: Blob, upload: Hash, part: Uint8Array): BlobState {
    try {
      appendFileSync(blob.path, part);
    } catch (error) {
      this.#remove(sha256, blob);
      return refused(noDisk(error));
    }
    upload.update(part);
    blob.received += part.byteLength;
    if (blob.received < blob.size) return { state: 'wanted', received: blob.received };
    blob.upload = undefined;
    if (upload.digest('hex') === sha256) return { state: 'known', received: blob.size };
    this.#remove(sha256, blob);
    return mismatch(sha256);
  }

  #remove(sha256: string, blob: Blob): void {
    this.#blobs.delete(sha256);
    this.#count(-blob.size);
    rmSync(blob.path, { force: true });
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#store.changed(bytes);
  }

  #isOver({ runs, usedAt }: Blob): boolean {
    return runs === 0 && performance.now() - usedAt >= (this.#limits.blobMs ?? 0);
  }

  /** Why there is none for a blob of that size, after all that may go has gone. */
  #makeRoom(size: number): ErrorBody | undefined {
    const { blobBytes = 0, blobMs = 0 } = this.#limits;
    const fits = (): boolean => this.#bytes + size <= blobBytes && this.#blobs.size < KEY_BLOBS;
    if (!fits()) this.sweep();
    if (fits() && this.#store.takes(size)) return undefined;
    const message = fits()
      ? `The server’s disk has no room for ${size} bytes more. Try again later.`
      : `The blobs of this key, ${this.#blobs.size} of ${this.#bytes} bytes, leave no room for ${size} more; it may have ${blobBytes}. Each is let go ${blobMs} ms after its last use.`;
    const left = Math.max(0, blobBytes - this.#bytes);
    return { code: 'too_large', message, wanted: `at most ${left} bytes`, got: String(size) };
  }
}

export function unknownBlob(sha256: string, node?: number): ErrorBody {
  const message = `The server has no blob ${sha256}: it was let go, or never came. Send it, then the run again.`;
  return { code: 'unknown_blob', message, node, wanted: sha256 };
}

function mismatch(sha256: string): BlobState {
  const message = `The bytes that came for the blob ${sha256} have another hash; they are forgotten.`;
  return refused({ code: 'blob_mismatch', message, wanted: sha256 });
}

function noDisk(error: unknown): ErrorBody {
  const why = error instanceof Error ? error.message.replace(/,.*$/, '') : String(error);
  return { code: 'too_large', message: `The server can’t put the blob on its disk: ${why}.` };
}

const refused = (error: ErrorBody, received = 0): BlobState => ({ state: 'refused', received, error });
