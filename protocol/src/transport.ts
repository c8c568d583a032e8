/** The one interface between a conversation and whatever carries it. Logic never touches a socket. */

/** What listens on a transport. */
export interface TransportHandlers {
  /**
   * One message. Where `payload` is given, `bytes` ends with the first part as its sender gave it, and `payload` is the
   * rest, wherever it lies: a large payload is not copied only to stand behind its header. Both may be views of more
   * memory than theirs.
   */
  message(bytes: Uint8Array, payload?: Uint8Array): void;
  /** Called once, whichever side closed; `reason` is for people. */
  close(code: number, reason: string): void;
}

/** Carries whole messages, in order, until it is closed. */
export interface Transport {
  /** Sends one message, given in parts to save a copy. After a close it does nothing. */
  send(parts: readonly Uint8Array[]): void;
  /** Sets the handlers; messages that came before are delivered then. */
  listen(handlers: TransportHandlers): void;
  close(code?: number, reason?: string): void;
}

/** Codes by which one side ended a connection on purpose (PROTOCOL.md, section 1.4); 1005 is a close without a code. */
const DELIBERATE: readonly number[] = [1000, 1001, 1003, 1005, 1009];

/** Whether a connection that closed so was lost (PROTOCOL.md, section 2.4): nobody meant it to end. */
export function isLost(code: number): boolean {
  return !DELIBERATE.includes(code) && !(code >= 4400 && code < 4500);
}

/** The parts as one; a single part is given back as it is. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const only = parts[0];
  return parts.length === 1 && only ? only : copyOf(parts);
}

/** The parts in a buffer of their own, even where there is only one. */
export function copyOf(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}

/** Keeps what arrives until somebody listens; the shared half of every transport. */
export class Inbox {
  #handlers: TransportHandlers | undefined;
  #waiting: (readonly [bytes: Uint8Array, payload?: Uint8Array])[] = [];
  #closed: { code: number; reason: string } | undefined;
  #flushing = false;
  #told = false;

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  listen(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    this.#told = false;
    this.#flush();
  }

  deliver(...message: readonly [bytes: Uint8Array, payload?: Uint8Array]): void {
    if (this.#closed) return;
    this.#waiting.push(message);
    this.#flush();
  }

  /** The other side has closed: what came before is still delivered, to whoever listens or will. */
  end(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = { code, reason };
    this.#flush();
  }

  /** This side closes: nothing more is delivered but the close. */
  abandon(code: number, reason: string): void {
    this.#waiting.length = 0;
    this.end(code, reason);
  }

  /** In order, even when a handler sends, closes or receives in the middle. */
  #flush(): void {
    if (this.#flushing || !this.#handlers) return;
    this.#flushing = true;
    try {
      for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
        this.#handlers.message(...next);
      }
      if (!this.#closed || this.#told) return;
      this.#told = true;
      this.#handlers.close(this.#closed.code, this.#closed.reason);
    } finally {
      this.#flushing = false;
    }
  }
}

/** Two ends in one process, each message on a later microtask, as a socket would deliver it. */
export function transportPair(): [Transport, Transport] {
  const inboxes = [new Inbox(), new Inbox()] as const;
  const end = (own: Inbox, other: Inbox): Transport => ({
    send(parts) {
      if (own.closed) return;
      const bytes = concat(parts);
      queueMicrotask(() => other.deliver(bytes));
    },
    listen: (handlers) => own.listen(handlers),
    close(code = 1000, reason = '') {
      own.abandon(code, reason);
      queueMicrotask(() => other.end(code, reason));
    },
  });
  return [end(inboxes[0], inboxes[1]), end(inboxes[1], inboxes[0])];
}
