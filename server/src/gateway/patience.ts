/**
 * How long a client may take nothing in of what it was sent. An ack of any run shows that it reads; a client that answers
 * pings and never acks would hold its runs' results for ever. Looked at now and then, so that an ack costs nothing.
 */
export class Patience {
  readonly #timer: NodeJS.Timeout;
  #renewed = performance.now();

  /** `awaited`: whether there is something that it should take in. It has at least `ms`, and twice as long at most. */
  constructor(awaited: () => boolean, over: () => void, ms: number) {
    const look = (): void => {
      if (!awaited()) this.renew();
      // What is awaited may have come just after the last look.
      else if (performance.now() - this.#renewed >= 1.5 * ms) over();
    };
    this.#timer = setInterval(look, ms / 2).unref();
  }

  renew(): void {
    this.#renewed = performance.now();
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
