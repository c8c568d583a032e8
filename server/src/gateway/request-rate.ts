/**
 * How often each key may ask, or each address where there are no keys: so many requests at once, and as many a second. The
 * generic cell rate algorithm: one number a peer, the time at which all that it has asked is paid for.
 */
import { LRUCache } from 'lru-cache';

/** Peers that are remembered; one that is forgotten begins anew. */
const PEERS = 10_000;

export class RequestRate {
  readonly #perSecond: number;
  readonly #now: () => number;
  readonly #paidAt = new LRUCache<string, number>({ max: PEERS });

  /** `now` in milliseconds. */
  constructor(perSecond: number, now: () => number = () => performance.now()) {
    this.#perSecond = perSecond;
    this.#now = now;
  }

  /** Counts a request. The result is the milliseconds to wait before it may be made; 0: it may be made now. */
  take(peer: string): number {
    const now = this.#now();
    const each = 1000 / this.#perSecond;
    const paidAt = Math.max(now, this.#paidAt.get(peer) ?? now);
    const waitMs = paidAt + each - now - 1000;
    // Within the rounding of sums.
    if (waitMs > each / 1000) return Math.ceil(waitMs);
    this.#paidAt.set(peer, paidAt + each);
    return 0;
  }
}
