/** A value of the graph: what an operation, a parameter or an applied module gives. */
import { memberOf } from './member.ts';
import { DESCRIBE, RECORDER, RESOLVE } from './operand.ts';
import { ANY_MEMBERS, guard, refuseIteration } from './placeholder.ts';
import type { Recorder } from './recorder.ts';
import type { Saved } from './saved.ts';
import { type Selector, toReadSelection } from './selection.ts';
import { Shape, sliceValue } from './shape.ts';
import type { SavedValue, Tensor } from './tensor.ts';

/** A value that the trace will have when it runs: it has operations, and no numbers yet. `save()` brings them back. */
export class TracedValue<V extends SavedValue = Tensor> extends Shape {
  declare readonly 0: TracedValue;
  declare readonly 1: TracedValue;
  declare readonly 2: TracedValue;
  readonly [index: number]: TracedValue;
  readonly #node: number;

  private constructor(recorder: Recorder, node: number) {
    super(recorder);
    this.#node = node;
  }

  /** For the recorder: a value for a node. */
  static create(recorder: Recorder, node: number): TracedValue {
    return guard(new TracedValue(recorder, node));
  }

  override [RESOLVE](): number {
    return this.#node;
  }

  /** One member of a tuple; negative indices count from the end. */
  at(index: number): TracedValue {
    return memberOf(this[RECORDER], this.#node, index);
  }

  /**
   * A part of the value, one selector an axis: an index drops the axis, `[start, end]` keeps it, null takes all.
   * `logits.slice(0, -1)` is the last row of the first batch entry.
   */
  slice(...selectors: readonly Selector[]): TracedValue {
    return sliceValue(this[RECORDER].value(this.#node), toReadSelection(selectors));
  }

  /** Sends the value back when it has come to be. */
  save(): Saved<V> {
    return this[RECORDER].save(this.#node) as Saved<V>;
  }

  /** Prints the value when it has come to be: to `onLog`, else to the console. */
  log(text?: string): void {
    this[RECORDER].log(text, this.#node);
  }

  /** `const [values, indices] = …` takes a tuple apart. */
  *[Symbol.iterator](): Generator<TracedValue> {
    const type = this[RECORDER].typeOf(this.#node);
    if (type.kind === 'tensor') refuseIteration();
    const count = type.kind === 'tuple' ? type.members.length : ANY_MEMBERS;
    for (let index = 0; index < count; index++) yield this.at(index);
  }

  override [DESCRIBE](): string {
    return `TracedValue(${this[RECORDER].label(this.#node)})`;
  }
}
