/** One use of an operator, as the rules of its dims see it. */
import type { AttributeValue } from '../graph.ts';
import { type Dim, type Dims, describeDims, type Shape } from './dim.ts';

/** Gives what is known of each output. Throws a `ShapeFault` for what can't be right. */
export type ShapeRule = (call: ShapeCall) => readonly Shape[];

export type ShapeCode = 'wrong_dims' | 'bad_attribute' | 'bad_selection';

/** Dims, an axis or an index that doesn't fit. */
export class ShapeFault extends Error {
  readonly code: ShapeCode;
  readonly wanted: string;
  readonly got: string;

  constructor(code: ShapeCode, message: string, wanted: string, got: string) {
    super(message);
    this.code = code;
    this.wanted = wanted;
    this.got = got;
  }
}

export class ShapeCall {
  readonly operator: string;
  readonly inputs: readonly Shape[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;

  constructor(
    operator: string,
    inputs: readonly Shape[],
    attributes: Readonly<Record<string, AttributeValue>>,
  ) {
    this.operator = operator;
    this.inputs = inputs;
    this.attributes = attributes;
  }

  has(input: number): boolean {
    return input < this.inputs.length;
  }

  dims(input: number): Dims | undefined {
    return this.inputs[input]?.dims;
  }

  /** The elements of a small input, where they are known. */
  values(input: number): Dims | undefined {
    return this.inputs[input]?.values;
  }

  /** The elements where all are known as numbers. */
  numbers(input: number): readonly number[] | undefined {
    const values = this.values(input);
    return values?.every((value): value is number => typeof value === 'number') ? values : undefined;
  }

  int(name: string, fallback: number): number {
    const value = this.attributes[name];
    return typeof value === 'number' ? value : fallback;
  }

  ints(name: string): readonly number[] | undefined {
    const value = this.attributes[name];
    return typeof value === 'object' ? value : undefined;
  }

  /** An axis counted from the start. Throws if there is none. */
  axis(axis: number, rank: number, attribute = 'axis'): number {
    const from = axis < 0 ? axis + rank : axis;
    if (Number.isInteger(axis) && from >= 0 && from < rank) return from;
    const wanted = rank === 0 ? 'a value with axes' : `${-rank} to ${rank - 1}`;
    throw new ShapeFault(
      Object.hasOwn(this.attributes, attribute) ? 'bad_attribute' : 'wrong_dims',
      `${this.operator} has no axis ${axis}: its value has ${rank === 1 ? '1 axis' : `${rank} axes`}`,
      wanted,
      String(axis),
    );
  }

  /** Axes counted from the start, none twice. */
  axes(axes: readonly number[], rank: number): readonly number[] {
    const from = axes.map((axis) => this.axis(axis, rank));
    if (new Set(from).size < from.length)
      throw this.fault('an axis is named twice', 'each axis once', `[${axes.join(', ')}]`);
    return from;
  }

  /** Throws unless an input has as many axes; unknown ones pass. */
  rank(input: number, wanted: (rank: number) => boolean, words: string): void {
    const dims = this.dims(input);
    if (dims && !wanted(dims.length))
      throw this.fault(`input ${input} must be ${words}`, words, describeDims(dims));
  }

  fault(why: string, wanted: string, got: string): ShapeFault {
    return new ShapeFault('wrong_dims', `${this.operator}: ${why}`, wanted, got);
  }

  /** For inputs whose dims don't go together. */
  misfit(why: string, wanted: string): ShapeFault {
    const got = this.inputs.map(({ dims }) => describeDims(dims)).join(' and ');
    return new ShapeFault('wrong_dims', `${this.operator} of ${got}: ${why}`, wanted, got);
  }
}

/** Dims with one axis replaced, or dropped. */
export function withAxis(dims: Dims, axis: number, ...by: Dim[]): Dims {
  return [...dims.slice(0, axis), ...by, ...dims.slice(axis + 1)];
}
