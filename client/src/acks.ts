/** Acknowledges a run's messages: by bytes, so that the server's window stays open, and by time (PROTOCOL.md, 2.1). */

/** The standard's second, less what a message needs to arrive. */
const LONGEST_MS = 800;

export class Acks {
  readonly #send: (seq: number) => void;
  readonly #everyBytes: number;
  #seq = 0;
  #acked = 0;
  #bytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Acknowledges at half of the window or of a chunk, whichever is less, so that the server never waits for the clock. */
  constructor(
    limits: { readonly windowBytes: number; readonly chunkBytes: number },
    send: (seq: number) => void,
  ) {
    this.#send = send;
    this.#everyBytes = Math.min(limits.windowBytes, limits.chunkBytes) / 2;
  }

  /** A message has been taken in. */
  took(seq: number, bytes: number): void {
    this.#seq = seq;
    this.#bytes += bytes;
    if (this.#bytes >= this.#everyBytes) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), LONGEST_MS);
  }

  flush(): void {
    this.stop();
    if (this.#seq === this.#acked) return;
    this.#acked = this.#seq;
    this.#bytes = 0;
    this.#send(this.#seq);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
