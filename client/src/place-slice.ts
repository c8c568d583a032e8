/** A part of a place, `m.lm_head.output.slice(0, -1)`: reads that part, or writes it alone. */
import { describePlace, type Selection, type Place as WirePlace } from '@tracewire/protocol';
import { DESCRIBE, RECORDER, RESOLVE } from './operand.ts';
import type { OperandLike } from './operands.ts';
import { PlaceMask } from './place-mask.ts';
import { guard, refuseIteration } from './placeholder.ts';
import type { Recorder } from './recorder.ts';
import type { Saved } from './saved.ts';
import { type AxisMask, maskRead, type Selector, toSelection } from './selection.ts';
import { Shape, sliceValue } from './shape.ts';
import type { Tensor } from './tensor.ts';
import type { TracedValue } from './traced.ts';
import { axisMask, writePlace } from './write.ts';

/** A part of a place, `m.….output.slice(0, -1)`. */
export class PlaceSlice extends Shape {
  readonly #place: WirePlace | undefined;
  readonly #selection: Selection;
  readonly #mask: AxisMask | undefined;

  private constructor(
    recorder: Recorder,
    place: WirePlace | undefined,
    selection: Selection,
    mask: AxisMask | undefined,
  ) {
    super(recorder);
    this.#place = place;
    this.#selection = selection;
    this.#mask = mask;
  }

  /** For `Place.slice`. */
  static create(
    recorder: Recorder,
    place: WirePlace | undefined,
    selectors: readonly Selector[],
  ): PlaceSlice {
    recorder.assertOpen();
    const { selection, mask } = toSelection(selectors);
    return guard(new PlaceSlice(recorder, place, selection, mask));
  }

  override [RESOLVE](): number {
    return this.#read()[RESOLVE]();
  }

  /** Replaces this part of the place's value. A number fills it; other values broadcast to the part's dims. */
  set(value: OperandLike): void {
    const mask = this.#mask && axisMask(this[RECORDER], this.#place, this.#selection, this.#mask);
    writePlace(this[RECORDER], this.#place, value, this.#selection, mask);
  }

  /** Adds in place, to this part alone. */
  add_(other: OperandLike): void {
    this.set(this.#mask ? this.#part().add(other) : this.add(other));
  }

  /** Where a bool tensor, broadcast to the part's dims, is true: `.set(…)` there alone. */
  masked(mask: OperandLike): PlaceMask {
    if (this.#mask) throw maskRead();
    return new PlaceMask(this[RECORDER], this.#place, this.#selection, mask);
  }

  /** A part of the part, to read. */
  slice(...selectors: readonly Selector[]): TracedValue {
    return this.#read().slice(...selectors);
  }

  /** There are no members in a part: an error that says so. */
  at(index: number): TracedValue {
    return this.#read().at(index);
  }

  save(): Saved<Tensor> {
    return this.#read().save();
  }

  log(text?: string): void {
    this.#read().log(text);
  }

  [Symbol.iterator](): never {
    return refuseIteration();
  }

  override [DESCRIBE](): string {
    return `PlaceSlice(${this.#place ? describePlace(this.#place) : 'unknown'})`;
  }

  #read(): TracedValue {
    if (this.#mask) throw maskRead();
    return this.#part();
  }

  /** The whole part, whatever the mask. */
  #part(): TracedValue {
    return sliceValue(this[RECORDER].read(this.#place), this.#selection);
  }
}
