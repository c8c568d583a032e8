/**
 * Tickets, by which a browser comes in: it can't send a header with an upgrade (PROTOCOL.md, section 1.5). Each is good
 * once, for a short time, and as long as its key is.
 */
import { randomBytes } from 'node:crypto';
import { sha256 } from './secret.ts';

/** A page opens its WebSocket at once; a slow network may take some of this. */
export const TICKET_MS = 30_000;
/** Of one key. A page that asks for tickets without end would fill the memory. */
export const TICKETS_OPEN = 32;

interface Ticket {
  readonly key: string;
  readonly until: number;
}

export class Tickets {
  /** By the ticket's hash, so that looking one up tells nothing by its time. Oldest first. */
  readonly #open = new Map<string, Ticket>();
  readonly #lifeMs: number;

  constructor(lifeMs = TICKET_MS) {
    this.#lifeMs = lifeMs;
  }

  get lifeMs(): number {
    return this.#lifeMs;
  }

  /** Undefined where the key has as many as it may. */
  issue(key: string): string | undefined {
    this.#sweep();
    const open = [...this.#open.values()].filter((ticket) => ticket.key === key);
    if (open.length >= TICKETS_OPEN) return undefined;
    const ticket = randomBytes(32).toString('base64url');
    this.#open.set(sha256(ticket), { key, until: performance.now() + this.#lifeMs });
    return ticket;
  }

  /** The id of the key that the ticket was given to; it is used up then. */
  redeem(ticket: string): string | undefined {
    this.#sweep();
    const digest = sha256(ticket);
    const found = this.#open.get(digest);
    this.#open.delete(digest);
    return found?.key;
  }

  #sweep(): void {
    const now = performance.now();
    for (const [digest, { until }] of this.#open) {
      if (until > now) return;
      this.#open.delete(digest);
    }
  }
}
