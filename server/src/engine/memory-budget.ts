/** What the results of a run's operators may take; they are kept until the run ends. */
import { TracewireError } from '@tracewire/protocol';

export class MemoryBudget {
  readonly #most: number;
  #taken = 0;

  /** `most` in bytes. */
  constructor(most: number) {
    this.#most = most;
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
      return await make();
    } catch (error) {
      this.#taken -= bytes;
      throw error;
    }
  }
}
