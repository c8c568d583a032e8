/**
 * Keeps the models that are loaded within a budget of memory. One that is wanted and doesn't fit waits its turn; the one
 * that was used longest ago makes room, and one that is never idle after it has had its time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServedModel } from './served-model.ts';

/** How often a model that waits for room looks again. */
const POLL_MS = 20;
/** How long a model may go on with the runs that wait for it while another wants its room. */
const TERM_MS = 5000;

export interface ShelfOptions {
  readonly budgetBytes: number;
  readonly termMs?: number;
}

export class Shelf {
  readonly #options: ShelfOptions;
  /** Bytes of weights, by model. */
  readonly #sizes = new Map<ServedModel, number>();
  /** Those that have been given room and are being loaded. */
  readonly #loading = new Set<ServedModel>();
  readonly #line: ServedModel[] = [];
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: ShelfOptions) {
    this.#options = options;
  }

  add(model: ServedModel, weightBytes: number): void {
    this.#sizes.set(model, weightBytes);
  }

  /** Bytes of weights that are loaded, or being loaded. */
  get usedBytes(): number {
    let sum = 0;
    for (const [model, size] of this.#sizes) if (model.loaded || this.#loading.has(model)) sum += size;
    return sum;
  }

  /** Whether a model would fit without another making room for it. */
  fits(model: ServedModel): boolean {
    return this.usedBytes + (this.#sizes.get(model) ?? 0) <= this.#options.budgetBytes;
  }

  /** Whether a model should let go of its room when its run has ended: another waits, and it has had its time. */
  mustYield(model: ServedModel): boolean {
    const term = this.#options.termMs ?? TERM_MS;
    return this.#line.some((other) => other !== model) && performance.now() - model.loadedAt >= term;
  }

  /**
   * Resolves once there is memory for a model; one that is larger than the whole budget is alone in it. Call what it
   * gives once the model has come up, or has failed to.
   */
  async room(model: ServedModel): Promise<() => void> {
    this.#line.push(model);
    const mine = this.#turn.then(() => this.#makeRoom(model));
    this.#turn = mine;
    await mine;
    return () => void this.#loading.delete(model);
  }

  async #makeRoom(model: ServedModel): Promise<void> {
    while (!this.fits(model) && this.usedBytes > 0 && !model.closed) {
      const victim = this.#leastUsed();
      if (victim) victim.unload();
      else await sleep(POLL_MS);
    }
    this.#loading.add(model);
    this.#line.splice(this.#line.indexOf(model), 1);
    for (const other of this.#sizes.keys()) other.proceed();
  }

  #leastUsed(): ServedModel | undefined {
    const idle = [...this.#sizes.keys()].filter((model) => model.loaded && model.mayUnload);
    return idle.sort((a, b) => a.usedAt - b.usedAt)[0];
  }
}
