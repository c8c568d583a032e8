/** Operations element by element. Both operands broadcast as in NumPy, and both have one dtype: nothing is cast. */
import { DTYPE_NAMES, DTYPES, type Dtype, nearest } from '@tracewire/protocol';
import { localError } from './errors.ts';
import { Operand } from './operand.ts';
import type { OperandLike } from './operands.ts';
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

  neg(): TracedValue {
    return this.operator('Neg');
  }

  abs(): TracedValue {
    return this.operator('Abs');
  }

  sqrt(): TracedValue {
    return this.operator('Sqrt');
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

  not(): TracedValue {
    return this.operator('Not');
  }

  /** Another dtype; floats are cut towards zero for integers. */
  cast(dtype: Dtype): TracedValue {
    if (Object.hasOwn(DTYPES, dtype)) return this.operator('Cast', [], { to: DTYPES[dtype].onnx });
    const near = nearest(String(dtype), DTYPE_NAMES);
    const hint = near ? `Did you mean ${near}?` : `There are ${DTYPE_NAMES.join(', ')}.`;
    throw localError('bad_attribute', `There is no dtype ${JSON.stringify(dtype)}. ${hint}`, {
      nearest: near,
    });
  }
}
