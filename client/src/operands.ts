/** Turns what users pass to an operation into node ids: placeholders, saved handles, numbers, arrays, tensors. */
import { bindsT, type Dtype, declaredInput, type OperatorFacts, operatorFacts } from '@tracewire/protocol';
import { localError } from './errors.ts';
import { INERT } from './inert.ts';
import { isLiteral, type Literal, literalTensor, ownDtype } from './literal.ts';
import { moduleFacts } from './module-registry.ts';
import { Operand, RECORDER, RESOLVE } from './operand.ts';
import { describe } from './options.ts';
import type { Recorder } from './recorder.ts';
import { Saved } from './saved.ts';

/** What an operation takes: a placeholder of the same trace, or data. */
export type OperandLike = Operand | Literal | Saved<unknown>;

/** The ids of an operator's inputs. Numbers and arrays take the dtype that the operator's other inputs have. */
export function coerceOperands(
  recorder: Recorder,
  operator: string,
  operands: readonly OperandLike[],
): number[] {
  const facts = operatorFacts(operator);
  const resolved = operands.map((operand) => resolveOperand(recorder, operand));
  const binds = (position: number): boolean => facts === undefined || bindsT(facts, position);
  const bound = resolved
    .map((operand, position) => (binds(position) ? dtypeOf(recorder, operand) : undefined))
    .find((dtype) => dtype !== undefined);
  return resolved.map((operand, position) => {
    if (typeof operand === 'number') return operand;
    return literalNode(recorder, operand.literal, wantedDtype(facts, position, bound) ?? 'float32');
  });
}

function wantedDtype(
  facts: OperatorFacts | undefined,
  position: number,
  bound: Dtype | undefined,
): Dtype | undefined {
  const declared = facts ? declaredInput(facts, position) : 'T';
  if (declared === 'T') return bound;
  if (declared === 'U') return undefined;
  return declared === 'index' ? 'int64' : declared;
}

/** One operand's id; a literal becomes a constant of this dtype. */
export function coerceOperand(recorder: Recorder, operand: OperandLike, dtype: Dtype): number {
  const resolved = resolveOperand(recorder, operand);
  return typeof resolved === 'number' ? resolved : literalNode(recorder, resolved.literal, dtype);
}

type Resolved = number | { readonly literal: Literal };

/** Reads places as it goes, left to right, so that each use sees its point in the program. */
export function resolveOperand(recorder: Recorder, operand: OperandLike): Resolved {
  recorder.assertOpen();
  if (operand instanceof Operand) {
    const of = operand[RECORDER];
    if (of === recorder) return operand[RESOLVE]();
    return recorder.earlier(operand) ?? refuseForeign(recorder.isBefore(of));
  }
  if (operand instanceof Saved) {
    return recorder.savedNode(operand) ?? recorder.earlier(operand) ?? refuseForeign(false);
  }
  if (isLiteral(operand)) return { literal: operand };
  const module = moduleFacts(operand);
  // A module that doesn't exist has been reported already.
  if (!module || module.path !== undefined) recorder.report('misuse', notAnOperand(operand, module?.path));
  return INERT;
}

function dtypeOf(recorder: Recorder, operand: Resolved): Dtype | undefined {
  return typeof operand === 'number' ? recorder.dtypeOf(operand) : ownDtype(operand.literal);
}

export function literalNode(recorder: Recorder, literal: Literal, dtype: Dtype): number {
  const tensor = literalTensor(literal, dtype);
  if (!('fault' in tensor)) return recorder.constant(tensor);
  const message = `The literal is no ${dtype} tensor: ${tensor.fault}.`;
  recorder.report(tensor.code, message, tensor.code === 'wrong_dtype' ? { wanted: dtype } : {});
  return INERT;
}

function notAnOperand(operand: unknown, module: string | undefined): string {
  if (module === undefined) {
    return `An operand is ${describe(operand)}; wanted a traced value, a number, an array or a Tensor.`;
  }
  const path = module === '' ? 'm' : `m.${module}`;
  return `${path} is a module, not a value. Write ${path}.output for what it gives.`;
}

function refuseForeign(isLater: boolean): never {
  if (isLater) {
    throw localError(
      'misuse',
      'This value is of a later trace of the session, so it is not there yet. Use it in its own trace or one behind that.',
    );
  }
  throw localError(
    'misuse',
    'This value belongs to another trace. Save it there, and use what .value gives, a Tensor, in this one; or write both traces in one session, in which values go on: model.session((s) => …).',
  );
}
