/**
 * Tokens of a fast model go out a few at a time: each message wakes a thread of the host, the gateway and the client, which
 * take the cores from the pass that is running by then.
 */

/** Nobody reads faster. */
export const TOGETHER_MS = 20;

export class HeldTokens<E> {
  readonly #send: (event: E) => void;
  readonly #now: () => number;
  #held: E[] = [];
  #sent = Number.NEGATIVE_INFINITY;

  constructor(send: (event: E) => void, now = (): number => performance.now()) {
    this.#send = send;
    this.#now = now;
  }

  /** Sends it with those that are held, or holds it if some were sent just before. */
  take(event: E): void {
    this.#held.push(event);
    if (this.#now() - this.#sent >= TOGETHER_MS) this.flush();
  }

  /** Sends what is held: before anything else of the run, which comes behind its tokens. */
  flush(): void {
    if (this.#held.length === 0) return;
    const held = this.#held;
    this.#held = [];
    this.#sent = this.#now();
    for (const event of held) this.#send(event);
  }
}
