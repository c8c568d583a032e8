/** Dims of a module that is applied to a value instead of its input. */
import { ANY, type Dim, type Dims, mostOf, type Shape } from './dim.ts';

/**
 * Named axes of the module's input are those of the operand, sizes of its output are its own. `input` and `output`
 * are the description's.
 */
export function applied(input: Dims, output: Dims, operand: Shape): Shape {
  const { dims } = operand;
  if (!dims || output.length === 0 || dims.length !== input.length)
    return { most: widened(input, output, operand) };
  const size = (dim: Dim): Dim => {
    if (typeof dim === 'number') return dim;
    const axis = dim === ANY ? -1 : input.indexOf(dim);
    return axis < 0 ? ANY : (dims[axis] ?? ANY);
  };
  const result = output.map(size);
  return { dims: result, most: result.includes(ANY) ? widened(input, output, operand) : undefined };
}

/** As many rows as the operand has, of the output's width. */
function widened(input: Dims, output: Dims, operand: Shape): number | undefined {
  const [from, to, count] = [input.at(-1), output.at(-1), mostOf(operand)];
  if (typeof from !== 'number' || typeof to !== 'number' || count === undefined) return undefined;
  return Math.ceil(count / Math.max(1, from)) * to;
}
