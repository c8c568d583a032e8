/** What the results of a run's operators may take; they are kept until the run ends. */
import { TracewireError } from '@tracewire/protocol';

export class MemoryBudget {
  readonly #most: number;
  readonly #whole: MemoryBudget | undefined;
  #taken = 0;
  #overrun = false;

  /** `most` in bytes; `whole`: what several runs in one pass may take together. */
  constructor(most: number, whole?: MemoryBudget) {
    this.#most = most;
    this.#whole = whole;
  }

  /** Whether it was the whole that something found no room in: that is no fault of the run. */
  get overrun(): boolean {
    return this.#overrun;
  }

  /** Makes something of so many bytes at most. Throws `too_much_memory` instead, if there is no room for it. */
  async within<T>(bytes: number, make: () => Promise<T>): Promise<T> {
    const left = this.#most - this.#taken;
    if (bytes > left) {
      throw new TracewireError({
        code: 'too_much_memory',
        message: `The result may have ${bytes} bytes; the results of a run’s operators may take ${this.#most}, and ${this.#taken} are taken.`,
        wanted: `at most ${left}`,
        got: String(bytes),
      });
    }
    this.#taken += bytes;
    try {
      return await (this.#whole ? this.#whole.#within(bytes, make) : make());
    } catch (error) {
      this.#taken -= bytes;
      throw error;
    }
  }

  async #within<T>(bytes: number, make: () => Promise<T>): Promise<T> {
    this.#overrun ||= bytes > this.#most - this.#taken;
    return this.within(bytes, make);
  }
}
