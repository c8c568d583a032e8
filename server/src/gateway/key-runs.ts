/**
 * The runs of one key, by their ids (PROTOCOL.md, section 2.4); a server without keys has one for everybody. They belong
 * to no connection, so that they can outlive one. It bounds what runs without a connection may take.
 */
import { type ErrorBody, type Limits, TracewireError } from '@tracewire/protocol';
import { type Follower, type Keeping, KeptRun, type NewRun } from './kept-run.ts';
import { DETACHED_RUNS, detachedBytes, QUEUE_RETRY_MS, WAITING_RUNS, waitingBytes } from './limits.ts';
import type { RestoredRun, ResultStore } from './result-store.ts';

export class KeyRuns {
  readonly #limits: Limits;
  readonly #runs = new Map<string, KeptRun>();
  readonly #keeping: Keeping;

  constructor(limits: Limits, key?: string, results?: ResultStore) {
    this.#limits = limits;
    this.#keeping = {
      limits,
      key,
      results,
      endedAlone: () => this.trim(),
      gone: (run) => this.#remove(run),
    };
  }

  /** Runs that are kept, ended or not. */
  get size(): number {
    return this.#runs.size;
  }

  /** Runs that have not ended. */
  get unended(): number {
    let count = 0;
    for (const run of this.#runs.values()) if (!run.ended) count += 1;
    return count;
  }

  /** Whether a run has not ended, or a client has not yet taken in all of one that it follows. */
  get busy(): boolean {
    return [...this.#runs.values()].some((run) => !run.ended || (run.follower && !run.settled));
  }

  /** Ends all runs that have not ended with this error. */
  expire(error: ErrorBody): void {
    for (const run of [...this.#runs.values()]) if (!run.ended) run.expire(error);
  }

  /** Bytes that are kept for clients. */
  get heldBytes(): number {
    return sumOfHeld(this.#runs.values());
  }

  get(id: string): KeptRun | undefined {
    return this.#runs.get(id);
  }

  *[Symbol.iterator](): Iterator<KeptRun> {
    yield* this.#runs.values();
  }

  /** Keeps a run, whose id is free, until nothing is left of it. */
  add(source: NewRun | RestoredRun): KeptRun {
    const run = new KeptRun(this.#keeping, source);
    this.#runs.set(run.id, run);
    return run;
  }

  /** The id is free again. */
  #remove(run: KeptRun): void {
    if (this.#runs.get(run.id) === run) this.#runs.delete(run.id);
  }

  /** Whether that connection was sent something of its runs that it has not taken in. */
  isAwaited(follower: Follower): boolean {
    return this.followedBy(follower).some((run) => run.inFlight > 0);
  }

  followedBy(follower: Follower): KeptRun[] {
    return [...this.#runs.values()].filter((run) => run.follower === follower);
  }

  /** A connection has ended; whether its client may come back for its runs. */
  left(follower: Follower, mayReturn: boolean): void {
    for (const run of this.followedBy(follower)) run.leave(mayReturn);
    this.trim();
  }

  /** Gives those up that have waited longest, until the rest keeps within the limits. */
  trim(): void {
    const waiting = [...this.#runs.values()].filter((run) => run.waitingSince !== undefined);
    waiting.sort((a, b) => (a.waitingSince ?? 0) - (b.waitingSince ?? 0));
    while (waiting.length > WAITING_RUNS || sumOfHeld(waiting) > waitingBytes(this.#limits)) {
      waiting.shift()?.giveUp();
    }
  }

  /** Throws `queue_full` when there are so many detached runs, or they hold so much, that another must wait. */
  mustTakeDetached(): void {
    const detached = this.#detached();
    const held = sumOfHeld(detached);
    if (detached.length < DETACHED_RUNS && held <= detachedBytes(this.#limits)) return;
    throw new TracewireError({
      code: 'queue_full',
      message: `${detached.length} detached runs, ${held} bytes, are kept; another has to wait until one of them has expired.`,
      retryAfterMs: QUEUE_RETRY_MS,
    });
  }

  /** Whether detached runs may keep so many bytes more. */
  hasRoom(bytes: number): boolean {
    const { savedBytes } = this.#limits;
    return sumOfHeld(this.#detached()) + bytes <= detachedBytes(this.#limits) + savedBytes;
  }

  /** The server is going away. */
  close(): void {
    for (const run of [...this.#runs.values()]) run.giveUp();
  }

  #detached(): KeptRun[] {
    return [...this.#runs.values()].filter((run) => run.detached);
  }
}

function sumOfHeld(runs: Iterable<KeptRun>): number {
  let sum = 0;
  for (const run of runs) sum += run.heldBytes;
  return sum;
}
