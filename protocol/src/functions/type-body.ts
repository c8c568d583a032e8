/** Types of a function's values, by the same checks and rules of dims as a graph's own nodes. */
import type { GraphChecker } from '../check.ts';
import type { ErrorBody } from '../errors.ts';
import type { NodeType, TensorType } from '../node-type.ts';
import type { FunctionBody } from './function-body.ts';

export interface TypedBody {
  /** Of each value, as far as it is known. */
  readonly types: readonly NodeType[];
  readonly errors: readonly ErrorBody[];
}

/**
 * Checks a function's nodes over inputs of these types, with a checker that has seen nothing else. An error's path is its
 * operator; its message names the node in the file.
 */
export function typeBody(
  body: FunctionBody,
  inputs: readonly TensorType[],
  checker: GraphChecker,
): TypedBody {
  const types: NodeType[] = inputs.map((type) => checker.given(type));
  const errors: ErrorBody[] = [];
  for (const [at, node] of body.nodes.entries()) {
    const before = checker.errors.length;
    types.push(checker.add(node));
    for (const { node: _, ...error } of checker.errors.slice(before))
      errors.push({ ...error, message: `${body.labels[at]}: ${error.message}` });
  }
  return { types, errors };
}
