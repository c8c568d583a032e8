/**
 * Sizes results before they are made, by the same rules as the static check, with the operands' real dims and elements.
 * What the runtime would not survive is refused here too.
 */
import {
  applied,
  DTYPES,
  type Dtype,
  type GraphNode,
  mostOf,
  type NodeOf,
  type OperatorFacts,
  operandsOf,
  operatorFacts,
  outputDtypes,
  outputShapes,
  type Shape,
  ShapeFault,
  shapeOf,
  type TensorLike,
  TracewireError,
  zeros,
} from '@tracewire/protocol';
import type { Model } from './model.ts';
import { sourceOf, type TensorSource } from './operations.ts';

interface Sized extends Shape {
  readonly dtype: Dtype;
}

export interface Measured {
  /** How many nodes of the group, from the first on, can be sized before any of them runs. */
  readonly sized: number;
  /** The bytes of their results, at most. */
  readonly bytes: number;
  /** The result of a first node that gives no elements: the runtime's kernels differ in what they make of that. */
  readonly empty?: readonly TensorLike[];
}

/** Sizes a group of nodes. Throws for a first node that can't be right, or whose result can't be bounded. */
export function measure(
  group: readonly number[],
  nodes: readonly GraphNode[],
  model: Model,
  tensorAt: (source: TensorSource) => TensorLike,
): Measured {
  const made = new Map<number, readonly Sized[]>();
  let bytes = 0;
  for (const [sized, id] of group.entries()) {
    const node = nodes[id];
    if (!node) continue;
    const sources = operandsOf(node).map((operand) => sourceOf(operand, nodes));
    const operands = sources.map((source): Sized => {
      const own = made.get(source.node)?.[source.member];
      return own ?? sizedTensor(tensorAt(source));
    });
    const awaits = sources.some((source) => made.has(source.node));
    if (awaits && node.kind === 'operator' && needsDivisor(node, operands)) return { sized, bytes };
    if (!awaits && node.kind === 'operator') checkDivisor(node, sources.map(tensorAt));
    const results = sizesOf(node, operands, model);
    const most = results.reduce(
      (sum, result) => sum + (mostOf(result) ?? Number.NaN) * DTYPES[result.dtype].size,
      0,
    );
    if (Number.isNaN(most)) {
      if (awaits) return { sized, bytes };
      throw new TracewireError({
        code: 'too_much_memory',
        message: 'Nothing bounds the size of the result.',
        node: id,
      });
    }
    if (most === 0 && node.kind === 'operator') {
      if (sized > 0) return { sized, bytes };
      const empty = emptyTensors(results);
      if (empty) return { sized: 1, bytes: 0, empty };
    }
    made.set(id, results);
    bytes += most;
  }
  return { sized: group.length, bytes };
}

/** Undefined where an axis is open still. */
function emptyTensors(results: readonly Sized[]): TensorLike[] | undefined {
  const tensors = results.map(({ dtype, dims }) =>
    dims?.every((dim) => typeof dim === 'number') ? zeros(dtype, dims) : undefined,
  );
  return tensors.every((tensor) => tensor !== undefined) ? tensors : undefined;
}

const sizedTensor = (tensor: TensorLike): Sized => ({ dtype: tensor.dtype, ...shapeOf(tensor) });

function sizesOf(node: GraphNode, operands: readonly Sized[], model: Model): readonly Sized[] {
  if (node.kind === 'parameter') {
    const parameter = model.parameters.get(node.name);
    return [{ dtype: parameter?.dtype ?? 'float32', dims: parameter?.dims ?? [] }];
  }
  if (node.kind === 'apply') return [appliedSize(node, operands[0], model)];
  if (node.kind !== 'operator') return [];
  const facts = operatorFacts(node.operator);
  if (!facts) throw new Error(`There is no operator ${node.operator}.`);
  return operatorSizes(node, facts, operands);
}

function operatorSizes(
  { operator, attributes = {} }: NodeOf<'operator'>,
  facts: OperatorFacts,
  operands: readonly Sized[],
): readonly Sized[] {
  const dtypes = outputDtypes(
    facts,
    operands.map(({ dtype }) => dtype),
    attributes,
  );
  try {
    const shapes = outputShapes(operator, facts, operands, attributes);
    return dtypes.map((dtype = 'float64', at) => ({ dtype, ...shapes[at] }));
  } catch (fault) {
    if (!(fault instanceof ShapeFault)) throw fault;
    const { code, message, wanted, got } = fault;
    throw new TracewireError({ code, message: `${message}. Wanted ${wanted}, got ${got}.`, wanted, got });
  }
}

/** Where the description's dims don't tell, the module's own sizes count for nothing: it is trusted as the model is. */
function appliedSize({ module: path }: NodeOf<'apply'>, operand: Sized | undefined, model: Model): Sized {
  const module = model.tree.modules.get(path);
  const [input, output] = [module?.inputs[0], module?.outputs[0]].map((value) =>
    model.types.get(value ?? ''),
  );
  const shape = applied(input?.dims ?? [], output?.dims ?? [], operand ?? {});
  return { dtype: output?.dtype ?? 'float32', ...shape, most: mostOf(shape) ?? 0 };
}

const isInteger = (dtype: Dtype): boolean => DTYPES[dtype].kind === 'int' || DTYPES[dtype].kind === 'uint';

function needsDivisor({ operator }: NodeOf<'operator'>, operands: readonly Sized[]): boolean {
  const { divisor } = operatorFacts(operator) ?? {};
  return divisor !== undefined && isInteger(operands[divisor]?.dtype ?? 'float32');
}

/** Dividing an integer by 0, or the least one by −1, is a processor's trap: it would end the whole process. */
function checkDivisor({ operator }: NodeOf<'operator'>, tensors: readonly TensorLike[]): void {
  const { divisor } = operatorFacts(operator) ?? {};
  const [dividend, by] = [tensors[0], divisor === undefined ? undefined : tensors[divisor]];
  if (!dividend || !by || !isInteger(by.dtype)) return;
  const has = (tensor: TensorLike, value: bigint): boolean =>
    (tensor.data as { includes(element: number | bigint): boolean }).includes(
      typeof tensor.data[0] === 'bigint' ? value : Number(value),
    );
  const least = -(2n ** BigInt(DTYPES[by.dtype].size * 8 - 1));
  const overflows = DTYPES[by.dtype].kind === 'int' && has(by, -1n) && has(dividend, least);
  if (!overflows && !has(by, 0n)) return;
  const why = overflows ? `${least} by −1 is no ${by.dtype}` : 'an integer can’t be divided by 0';
  throw new TracewireError({
    code: 'operation_failed',
    message: `${why}. Cast to a float first, or replace such elements by Where.`,
  });
}
