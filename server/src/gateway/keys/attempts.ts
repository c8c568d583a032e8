/**
 * Counts failed attempts to come in, by address, so that a program with a wrong key, or a guesser, is told to wait and
 * does not fill the log. It never keeps a right key out: keys can't be guessed, and many share an address.
 */
import { isIPv6 } from 'node:net';
import { LRUCache } from 'lru-cache';

/** Failures of one address that are answered as such, within the time below. */
export const FREE_ATTEMPTS = 30;
export const ATTEMPTS_MS = 60_000;
/** Addresses that are remembered; an attacker who has more of them is forgotten in turn. */
const ADDRESSES = 10_000;

export class Attempts {
  readonly #failed = new LRUCache<string, { count: number; readonly since: number }>({
    max: ADDRESSES,
    ttl: ATTEMPTS_MS,
  });

  /** Counts one; the result is the milliseconds to wait, 0 for none. */
  fail(address: string): number {
    const network = networkOf(address);
    const entry = this.#failed.get(network);
    if (!entry) {
      this.#failed.set(network, { count: 1, since: performance.now() });
      return 0;
    }
    entry.count += 1;
    if (entry.count <= FREE_ATTEMPTS) return 0;
    return Math.max(1, Math.ceil(entry.since + ATTEMPTS_MS - performance.now()));
  }

  /** Whether the address was just told to wait for the first time, which is worth a line in the log. */
  isFirstRefused(address: string): boolean {
    return this.#failed.get(networkOf(address))?.count === FREE_ATTEMPTS + 1;
  }
}

/** Whoever has one IPv6 address has the 2^64 beside it. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:/i, '');
  return isIPv6(plain) ? expand(plain).slice(0, 4).join(':') : plain;
}

/** The eight groups of an IPv6 address. */
function expand(address: string): readonly string[] {
  const [left = '', right] = (address.split('%')[0] ?? '').split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  if (right === undefined) return groups(left);
  const [head, tail] = [groups(left), groups(right)];
  return [...head, ...new Array<string>(Math.max(0, 8 - head.length - tail.length)).fill('0'), ...tail];
}
