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

  /**
   * Product and sum by letters of axes, of this value and at most one other: `q.einsum('bqd,bkd->bqk', k)`.
   */
  einsum(equation: string, other?: OperandLike): TracedValue {
    return this.operator('Einsum', other === undefined ? [] : [other], { equation });
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

  /** All elements of an axis in order, and their indices (int64). */
  sort(axis = -1, descending = false): { readonly values: TracedValue; readonly indices: TracedValue } {
    const size = this.operator('Shape').take([axis]);
    const both = this.operator('TopK', [size], { axis, largest: Number(descending) });
    return { values: both.at(0), indices: both.at(1) };
  }

  /** The indices (int64) that sort an axis. */
  argsort(axis = -1, descending = false): TracedValue {
    return this.sort(axis, descending).indices;
  }

  /** The running sum. */
  cumsum(axis = -1): TracedValue {
    return this.operator('CumSum', [axis]);
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

  /** The product. */
  prod(axes?: Axes, keepDims = false): TracedValue {
    return this.#reduce('ReduceProd', axes, keepDims);
  }

  /** `ln Σ e^x`, without overflow. */
  logSumExp(axes?: Axes, keepDims = false): TracedValue {
    return this.#reduce('ReduceLogSumExp', axes, keepDims);
  }

  /** The norm: Euclidean, or with `p` 1 the sum of absolute values. */
  norm(axes?: Axes, keepDims = false, p: 1 | 2 = 2): TracedValue {
    return this.#reduce(p === 1 ? 'ReduceL1' : 'ReduceL2', axes, keepDims);
  }

  /** The variance; `correction` 1 divides by n − 1, as PyTorch does, 0 by n, as NumPy does. */
  var(axes?: Axes, keepDims = false, correction: 0 | 1 = 1): TracedValue {
    const centred = this.operator('Sub', [this.mean(axes, true)]);
    const variance = centred.square().mean(axes, keepDims);
    if (correction === 0) return variance;
    const count = this.operator('Size')
      .div(this[RECORDER].operator('Size', [variance]))
      .castLike(variance);
    return variance.mul(count).div(count.sub(1));
  }

  /** The standard deviation: the root of `var`. */
  std(axes?: Axes, keepDims = false, correction: 0 | 1 = 1): TracedValue {
    return this.var(axes, keepDims, correction).sqrt();
  }

  /** Divided by its Euclidean norm along an axis: a direction of length 1. */
  normalize(axis = -1): TracedValue {
    return this.operator('LpNormalization', [], { axis });
  }

  /** The cosine of the angle between two, along an axis that is dropped; `epsilon` is the least product of norms. */
  cosineSimilarity(other: OperandLike, axis = -1, epsilon = 1e-8): TracedValue {
    const dot = this.operator('Mul', [other]).sum(axis);
    const squares = this.operator('Mul', [this])
      .sum(axis)
      .mul(this[RECORDER].operator('Mul', [other, other]).sum(axis));
    return dot.div(squares.sqrt().maximum(epsilon));
  }

  /** Mean 0 and variance 1 over the last axis; then times `weight`, plus `bias`, where given. */
  layerNorm(weight?: OperandLike, bias?: OperandLike, epsilon = 1e-5): TracedValue {
    if (weight !== undefined) {
      return this.operator('LayerNormalization', bias === undefined ? [weight] : [weight, bias], { epsilon });
    }
    const centred = this.operator('Sub', [this.mean(-1, true)]);
    const normal = centred.div(centred.square().mean(-1, true).add(epsilon).sqrt());
    return bias === undefined ? normal : normal.add(bias);
  }

  /** Divided by the root of the mean square over the last axis; then times `weight`, where given. */
  rmsNorm(weight?: OperandLike, epsilon = 1e-6): TracedValue {
    const normal = this.operator('Div', [this.operator('Mul', [this]).mean(-1, true).add(epsilon).sqrt()]);
    return weight === undefined ? normal : normal.mul(weight);
  }

  #reduce(operator: string, axes: Axes | undefined, keepDims: boolean): TracedValue {
    if (typeof axes === 'object' && axes.length === 0) {
      this[RECORDER].report('misuse', 'The list of axes is empty. Leave it out to reduce over all axes.');
    }
    const list = axes === undefined ? [] : [typeof axes === 'number' ? [axes] : axes];
    return this.operator(operator, list, { keepdims: Number(keepDims) });
  }
}
