/** Runs that wait for one model, first come first served, each told how many are ahead of it. */
import { TracewireError } from '@tracewire/protocol';
import { QUEUE_RETRY_MS, QUEUED_RUNS } from './limits.ts';
import type { Run } from './run.ts';

export class RunQueue {
  readonly #waiting: Run[] = [];
  readonly #capacity: number;

  constructor(capacity = QUEUED_RUNS) {
    this.#capacity = capacity;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** Throws `queue_full`. */
  mustHaveRoom(): void {
    if (this.#waiting.length < this.#capacity) return;
    throw new TracewireError({
      code: 'queue_full',
      message: `${this.#capacity} runs are waiting for this model already.`,
      retryAfterMs: QUEUE_RETRY_MS,
    });
  }

  push(run: Run): void {
    this.#waiting.push(run);
  }

  shift(): Run | undefined {
    return this.#waiting.shift();
  }

  remove(run: Run): boolean {
    const at = this.#waiting.indexOf(run);
    if (at < 0) return false;
    this.#waiting.splice(at, 1);
    return true;
  }

  /** Tells every run its position; `running` is how many runs the model has in hand. */
  announce(running: number): void {
    for (const [index, run] of this.#waiting.entries()) run.queued(index + running);
  }
}
