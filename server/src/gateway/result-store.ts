/**
 * Where messages wait for slow and absent clients: in memory up to a budget that all runs share, beyond it on disk. What
 * detached runs came to is on disk whole, so that a restart of the gateway doesn't lose it. A disk that takes no more
 * costs only the runs whose messages it should have taken: what they have stays in memory, and what they would add is an
 * access error.
 */
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { TracewireError } from '@tracewire/protocol';
import { makeFolder } from '../make-folder.ts';
import { lockFolder } from './folder-lock.ts';
import type { Log } from './log.ts';
import { type OpenFile, type Piece, RunFile } from './run-file.ts';
import { INDEX, type StoredRun } from './stored-run.ts';

/** How long a disk that took no more is left alone. */
const FULL_MS = 5000;

export interface ResultStoreOptions {
  readonly folder: string;
  /** Of all messages in memory. */
  readonly memoryBytes: number;
  /** Of all files together. */
  readonly diskBytes: number;
  readonly log: Log;
  readonly open?: OpenFile;
}

/** A run's messages, as the store sees them. */
export interface Spillable {
  /** In memory, and not on their way to the disk. */
  readonly idleBytes: number;
  /** Begins to put at least so many bytes on disk, or all that it has. */
  spill(bytes: number): void;
}

/** A run of an earlier gateway. */
export interface RestoredRun extends StoredRun {
  readonly shelf: ResultShelf;
}

export class ResultStore {
  readonly #options: ResultStoreOptions;
  readonly #unlock: () => void;
  readonly #shelves = new Set<ResultShelf>();
  #restored: RestoredRun[] = [];
  #idleBytes = 0;
  #diskBytes = 0;
  #fullUntil = 0;
  #closed = false;

  /** Takes the folder over: what has expired or was left half written goes. Throws `bad_configuration`. */
  constructor(options: ResultStoreOptions) {
    this.#options = options;
    const { folder } = options;
    try {
      makeFolder(folder, 0o700);
      this.#unlock = lockFolder(folder);
      this.#restore();
    } catch (error) {
      if (error instanceof TracewireError) throw error;
      const message = `Can’t keep results in ${folder}: ${(error as Error).message}. Choose another folder with --results; by default it lies in that of --cache.`;
      throw new TracewireError({ code: 'bad_configuration', message });
    }
  }

  /** The runs that an earlier gateway left, once. */
  takeRestored(): readonly RestoredRun[] {
    const restored = this.#restored;
    this.#restored = [];
    return restored;
  }

  /** It is this store's alone, until it is closed. */
  get folder(): string {
    return this.#options.folder;
  }

  get diskBytes(): number {
    return this.#diskBytes;
  }

  /** Messages in memory that are not on their way to the disk. */
  get memoryBytes(): number {
    return this.#idleBytes;
  }

  get closed(): boolean {
    return this.#closed;
  }

  shelf(run: Spillable): ResultShelf {
    return this.#add(new ResultShelf(this, this.#newFile(join(this.#options.folder, randomUUID())), run));
  }

  /** From here on runs that are given up leave what they have kept for the next gateway. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unlock();
  }

  /** The store's own counts; shelves call these. */
  memoryChanged(bytes: number): void {
    this.#idleBytes += bytes;
    if (bytes > 0) this.#relieve();
  }

  diskChanged(bytes: number): void {
    this.#diskBytes += bytes;
    if (bytes < 0) this.#fullUntil = 0;
  }

  forget(shelf: ResultShelf): void {
    this.#shelves.delete(shelf);
  }

  /** Whether the disk may take so many bytes more. */
  takes(bytes: number): boolean {
    return this.#diskBytes + bytes <= this.#options.diskBytes && performance.now() >= this.#fullUntil;
  }

  hasMemory(bytes: number): boolean {
    return this.#idleBytes + bytes <= this.#options.memoryBytes;
  }

  failed(error: Error): void {
    if (performance.now() >= this.#fullUntil)
      this.#options.log.warn({ why: error.message }, 'results can’t be put on disk');
    this.#fullUntil = performance.now() + FULL_MS;
  }

  /** The run with the most in memory gives first. */
  #relieve(): void {
    const excess = this.#idleBytes - this.#options.memoryBytes;
    if (excess <= 0 || !this.takes(excess)) return;
    let fattest: ResultShelf | undefined;
    for (const shelf of this.#shelves) {
      if (shelf.idleBytes > (fattest?.idleBytes ?? 0)) fattest = shelf;
    }
    // A little more, so that not every message looks for room.
    fattest?.spill(excess + this.#options.memoryBytes / 16);
  }

  #add(shelf: ResultShelf): ResultShelf {
    this.#shelves.add(shelf);
    return shelf;
  }

  #newFile(path: string, end = 0): RunFile {
    return new RunFile(path, end, this.#options.open);
  }

  #restore(): void {
    const { folder, log } = this.#options;
    const names = new Set(readdirSync(folder).filter((name) => OURS.test(name)));
    for (const name of names) {
      const [id, ending] = name.split('.') as [string, string];
      const stored = ending === 'json' ? readIndex(folder, id) : undefined;
      if (!stored) continue;
      const end = stored.entries.reduce((most, { piece }) => Math.max(most, piece.offset + piece.size), 0);
      const shelf = new ResultShelf(this, this.#newFile(join(folder, id), end), undefined, end);
      this.#restored.push({ ...stored, shelf: this.#add(shelf) });
      this.#diskBytes += end;
      names.delete(name);
      names.delete(`${id}.data`);
    }
    for (const name of names) rmSync(join(folder, name), { force: true });
    if (this.#restored.length + names.size > 0) {
      log.info({ restored: this.#restored.length, removed: names.size }, 'results of an earlier start');
    }
  }
}

const OURS = /^[0-9a-f-]{36}\.(json|data|tmp)$/;

/** Undefined for one that has expired, or that doesn't fit its file. */
function readIndex(folder: string, id: string): StoredRun | undefined {
  try {
    const stored = INDEX.parse(JSON.parse(readFileSync(join(folder, `${id}.json`), 'utf8')));
    const { size } = statSync(join(folder, `${id}.data`));
    const fits = stored.entries.every(({ piece }) => piece.offset + piece.size <= size);
    return fits && stored.expires > Date.now() ? stored : undefined;
  } catch {
    return undefined;
  }
}

/** One run's share of the store. */
export class ResultShelf {
  readonly #store: ResultStore;
  readonly #file: RunFile;
  #run: Spillable | undefined;
  #diskBytes: number;
  #kept: boolean;
  #removed = false;

  constructor(store: ResultStore, file: RunFile, run: Spillable | undefined, diskBytes = 0) {
    this.#store = store;
    this.#file = file;
    this.#run = run;
    this.#diskBytes = diskBytes;
    this.#kept = run === undefined;
  }

  get idleBytes(): number {
    return this.#run?.idleBytes ?? 0;
  }

  spill(bytes: number): void {
    this.#run?.spill(bytes);
  }

  /** The run's messages in memory are so many bytes more, or fewer. */
  memoryChanged(bytes: number): void {
    if (!this.#removed) this.#store.memoryChanged(bytes);
  }

  /** Whether the run, which has so many bytes in memory, may add a value; `share` it may have in any case. */
  hasRoom(bytes: number, held: number, share: number): boolean {
    return held <= share || this.#store.hasMemory(bytes) || this.#store.takes(bytes);
  }

  /** Undefined where the disk doesn't take it. */
  async put(parts: readonly Uint8Array[], size: number): Promise<Piece | undefined> {
    if (!this.#store.takes(size)) {
      this.#store.failed(new Error(`--results-bytes are used up`));
      return undefined;
    }
    this.#count(size);
    try {
      return await this.#file.write(parts);
    } catch (error) {
      this.#count(-size);
      if (!this.#removed) this.#store.failed(error as Error);
      return undefined;
    }
  }

  read(piece: Piece): Promise<Uint8Array> {
    return this.#file.read(piece);
  }

  /** Nobody reads just now. */
  rest(): void {
    this.#file.rest();
  }

  /** Keeps the run for gateways to come, if all of it gets to the disk. */
  async keep(prepare: () => Promise<StoredRun | undefined>): Promise<void> {
    // From now on, so that a gateway that closes leaves it the time.
    this.#kept = true;
    const stored = await prepare();
    if (!stored) return;
    try {
      await this.#file.index(JSON.stringify(stored));
    } catch (error) {
      if (!this.#removed) this.#store.failed(error as Error);
    }
  }

  /** The run is over. `memoryBytes`: what it had in memory. */
  remove(memoryBytes: number): void {
    if (this.#removed) return;
    this.memoryChanged(-memoryBytes);
    this.#removed = true;
    this.#store.forget(this);
    this.#run = undefined;
    this.#store.diskChanged(-this.#diskBytes);
    if (this.#kept && this.#store.closed) this.#file.rest();
    else this.#file.remove();
  }

  #count(bytes: number): void {
    if (this.#removed) return;
    this.#diskBytes += bytes;
    this.#store.diskChanged(bytes);
  }
}
