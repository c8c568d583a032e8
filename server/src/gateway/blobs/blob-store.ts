/**
 * Where blobs lie (PROTOCOL.md, section 6.4): a file each, in a folder of the gateway's own that is there from the first blob
 * until the gateway closes. Hosts read the files themselves, so a blob's bytes cross no socket within the machine and
 * take no memory here.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Limits } from '@tracewire/protocol';
import { makeFolder } from '../../make-folder.ts';
import { BLOB_DISK_BYTES } from '../limits.ts';
import { KeyBlobs } from './key-blobs.ts';

/** How often blobs are looked at that may be past their time, as a part of it. */
const SWEEPS = 4;

export class BlobStore {
  readonly #limits: Limits;
  readonly #given: string | undefined;
  readonly #leave = (): void => this.close();
  readonly #keys = new Map<string | undefined, KeyBlobs>();
  #folder: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #bytes = 0;
  #files = 0;

  /** `folder` is the gateway's alone: blobs that an earlier one left in it go. Without one there is a temporary one. */
  constructor(limits: Limits, folder?: string) {
    this.#limits = limits;
    this.#given = folder === undefined ? undefined : join(folder, 'blobs');
    if (this.#given !== undefined) rmSync(this.#given, { recursive: true, force: true });
  }

  /** The blobs of a key, by its id; of those without one. */
  of(key: string | undefined): KeyBlobs {
    const known = this.#keys.get(key);
    if (known) return known;
    const blobs = new KeyBlobs(this.#limits, this);
    this.#keys.set(key, blobs);
    return blobs;
  }

  /** Bytes of all files. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the disk may take so many bytes more. */
  takes(bytes: number): boolean {
    return this.#bytes + bytes <= BLOB_DISK_BYTES;
  }

  changed(bytes: number): void {
    this.#bytes += bytes;
  }

  /** A path for a new file. Throws what the disk says. */
  newPath(): string {
    this.#folder ??= this.#make();
    this.#files += 1;
    return join(this.#folder, String(this.#files));
  }

  /** A key is good no more. */
  forget(key: string): void {
    this.#keys.get(key)?.close();
    this.#keys.delete(key);
  }

  close(): void {
    clearInterval(this.#timer);
    process.off('exit', this.#leave);
    for (const blobs of this.#keys.values()) blobs.close();
    this.#keys.clear();
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
  }

  #make(): string {
    const sweep = (): void => {
      for (const blobs of this.#keys.values()) blobs.sweep();
    };
    this.#timer = setInterval(sweep, Math.max(1000, (this.#limits.blobMs ?? 0) / SWEEPS)).unref();
    // A local engine stands in a program that may end without closing it.
    process.once('exit', this.#leave);
    if (this.#given === undefined) return mkdtempSync(join(tmpdir(), 'tracewire-blobs-'));
    makeFolder(this.#given, 0o700);
    return this.#given;
  }
}
