/** Where a mask is true in a place or a part of it: writes there alone. To read, `where(mask, a, b)` chooses values. */
import type { Selection, Place as WirePlace } from '@tracewire/protocol';
import { coerceOperand, type OperandLike } from './operands.ts';
import type { Recorder } from './recorder.ts';
import { sliceValue } from './shape.ts';
import { writePlace } from './write.ts';

/** The elements of a place where a mask is true: they can be written. */
export class PlaceMask {
  readonly #recorder: Recorder;
  readonly #place: WirePlace | undefined;
  readonly #selection: Selection | undefined;
  readonly #mask: number;

  constructor(
    recorder: Recorder,
    place: WirePlace | undefined,
    selection: Selection | undefined,
    mask: OperandLike,
  ) {
    this.#recorder = recorder;
    this.#place = place;
    this.#selection = selection;
    this.#mask = coerceOperand(recorder, mask, 'bool');
  }

  /** Replaces the value where the mask is true. A number fills; other values broadcast to the whole place or part. */
  set(value: OperandLike): void {
    writePlace(this.#recorder, this.#place, value, this.#selection, this.#mask);
  }

  /** Adds in place where the mask is true. */
  add_(other: OperandLike): void {
    this.set(sliceValue(this.#recorder.read(this.#place), this.#selection ?? []).add(other));
  }
}
