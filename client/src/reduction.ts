/** Operations along axes: matrix product, softmax, and what makes one number of many. Negative axes count from the end. */
import { Arithmetic } from './arithmetic.ts';
import { RECORDER } from './operand.ts';
import type { OperandLike } from './operands.ts';
import type { TracedValue } from './traced.ts';

/** One axis or several; all of them where it is left out. */
export type Axes = number | readonly number[];

export abstract class Reduction extends Arithmetic {
  /** `[…, n, k] × […, k, m]` gives `[…, n, m]`; leading axes broadcast. */
  matmul(other: OperandLike): TracedValue {
    return this.operator('MatMul', [other]);
  }

  softmax(axis = -1): TracedValue {
    return this.operator('Softmax', [], { axis });
  }

  logSoftmax(axis = -1): TracedValue {
    return this.operator('LogSoftmax', [], { axis });
  }

  /** The index (int64) of the largest along an axis, the first one of equals. */
  argmax(axis = -1, keepDim = false): TracedValue {
    return this.operator('ArgMax', [], { axis, keepdims: Number(keepDim) });
  }

  argmin(axis = -1, keepDim = false): TracedValue {
    return this.operator('ArgMin', [], { axis, keepdims: Number(keepDim) });
  }

  /** The k largest along an axis, in descending order, and their indices (int64). */
  topK(k: number, axis = -1): { readonly values: TracedValue; readonly indices: TracedValue } {
    const both = this.operator('TopK', [[k]], { axis });
    return { values: both.at(0), indices: both.at(1) };
  }

  mean(axes?: Axes, keepDims = false): TracedValue {
    return this.#reduce('ReduceMean', axes, keepDims);
  }

  sum(axes?: Axes, keepDims = false): TracedValue {
    return this.#reduce('ReduceSum', axes, keepDims);
  }

  max(axes?: Axes, keepDims = false): TracedValue {
    return this.#reduce('ReduceMax', axes, keepDims);
  }

  min(axes?: Axes, keepDims = false): TracedValue {
    return this.#reduce('ReduceMin', axes, keepDims);
  }

  /** The Euclidean norm. */
  norm(axes?: Axes, keepDims = false): TracedValue {
    return this.#reduce('ReduceL2', axes, keepDims);
  }

  #reduce(operator: string, axes: Axes | undefined, keepDims: boolean): TracedValue {
    if (typeof axes === 'object' && axes.length === 0) {
      this[RECORDER].report('misuse', 'The list of axes is empty. Leave it out to reduce over all axes.');
    }
    const list = axes === undefined ? [] : [typeof axes === 'number' ? [axes] : axes];
    return this.operator(operator, list, { keepdims: Number(keepDims) });
  }
}
