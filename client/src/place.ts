/**
 * A place of the forward pass, `m.transformer.h[0].output`: reads, writes and the stop happen there. It is no
 * value but gives one each time it is used, and each use sees what stood before it in the program.
 */
import { describePlace, type Place as WirePlace } from '@tracewire/protocol';
import { Heads } from './heads.ts';
import { DESCRIBE, RECORDER, RESOLVE } from './operand.ts';
import type { OperandLike } from './operands.ts';
import { PlaceMask } from './place-mask.ts';
import { PlaceSlice } from './place-slice.ts';
import { ANY_MEMBERS, guard, refuseIteration } from './placeholder.ts';
import type { Recorder } from './recorder.ts';
import type { Saved } from './saved.ts';
import type { Selector } from './selection.ts';
import { Shape } from './shape.ts';
import type { SavedValue, Tensor } from './tensor.ts';
import type { TracedValue } from './traced.ts';
import { memberPlace, portsAt, writePlace } from './write.ts';

/** What stands at a place; as an operand it is read anew each time. */
export class Place<V extends SavedValue = SavedValue> extends Shape {
  declare readonly 0: Place<Tensor>;
  declare readonly 1: Place<Tensor>;
  declare readonly 2: Place<Tensor>;
  readonly [index: number]: Place<Tensor>;
  /** Undefined for a place that does not exist, which has been reported. */
  readonly #place: WirePlace | undefined;

  private constructor(recorder: Recorder, place: WirePlace | undefined) {
    super(recorder);
    this.#place = place;
  }

  /** For module proxies: the place of a port. */
  static create<V extends SavedValue>(recorder: Recorder, place: WirePlace | undefined): Place<V> {
    return guard(new Place<V>(recorder, place));
  }

  override [RESOLVE](): number {
    return this.#read()[RESOLVE]();
  }

  /** One member of a tuple; negative indices count from the end. `[0]` of a single output is itself. */
  at(index: number): Place<Tensor> {
    return Place.create(this[RECORDER], this.#place && memberPlace(this[RECORDER], this.#place, index));
  }

  /** Replaces the value from here on for everything downstream. A number fills the place. */
  set(value: OperandLike): void {
    writePlace(this[RECORDER], this.#place, value);
  }

  /** Adds in place: what is downstream sees the sum. */
  add_(other: OperandLike): void {
    this.set(this.add(other));
  }

  /** Where a bool tensor, broadcast to the place's dims, is true: `.set(…)` there alone. */
  masked(mask: OperandLike): PlaceMask {
    return new PlaceMask(this[RECORDER], this.#place, undefined, mask);
  }

  /**
   * The value's heads, by the model's head counts: `[batch, sequence, heads, size]` to read, `heads[3]` to read or write
   * one. Width alone tells: it is for the caller to know that the value is made of heads, as queries, keys, values
   * and the input of attention's output projection are.
   */
  get heads(): Heads {
    return Heads.create(this[RECORDER], this.#place);
  }

  /** A part of the value: read it, or `.set(…)` that part alone. */
  slice(...selectors: readonly Selector[]): PlaceSlice {
    return PlaceSlice.create(this[RECORDER], this.#place, selectors);
  }

  /** Ends the forward pass once the module has run; what comes after it is not computed. */
  stop(): void {
    this[RECORDER].assertOpen();
    if (this.#place) this[RECORDER].add({ kind: 'stop', place: this.#place });
  }

  /** Sends the value back as it is at this point. */
  save<W extends V = V>(): Saved<W> {
    return this.#read().save() as Saved<SavedValue> as Saved<W>;
  }

  /** Prints the value as it is at this point: to `onLog`, else to the console. */
  log(text?: string): void {
    this.#read().log(text);
  }

  /** `const [hidden, key, value] = block.output` takes a tuple apart. */
  *[Symbol.iterator](): Generator<Place<Tensor>> {
    const count = this.#place ? portsAt(this[RECORDER], this.#place).length || ANY_MEMBERS : ANY_MEMBERS;
    if (count === 1) refuseIteration();
    for (let index = 0; index < count; index++) yield this.at(index);
  }

  override [DESCRIBE](): string {
    return `Place(${this.#place ? describePlace(this.#place) : 'unknown'})`;
  }

  #read(): TracedValue {
    return this[RECORDER].read(this.#place);
  }
}
