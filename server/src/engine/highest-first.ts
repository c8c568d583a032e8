/** Numbers from the highest on, of which only those that are taken are put in order: a vocabulary is never sorted whole. */
export class HighestFirst {
  readonly #numbers: ArrayLike<number>;
  /** A heap of indices, the next at its root. */
  readonly #heap: Uint32Array;
  #size: number;

  /** Of the numbers above `floor`; none of them may be NaN. */
  constructor(numbers: ArrayLike<number>, floor: number) {
    this.#numbers = numbers;
    this.#heap = new Uint32Array(numbers.length);
    this.#size = 0;
    for (let index = 0; index < numbers.length; index++)
      if ((numbers[index] ?? 0) > floor) this.#heap[this.#size++] = index;
    for (let at = (this.#size >> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  /** The index of the highest that is left, of equal ones the lowest; undefined when none is left. */
  take(): number | undefined {
    if (this.#size === 0) return undefined;
    const first = this.#heap[0];
    this.#size -= 1;
    this.#heap[0] = this.#heap[this.#size] ?? 0;
    this.#sink(0);
    return first;
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const index = heap[from] ?? 0;
    let at = from;
    for (let child = 2 * at + 1; child < this.#size; child = 2 * at + 1) {
      if (child + 1 < this.#size && this.#isBefore(heap[child + 1] ?? 0, heap[child] ?? 0)) child += 1;
      if (!this.#isBefore(heap[child] ?? 0, index)) break;
      heap[at] = heap[child] ?? 0;
      at = child;
    }
    heap[at] = index;
  }

  #isBefore(a: number, b: number): boolean {
    const [left, right] = [this.#numbers[a] ?? 0, this.#numbers[b] ?? 0];
    return left === right ? a < b : left > right;
  }
}
