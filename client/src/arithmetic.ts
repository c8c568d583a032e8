/** Operations element by element. Both operands broadcast as in NumPy, and both have one dtype: nothing is cast. */
import { DTYPE_NAMES, DTYPES, type Dtype, nearest } from '@tracewire/protocol';
import { localError } from './errors.ts';
import { Operand, RECORDER, RESOLVE } from './operand.ts';
import type { OperandLike } from './operands.ts';
import { describe } from './options.ts';
import type { TracedValue } from './traced.ts';

export abstract class Arithmetic extends Operand {
  add(other: OperandLike): TracedValue {
    return this.operator('Add', [other]);
  }

  sub(other: OperandLike): TracedValue {
    return this.operator('Sub', [other]);
  }

  mul(other: OperandLike): TracedValue {
    return this.operator('Mul', [other]);
  }

  /** For integers the quotient is cut towards zero. */
  div(other: OperandLike): TracedValue {
    return this.operator('Div', [other]);
  }

  pow(exponent: OperandLike): TracedValue {
    return this.operator('Pow', [exponent]);
  }

  /** The remainder: of integers with the divisor’s sign, as in Python; of floats with the dividend’s, as `fmod`. */
  mod(divisor: OperandLike): TracedValue {
    const recorder = this[RECORDER];
    const dividend = this[RESOLVE]();
    const dtype = recorder.dtypeOf(dividend);
    const fmod = Number(dtype !== undefined && DTYPES[dtype].kind === 'float');
    return recorder.operator('Mod', [recorder.value(dividend), divisor], { fmod });
  }

  neg(): TracedValue {
    return this.operator('Neg');
  }

  abs(): TracedValue {
    return this.operator('Abs');
  }

  /** −1, 0 or 1. */
  sign(): TracedValue {
    return this.operator('Sign');
  }

  sqrt(): TracedValue {
    return this.operator('Sqrt');
  }

  /** `x · x`. */
  square(): TracedValue {
    return this.operator('Mul', [this]);
  }

  /** `1 / x`. */
  reciprocal(): TracedValue {
    return this.operator('Reciprocal');
  }

  floor(): TracedValue {
    return this.operator('Floor');
  }

  ceil(): TracedValue {
    return this.operator('Ceil');
  }

  /** Halves to even, as in PyTorch. */
  round(): TracedValue {
    return this.operator('Round');
  }

  sin(): TracedValue {
    return this.operator('Sin');
  }

  cos(): TracedValue {
    return this.operator('Cos');
  }

  /** The error function. */
  erf(): TracedValue {
    return this.operator('Erf');
  }

  exp(): TracedValue {
    return this.operator('Exp');
  }

  /** The natural logarithm. */
  ln(): TracedValue {
    return this.operator('Log');
  }

  relu(): TracedValue {
    return this.operator('Relu');
  }

  tanh(): TracedValue {
    return this.operator('Tanh');
  }

  sigmoid(): TracedValue {
    return this.operator('Sigmoid');
  }

  /** `x Φ(x)`; `'tanh'` is the approximation that GPT-2 uses. */
  gelu(approximate: 'none' | 'tanh' = 'none'): TracedValue {
    return this.operator('Gelu', [], { approximate });
  }

  /** `x · sigmoid(x)`. */
  silu(): TracedValue {
    return this.operator('Mul', [this.operator('Sigmoid')]);
  }

  /** `ln(1 + e^x)`. */
  softplus(): TracedValue {
    return this.operator('Softplus');
  }

  /** `x` where it is above the threshold, else 0: JumpReLU of a sparse autoencoder. */
  threshold(above: number): TracedValue {
    return this.operator('ThresholdedRelu', [], { alpha: above });
  }

  /** Held between two scalars; either may be left out. */
  clamp(least?: OperandLike, most?: OperandLike): TracedValue {
    if (least === undefined) return most === undefined ? this.operator('Identity') : this.minimum(most);
    return this.operator('Clip', most === undefined ? [least] : [least, most]);
  }

  /** The larger of the two, element by element. */
  maximum(other: OperandLike): TracedValue {
    return this.operator('Max', [other]);
  }

  /** The smaller of the two, element by element. */
  minimum(other: OperandLike): TracedValue {
    return this.operator('Min', [other]);
  }

  /** Comparisons give bool. */
  eq(other: OperandLike): TracedValue {
    return this.operator('Equal', [other]);
  }

  ne(other: OperandLike): TracedValue {
    return this.eq(other).not();
  }

  gt(other: OperandLike): TracedValue {
    return this.operator('Greater', [other]);
  }

  ge(other: OperandLike): TracedValue {
    return this.operator('GreaterOrEqual', [other]);
  }

  lt(other: OperandLike): TracedValue {
    return this.operator('Less', [other]);
  }

  le(other: OperandLike): TracedValue {
    return this.operator('LessOrEqual', [other]);
  }

  /** Of bool values. */
  and(other: OperandLike): TracedValue {
    return this.operator('And', [other]);
  }

  or(other: OperandLike): TracedValue {
    return this.operator('Or', [other]);
  }

  xor(other: OperandLike): TracedValue {
    return this.operator('Xor', [other]);
  }

  not(): TracedValue {
    return this.operator('Not');
  }

  isNaN(): TracedValue {
    return this.operator('IsNaN');
  }

  isInf(): TracedValue {
    return this.operator('IsInf');
  }

  /** This where the condition (bool) doesn’t hold, `value` where it does. */
  maskedFill(condition: OperandLike, value: OperandLike): TracedValue {
    return this[RECORDER].operator('Where', [condition, value, this]);
  }

  /** Another dtype; floats are cut towards zero for integers. */
  cast(dtype: Dtype): TracedValue {
    if (Object.hasOwn(DTYPES, dtype)) return this.operator('Cast', [], { to: DTYPES[dtype].onnx });
    const near = nearest(String(dtype), DTYPE_NAMES);
    const hint = near ? `Did you mean ${near}?` : `There are ${DTYPE_NAMES.join(', ')}.`;
    const got = typeof dtype === 'string' ? JSON.stringify(dtype) : describe(dtype);
    const facts = { path: 'cast', got, nearest: near };
    throw localError('bad_attribute', `There is no dtype ${got} to cast to. ${hint}`, facts);
  }

  /** The dtype of another value. */
  castLike(other: OperandLike): TracedValue {
    return this.operator('CastLike', [other]);
  }
}
