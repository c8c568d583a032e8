/**
 * The root of everything that stands for a value in a trace. `arithmetic.ts`, `reduction.ts` and `shape.ts` add
 * the operations, each file one section of the same class; `TracedValue` and `Place` are what users hold.
 */
import type { AttributeValue } from '@tracewire/protocol';
import type { OperandLike } from './operands.ts';
import type { Recorder } from './recorder.ts';
import { INSPECT } from './tensor.ts';
import type { TracedValue } from './traced.ts';

/** The recorder a placeholder belongs to. */
export const RECORDER: unique symbol = Symbol('tracewire.recorder');
/** Gives the id of the value's node; for a place, a fresh read of it. */
export const RESOLVE: unique symbol = Symbol('tracewire.resolve');
/** What Node's console shows. */
export const DESCRIBE: unique symbol = Symbol('tracewire.describe');

export abstract class Operand {
  readonly [RECORDER]: Recorder;

  constructor(recorder: Recorder) {
    this[RECORDER] = recorder;
  }

  abstract [RESOLVE](): number;
  abstract [DESCRIBE](): string;

  /** Node calls this with the guarding proxy as `this`, which hands other methods the target but not this one. */
  [INSPECT](): string {
    return `${this[DESCRIBE]()}, no value yet: .log() prints it when the trace runs`;
  }

  /** This value as the first input of an operator. */
  protected operator(
    operator: string,
    others: readonly OperandLike[] = [],
    attributes?: Readonly<Record<string, AttributeValue>>,
  ): TracedValue {
    return this[RECORDER].operator(operator, [this, ...others], attributes);
  }
}
