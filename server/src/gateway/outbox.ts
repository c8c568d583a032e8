/**
 * The numbered messages of one run on their way to the client (PROTOCOL.md, section 2.3, Flow): kept in
 * order until acknowledged, sent while the unacknowledged payload fits the window. The model never waits
 * for a slow reader; what it made waits here, bounded by the run's limit of saved bytes.
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
  readonly #send: (parts: readonly Uint8Array[]) => void;
  /** Not yet acknowledged; the first `#sent` of them have been sent. */
  #entries: Entry[] = [];
  #sent = 0;
  #inFlight = 0;
  #held = 0;
  /** Messages acknowledged so far, which is the highest acknowledged seq. */
  #acked = 0;
  #dropped = false;

  constructor(run: string, windowBytes: number, send: (parts: readonly Uint8Array[]) => void) {
    this.#run = run;
    this.#windowBytes = windowBytes;
    this.#send = send;
  }

  /** The seq of the last message given in. */
  get seq(): number {
    return this.#acked + this.#entries.length;
  }

  get lastSent(): number {
    return this.#acked + this.#sent;
  }

  /** Bytes held for the client, sent or not. */
  get heldBytes(): number {
    return this.#held;
  }

  get empty(): boolean {
    return this.#entries.length === 0;
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
    if (seq > this.lastSent) return false;
    const count = seq - this.#acked;
    if (count <= 0) return true;
    for (const { bytes, size } of this.#entries.splice(0, count)) {
      this.#inFlight -= bytes;
      this.#held -= size;
    }
    this.#acked = seq;
    this.#sent -= count;
    this.#flush();
    return true;
  }

  /** The client is gone: holds nothing any more and takes nothing in. */
  drop(): void {
    this.#dropped = true;
    this.#entries = [];
    this.#sent = 0;
    this.#inFlight = 0;
    this.#held = 0;
  }

  /** A message that is larger than the window goes out alone. */
  #flush(): void {
    for (;;) {
      const next = this.#entries[this.#sent];
      if (!next) return;
      if (this.#inFlight > 0 && this.#inFlight + next.bytes > this.#windowBytes) return;
      this.#sent += 1;
      this.#inFlight += next.bytes;
      this.#send(next.parts);
    }
  }
}
