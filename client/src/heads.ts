/** A value's heads, `m.….attn.c_proj.input.heads`: a view by the head counts that the model's description has. */
import type { AttentionDescription, PortDescription, Place as WirePlace } from '@tracewire/protocol';
import { describePlace, describeTensor } from '@tracewire/protocol';
import { isScalar } from './nested.ts';
import { DESCRIBE, RECORDER, RESOLVE } from './operand.ts';
import type { OperandLike } from './operands.ts';
import { PlaceSlice } from './place-slice.ts';
import { guard } from './placeholder.ts';
import type { Recorder } from './recorder.ts';
import type { Saved } from './saved.ts';
import type { Selector } from './selection.ts';
import { Shape } from './shape.ts';
import type { Tensor } from './tensor.ts';
import type { TracedValue } from './traced.ts';
import { portsAt, writePlace } from './write.ts';

/** Where the heads are: side by side in the last axis, or on an axis of their own. */
interface Layout {
  readonly count: number;
  readonly size: number;
  readonly axis: 'last' | 1 | 2;
}

/** All heads, `[batch, sequence, heads, size]`; by number one of them, which can be read and written. */
export class Heads extends Shape {
  readonly [index: number]: PlaceSlice;
  readonly #place: WirePlace | undefined;
  /** Undefined where the value has no heads, which has been reported. */
  readonly #layout: Layout | undefined;

  private constructor(recorder: Recorder, place: WirePlace | undefined, layout: Layout | undefined) {
    super(recorder);
    this.#place = layout && place;
    this.#layout = layout;
  }

  /** For `Place.heads`. */
  static create(recorder: Recorder, place: WirePlace | undefined): Heads {
    recorder.assertOpen();
    return guard(new Heads(recorder, place, place && layoutAt(recorder, place)));
  }

  /** How many there are. */
  get count(): number {
    return this.#layout?.count ?? 0;
  }

  /** How wide each is. */
  get size(): number {
    return this.#layout?.size ?? 0;
  }

  /** `[batch, sequence, heads, size]`. */
  override [RESOLVE](): number {
    return this.#read()[RESOLVE]();
  }

  /** One head, `[batch, sequence, size]`: read it, or `.set(…)` it alone; negative indices count from the end. */
  at(index: number): PlaceSlice {
    const head = index < 0 ? index + this.count : index;
    const known = this.#layout !== undefined && this.#place !== undefined;
    if (known && !(Number.isInteger(head) && head >= 0 && head < this.count)) {
      const message = `${this[DESCRIBE]()} has ${this.count} heads, 0 to ${this.count - 1}, so no ${index}.`;
      const facts = { wanted: `0 to ${this.count - 1}`, got: String(index) };
      this[RECORDER].report('bad_selection', message, { path: this.#place?.module, ...facts });
      return PlaceSlice.create(this[RECORDER], undefined, []);
    }
    return PlaceSlice.create(this[RECORDER], this.#place, this.#selectors(head));
  }

  /** Replaces all heads: `[batch, sequence, heads, size]`, or a number that fills them. */
  set(value: OperandLike): void {
    const { axis } = this.#layout ?? {};
    if (isScalar(value) || axis === undefined || axis === 2)
      return writePlace(this[RECORDER], this.#place, value);
    const joined =
      axis === 'last'
        ? this[RECORDER].operator('Reshape', [value, [0, 0, -1]])
        : this[RECORDER].operator('Transpose', [value], { perm: [0, 2, 1, 3] });
    writePlace(this[RECORDER], this.#place, joined);
  }

  /** Adds in place. */
  add_(other: OperandLike): void {
    this.set(this.add(other));
  }

  slice(...selectors: readonly Selector[]): TracedValue {
    return this.#read().slice(...selectors);
  }

  save(): Saved<Tensor> {
    return this.#read().save();
  }

  log(text?: string): void {
    this.#read().log(text);
  }

  /** `for (const head of ….heads)`. */
  *[Symbol.iterator](): Generator<PlaceSlice> {
    for (let index = 0; index < this.count; index++) yield this.at(index);
  }

  override [DESCRIBE](): string {
    return `Heads(${this.#place ? describePlace(this.#place) : 'unknown'})`;
  }

  #selectors(head: number): readonly Selector[] {
    const { axis, size } = this.#layout ?? { axis: 'last', size: 0 };
    if (axis === 'last') return [null, null, [head * size, (head + 1) * size]];
    return axis === 1 ? [null, head] : [null, null, head];
  }

  #read(): TracedValue {
    const value = this[RECORDER].read(this.#place);
    const { axis, count, size } = this.#layout ?? { axis: 2 };
    if (axis === 'last') return value.reshape(0, 0, count ?? 0, size ?? 0);
    return axis === 1 ? value.transpose(0, 2, 1, 3) : value;
  }
}

/** Undefined after an error that says what the value is. */
function layoutAt(recorder: Recorder, place: WirePlace): Layout | undefined {
  const [port, ...more] = portsAt(recorder, place);
  const { attention } = recorder.index.description;
  const where = describePlace(place);
  const at = { path: place.module };
  // A place that isn't there is reported, with its reason, by reading it.
  if (!port) {
    recorder.read(place);
    return undefined;
  }
  if (more.length > 0) {
    recorder.report('tuple_value', `${where} is a tuple: pick a member, ${where}[0].heads.`, at);
    return undefined;
  }
  if (!attention) {
    const message = `The model’s configuration doesn’t tell how many heads it has, so ${where} can’t be split into them.`;
    recorder.report('no_hook', message, at);
    return undefined;
  }
  const layout = layoutOf(port, attention);
  if (layout) return layout;
  const { heads, headSize } = attention;
  const message = `${where} is ${describeTensor(port)}, which is not ${heads} heads of ${headSize}${explain(port, attention)}.`;
  recorder.report('wrong_dims', message, {
    ...at,
    wanted: `[batch, sequence, ${heads * headSize}]`,
    got: describeTensor(port),
  });
  return undefined;
}

function layoutOf({ dims }: PortDescription, attention: AttentionDescription): Layout | undefined {
  const { heads, keyValueHeads, headSize: size } = attention;
  const counts = [heads, keyValueHeads];
  const last = dims.at(-1);
  if (dims.length === 3) {
    const count = counts.find((candidate) => last === candidate * size);
    return count === undefined ? undefined : { count, size, axis: 'last' };
  }
  if (dims.length !== 4 || last !== size) return undefined;
  for (const axis of [1, 2] as const) {
    const count = counts.find((candidate) => dims[axis] === candidate);
    if (count !== undefined) return { count, size, axis };
  }
  return undefined;
}

/** What a width that isn't the heads' most likely is. */
function explain(
  { dims }: PortDescription,
  { heads, keyValueHeads, headSize }: AttentionDescription,
): string {
  if (dims.length === 3 && dims[2] === (heads + 2 * keyValueHeads) * headSize) {
    return ': it is as wide as query, key and value together, and in which order they lie is the model’s own. Where it splits them, the attention module’s .source has each: .source.find("Split", 0).heads';
  }
  if (dims.length === 4 && dims[1] === heads) {
    return ': it is a score for each pair of positions. Its heads are axis 1: .slice(null, head)';
  }
  return '';
}
