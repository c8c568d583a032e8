/**
 * The numbered messages of one run on their way to the client (PROTOCOL.md, sections 2.3, Flow, and 2.4): kept in
 * order until acknowledged, or longer where the run is detached; sent to whichever connection follows the run, while
 * the unacknowledged payload fits the window. The model never waits for a slow reader, or for none; what it made
 * waits here, in memory or where the store wants it on disk, bounded by the run's limit of saved bytes.
 */
import { encodeFrame, type ServerMessage } from '@tracewire/protocol';
import type { ResultShelf, ResultStore, Spillable } from './result-store.ts';
import type { Piece } from './run-file.ts';
import type { StoredRun } from './stored-run.ts';

type WithoutNumber<T> = T extends { readonly seq: number } ? Omit<T, 'run' | 'seq'> : never;

/** A message of a run, before it has its run id and its number. */
export type RunMessage = WithoutNumber<ServerMessage>;

interface Entry {
  /** In memory; undefined once it is only on disk. */
  parts: readonly Uint8Array[] | undefined;
  /** On disk. */
  piece: Piece | undefined;
  /** While it is on its way to the disk: whether it got there. */
  coming?: Promise<boolean> | undefined;
  /** Acknowledged, and let go of. */
  freed?: boolean;
  /** Payload bytes, which are what the window counts. */
  readonly bytes: number;
  /** Header and payload, which are what memory holds. */
  readonly size: number;
}

export interface OutboxOptions {
  readonly run: string;
  readonly windowBytes: number;
  /** Whether messages stay when they have been acknowledged. */
  readonly keepsAll?: boolean;
  /** Without one all is in memory. */
  readonly store?: ResultStore | undefined;
  /** What was sent can't be had from the disk again: the run is lost. */
  unreadable?(): void;
}

/** A run of an earlier gateway. */
export interface RestoredMessages {
  readonly entries: StoredRun['entries'];
  readonly shelf: ResultShelf;
}

export class Outbox implements Spillable {
  readonly #run: string;
  readonly #windowBytes: number;
  /** Whether messages stay when they have been acknowledged. */
  #keepsAll: boolean;
  /** To the connection that follows the run; none while nobody does. */
  #send: ((parts: readonly Uint8Array[]) => void) | undefined;
  /** What is held: the messages after `#freed`. */
  #entries: Entry[] = [];
  /** The three are seqs: freed ≤ acknowledged ≤ sent, the latter two by and to the connection that follows. */
  #freed = 0;
  #acked = 0;
  #sent = 0;
  /** The highest seq that any connection was sent. */
  #everSent = 0;
  #inFlight = 0;
  #held = 0;
  #dropped = false;
  readonly #shelf: ResultShelf | undefined;
  readonly #unreadable: () => void;
  /** Of `#held`, what is in memory and not on its way to the disk. */
  #idle = 0;
  /** What has come from the disk to be sent. */
  #fetched: { readonly entry: Entry; readonly parts: readonly Uint8Array[] } | undefined;
  #fetching = false;

  constructor(options: OutboxOptions, restored?: RestoredMessages) {
    this.#run = options.run;
    this.#windowBytes = options.windowBytes;
    this.#keepsAll = options.keepsAll ?? false;
    this.#unreadable = options.unreadable ?? (() => {});
    this.#shelf = restored?.shelf ?? options.store?.shelf(this);
    if (!restored) return;
    for (const { bytes, piece } of restored.entries) {
      this.#entries.push({ parts: undefined, piece, bytes, size: piece.size });
      this.#held += piece.size;
    }
    this.#everSent = this.#entries.length;
  }

  /** The seq of the last message given in. */
  get seq(): number {
    return this.#freed + this.#entries.length;
  }

  get lastSent(): number {
    return this.#sent;
  }

  /** Bytes held for the client, sent or not. */
  get heldBytes(): number {
    return this.#held;
  }

  get idleBytes(): number {
    return this.#idle;
  }

  /** Payload bytes that were sent and not acknowledged. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Whether so many bytes more find a place. A client that keeps up is always served. */
  hasRoom(bytes: number): boolean {
    return this.#shelf?.hasRoom(bytes, this.#idle, this.#windowBytes) ?? true;
  }

  /** Whether all messages have been acknowledged. */
  get settled(): boolean {
    return this.#acked === this.seq;
  }

  /**
   * Sends the messages after `after`, which counts as acknowledged, to a connection, and goes on from there. False if
   * that can't be: messages after it have been freed, or it has not been sent yet.
   */
  follow(send: (parts: readonly Uint8Array[]) => void, after: number): boolean {
    if (this.#dropped || after < this.#freed || after > this.#everSent) return false;
    this.#send = send;
    this.#acked = after;
    this.#sent = after;
    this.#inFlight = 0;
    this.#free();
    this.#flush();
    return true;
  }

  /** Nobody follows the run any more. */
  pause(): void {
    this.#send = undefined;
    this.#shelf?.rest();
  }

  /** First what nobody waits for, then what is sent last, then what may have to be sent again. */
  spill(bytes: number): void {
    const acked = this.#entries.slice(0, this.#acked - this.#freed);
    const inFlight = this.#entries.slice(acked.length, this.#sent - this.#freed);
    const unsent = this.#entries.slice(this.#sent - this.#freed).reverse();
    let rest = bytes;
    for (const entry of [...acked, ...unsent, ...inFlight]) {
      if (rest <= 0) return;
      if (entry.piece || entry.coming) continue;
      rest -= entry.size;
      void this.#put(entry);
    }
  }

  /** The run has ended: puts all of it on disk, to be found by gateways to come. What the disk doesn't take stays here. */
  keep(about: Omit<StoredRun, 'entries'>): void {
    const entries = [...this.#entries];
    void this.#shelf?.keep(async () => {
      const there = await Promise.all(entries.map((entry) => this.#put(entry)));
      if (!there.every(Boolean)) return undefined;
      return { ...about, entries: entries.map(({ bytes, piece }) => ({ bytes, piece: piece as Piece })) };
    });
  }

  /** From here on acknowledged messages go, as do those that have been acknowledged. */
  keepUnacknowledged(): void {
    this.#keepsAll = false;
    this.#free();
  }

  push(message: RunMessage, payload?: Uint8Array): void {
    if (this.#dropped) return;
    const { type, ...fields } = message;
    const header = { type, run: this.#run, seq: this.seq + 1, ...fields };
    const bytes = payload?.byteLength ?? 0;
    const parts = encodeFrame(header, payload && bytes > 0 ? [payload] : []);
    const size = parts.reduce((sum, part) => sum + part.byteLength, 0);
    this.#entries.push({ parts, piece: undefined, bytes, size });
    this.#held += size;
    this.#flush();
    this.#count(size);
  }

  /** Takes a cumulative ack. False if it names a message that has not been sent. */
  ack(seq: number): boolean {
    if (seq > this.#sent) return false;
    if (seq <= this.#acked) return true;
    const taken = this.#entries.slice(this.#acked - this.#freed, seq - this.#freed);
    for (const { bytes } of taken) this.#inFlight -= bytes;
    this.#acked = seq;
    this.#free();
    this.#flush();
    return true;
  }

  /** The run is given up: holds nothing any more and takes nothing in. */
  drop(): void {
    if (this.#dropped) return;
    this.#dropped = true;
    this.#shelf?.remove(this.#idle);
    this.#idle = 0;
    this.#send = undefined;
    this.#entries = [];
    this.#held = 0;
  }

  /** Lets go of what has been acknowledged. */
  #free(): void {
    if (this.#keepsAll) return;
    for (const entry of this.#entries.splice(0, this.#acked - this.#freed)) {
      this.#held -= entry.size;
      if (!entry.piece && !entry.coming) this.#count(-entry.size);
      entry.freed = true;
    }
    this.#freed = this.#acked;
  }

  #count(bytes: number): void {
    this.#idle += bytes;
    this.#shelf?.memoryChanged(bytes);
  }

  /** True once it is on disk. */
  #put(entry: Entry): Promise<boolean> {
    const { parts, size } = entry;
    const shelf = this.#shelf;
    if (entry.coming) return entry.coming;
    if (!shelf || !parts) return Promise.resolve(entry.piece !== undefined);
    this.#count(-size);
    entry.coming = shelf.put(parts, size).then((piece) => {
      entry.coming = undefined;
      entry.piece = piece;
      if (piece) entry.parts = undefined;
      else if (!entry.freed && !this.#dropped) this.#count(size);
      return piece !== undefined;
    });
    return entry.coming;
  }

  /** A message that is larger than the window goes out alone. */
  #flush(): void {
    while (this.#send && !this.#fetching) {
      const next = this.#entries[this.#sent - this.#freed];
      if (!next) return;
      if (this.#inFlight > 0 && this.#inFlight + next.bytes > this.#windowBytes) return;
      const parts = next.parts ?? (this.#fetched?.entry === next ? this.#fetched.parts : undefined);
      if (!parts) return this.#fetch(next);
      this.#sent += 1;
      this.#everSent = Math.max(this.#everSent, this.#sent);
      this.#inFlight += next.bytes;
      this.#send(parts);
    }
  }

  #fetch(entry: Entry): void {
    if (!this.#shelf || !entry.piece) throw new Error('a message is neither in memory nor on disk');
    this.#fetching = true;
    this.#shelf.read(entry.piece).then(
      (bytes) => {
        this.#fetching = false;
        this.#fetched = { entry, parts: [bytes] };
        this.#flush();
        this.#fetched = undefined;
      },
      () => {
        this.#fetching = false;
        if (!this.#dropped) this.#unreadable();
      },
    );
  }
}
