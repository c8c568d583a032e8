/** Operations on several values at once. */
import { localError } from './errors.ts';
import { moduleFacts } from './module-registry.ts';
import { Operand, RECORDER } from './operand.ts';
import type { OperandLike } from './operands.ts';
import type { Recorder } from './recorder.ts';
import { Saved } from './saved.ts';
import type { TracedValue } from './traced.ts';

/** Joins values along an axis; all other dims are equal. */
export function concat(values: readonly OperandLike[], axis = -1): TracedValue {
  return recorderOf(values, 'concat').operator('Concat', values, { axis });
}

/** `a` where the condition (bool) holds, else `b`; all three broadcast. */
export function where(condition: OperandLike, a: OperandLike, b: OperandLike): TracedValue {
  return recorderOf([condition, a, b], 'where').operator('Where', [condition, a, b]);
}

/** Joins values along a new axis; all dims are equal. */
export function stack(values: readonly OperandLike[], axis = 0): TracedValue {
  const recorder = recorderOf(values, 'stack');
  const rows = values.map((value) => recorder.operator('Unsqueeze', [value, [axis]]));
  return recorder.operator('Concat', rows, { axis });
}

/** Product and sum by letters of axes, of one value or two: `einsum('bqd,bkd->bqk', q, k)`. */
export function einsum(equation: string, ...values: readonly OperandLike[]): TracedValue {
  return recorderOf(values, 'einsum').operator('Einsum', values, { equation });
}

function recorderOf(values: readonly OperandLike[], name: string): Recorder {
  const operand = values.find((value) => value instanceof Operand);
  if (operand instanceof Operand) return operand[RECORDER];
  const saved = values.some((value) => value instanceof Saved);
  const module = values.map(moduleFacts).find((facts) => facts?.path !== undefined);
  if (module) {
    const path = module.path === '' ? 'm' : `m.${module.path}`;
    throw localError('misuse', `${path} is a module, not a value: ${name} wants ${path}.output.`);
  }
  const advice = saved ? 'Give it the value itself, not its saved handle.' : 'Make one with m.constant(…).';
  throw localError('misuse', `${name} needs at least one value of the trace. ${advice}`);
}
