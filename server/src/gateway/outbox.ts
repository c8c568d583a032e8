/**
 * The numbered messages of one run on their way to the client (PROTOCOL.md, sections 2.3, Flow, and 2.4): kept in
 * order until acknowledged, or longer where the run is detached; sent to whichever connection follows the run, while
 * the unacknowledged payload fits the window. The model never waits for a slow reader, or for none; what it made
 * waits here, bounded by the run's limit of saved bytes.
 */
import { encodeFrame, type ServerMessage } from '@tracewire/protocol';

type WithoutNumber<T> = T extends { readonly seq: number } ? Omit<T, 'run' | 'seq'> : never;

/** A message of a run, before it has its run id and its number. */
export type RunMessage = WithoutNumber<ServerMessage>;

interface Entry {
  readonly parts: readonly Uint8Array[];
  /** Payload bytes, which are what the window counts. */
  readonly bytes: number;
  /** Header and payload, which are what memory holds. */
  readonly size: number;
}

export class Outbox {
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

  constructor(run: string, windowBytes: number, keepsAll = false) {
    this.#run = run;
    this.#windowBytes = windowBytes;
    this.#keepsAll = keepsAll;
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
    this.#entries.push({ parts, bytes, size });
    this.#held += size;
    this.#flush();
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
    this.#dropped = true;
    this.#send = undefined;
    this.#entries = [];
    this.#held = 0;
  }

  /** Lets go of what has been acknowledged. */
  #free(): void {
    if (this.#keepsAll) return;
    for (const { size } of this.#entries.splice(0, this.#acked - this.#freed)) this.#held -= size;
    this.#freed = this.#acked;
  }

  /** A message that is larger than the window goes out alone. */
  #flush(): void {
    while (this.#send) {
      const next = this.#entries[this.#sent - this.#freed];
      if (!next) return;
      if (this.#inFlight > 0 && this.#inFlight + next.bytes > this.#windowBytes) return;
      this.#sent += 1;
      this.#everSent = Math.max(this.#everSent, this.#sent);
      this.#inFlight += next.bytes;
      this.#send(next.parts);
    }
  }
}
