/**
 * Runs that wait for one model. Keys take turns, each one's runs first come first served, so that somebody who sends
 * hundreds delays nobody who sends one. Each run is told how many go before it, and about how long that takes.
 */
import { TracewireError } from '@tracewire/protocol';
import { DEFAULT_LIMITS, QUEUE_RETRY_MS } from './limits.ts';
import type { Run } from './run.ts';

/** Weight of the latest run in the mean of how long runs take. */
const RECENT = 0.2;

export class RunQueue {
  /** The runs of each key, in the order of the keys' turns. */
  readonly #lanes = new Map<string, Run[]>();
  readonly #capacity: number;
  #length = 0;
  #meanMs: number | undefined;

  constructor(capacity: number = DEFAULT_LIMITS.queuedRuns) {
    this.#capacity = capacity;
  }

  get length(): number {
    return this.#length;
  }

  /** Throws `queue_full`. */
  mustHaveRoom(): void {
    if (this.#length < this.#capacity) return;
    throw new TracewireError({
      code: 'queue_full',
      message: `${this.#capacity} runs are waiting for this model already.`,
      retryAfterMs: Math.max(QUEUE_RETRY_MS, Math.round(this.#meanMs ?? 0)),
    });
  }

  push(run: Run): void {
    const lane = this.#lanes.get(run.lane);
    if (lane) lane.push(run);
    else this.#lanes.set(run.lane, [run]);
    this.#length += 1;
  }

  /** Whose turn it is. */
  get first(): Run | undefined {
    const [lane] = this.#lanes.values();
    return lane?.[0];
  }

  shift(): Run | undefined {
    const [turn] = this.#lanes;
    if (!turn) return undefined;
    const [key, lane] = turn;
    const run = lane.shift();
    this.#length -= 1;
    this.#lanes.delete(key);
    // Behind the others, whose turn it is now.
    if (lane.length > 0) this.#lanes.set(key, lane);
    return run;
  }

  /** Takes a run that goes before its turn, with another one: its key's next turn is behind the others'. */
  take(run: Run): void {
    if (!this.remove(run)) return;
    const lane = this.#lanes.get(run.lane);
    this.#lanes.delete(run.lane);
    if (lane) this.#lanes.set(run.lane, lane);
  }

  /** Runs that have had their turn and could not go on: they are their keys' next. */
  putBack(runs: readonly Run[]): void {
    for (const run of runs.toReversed()) {
      const lane = this.#lanes.get(run.lane);
      if (lane) lane.unshift(run);
      else this.#lanes.set(run.lane, [run]);
      this.#length += 1;
    }
  }

  remove(run: Run): boolean {
    const lane = this.#lanes.get(run.lane);
    const at = lane?.indexOf(run) ?? -1;
    if (!lane || at < 0) return false;
    lane.splice(at, 1);
    this.#length -= 1;
    if (lane.length === 0) this.#lanes.delete(run.lane);
    return true;
  }

  /** How long a run of this model took, for the waits that are told. */
  took(milliseconds: number): void {
    this.#meanMs =
      this.#meanMs === undefined ? milliseconds : this.#meanMs + RECENT * (milliseconds - this.#meanMs);
  }

  /** Tells every run its position; `running` is how many runs the model has in hand. */
  announce(running: number): void {
    let position = running;
    for (const run of this.waiting()) {
      run.queued(position, this.#meanMs === undefined ? undefined : Math.round(position * this.#meanMs));
      position += 1;
    }
  }

  /** All that wait, in the order in which they will begin. */
  *waiting(): Iterable<Run> {
    const lanes = [...this.#lanes.values()];
    for (let round = 0; lanes.some((lane) => round < lane.length); round++) {
      for (const lane of lanes) {
        const run = lane[round];
        if (run) yield run;
      }
    }
  }
}
