/** Operations that move elements without changing them, and how slicing is made of ONNX operators. */
import {
  type AttributeValue,
  type AxisIndices,
  type AxisRange,
  type Dtype,
  type Selection,
  selectionFaults,
} from '@tracewire/protocol';
import { RECORDER, RESOLVE } from './operand.ts';
import { literalNode, type OperandLike } from './operands.ts';
import { Reduction } from './reduction.ts';
import type { TracedValue } from './traced.ts';

/** Ends of open ranges: Slice clamps them, and every ONNX Runtime kernel takes them. */
const FAR = 2 ** 31 - 1;

/** How an update meets what is there. */
export type Reduce = 'none' | 'add' | 'mul' | 'min' | 'max';

export abstract class Shape extends Reduction {
  /** Other dims for the same elements; one of them may be −1, and 0 keeps the axis as it is. */
  reshape(...dims: readonly number[]): TracedValue {
    return this.operator('Reshape', [dims]);
  }

  /** Reorders the axes: `transpose(0, 2, 1)`; without arguments it reverses them. */
  transpose(...order: readonly number[]): TracedValue {
    return this.operator('Transpose', [], order.length > 0 ? { perm: order } : undefined);
  }

  /** Drops axes of size 1: those named, or all. */
  squeeze(...axes: readonly number[]): TracedValue {
    return this.operator('Squeeze', axes.length > 0 ? [axes] : []);
  }

  /** Adds axes of size 1 at these places of the result. */
  unsqueeze(...axes: readonly number[]): TracedValue {
    return this.operator('Unsqueeze', [axes]);
  }

  /** `[before axis, after axis]`: all axes from this one on become one. */
  flatten(axis = 1): TracedValue {
    return this.operator('Flatten', [], { axis });
  }

  /** The same value along new or single axes, as in NumPy's `broadcast_to`; 1 keeps an axis as it is. */
  expand(...dims: readonly number[]): TracedValue {
    return this.operator('Expand', [dims]);
  }

  /** Repeats the whole along each axis, one count an axis: NumPy's `tile`, PyTorch's `repeat`. */
  repeat(...counts: readonly number[]): TracedValue {
    return this.operator('Tile', [counts]);
  }

  /** The other way round along these axes. */
  flip(...axes: readonly number[]): TracedValue {
    const each = (value: number): number[] => axes.map(() => value);
    return this.operator('Slice', [each(FAR), each(-FAR), axes, each(-1)]);
  }

  /** More elements: counts before each axis, then counts after each, as ONNX has them. */
  pad(counts: readonly number[], value: OperandLike = 0): TracedValue {
    return this.operator('Pad', [counts, value]);
  }

  /** Equal parts of an axis, the last one smaller: a tuple. */
  split(parts: number, axis = 0): TracedValue {
    return this.operator('Split', [], { axis, num_outputs: parts });
  }

  /** The lower triangle of the last two axes, else 0: a causal mask of ones. */
  tril(diagonal = 0): TracedValue {
    return this.operator('Trilu', [diagonal], { upper: 0 });
  }

  /** The upper triangle of the last two axes, else 0. */
  triu(diagonal = 0): TracedValue {
    return this.operator('Trilu', [diagonal], { upper: 1 });
  }

  /** Picks along an axis by index (ONNX `Gather`, NumPy's `take`): dims of the indices replace the axis. */
  take(indices: OperandLike, axis = 0): TracedValue {
    return this.operator('Gather', [indices], { axis });
  }

  /** One element for each index along an axis (PyTorch's `gather`); the result has the indices' dims. */
  gather(indices: OperandLike, axis = -1): TracedValue {
    return this.operator('GatherElements', [indices], { axis });
  }

  /** A copy in which the elements at the indices along an axis are others (PyTorch's `scatter`). */
  scatter(indices: OperandLike, updates: OperandLike, axis = -1, reduction: Reduce = 'none'): TracedValue {
    return this.operator('ScatterElements', [indices, updates], { axis, reduction });
  }

  /** Those along an axis where a list of bool holds; how many, the data decides. */
  compress(condition: OperandLike, axis = 0): TracedValue {
    return this.operator('Compress', [condition], { axis });
  }

  /** The indices (int64 `[axes, count]`) of what isn’t 0 or false; how many, the data decides. */
  nonzero(): TracedValue {
    return this.operator('NonZero');
  }

  /** The distinct elements in order, and how often each occurs (int64). */
  unique(): { readonly values: TracedValue; readonly counts: TracedValue } {
    const all = this.operator('Unique');
    return { values: all.at(0), counts: all.at(3) };
  }

  /** Indices (int64) as rows of 0 and 1. */
  oneHot(depth: number, dtype: Dtype = 'float32'): TracedValue {
    const values = this[RECORDER].value(literalNode(this[RECORDER], [0, 1], dtype));
    return this.operator('OneHot', [depth, values]);
  }

  /** Normal numbers in the dims and dtype of this value; one seed gives the same numbers on every server. */
  randomNormalLike(options: { mean?: number; scale?: number; seed?: number } = {}): TracedValue {
    return this.operator('RandomNormalLike', [], { ...options });
  }

  /** Numbers from `low` to below `high` in the dims and dtype of this value; one seed gives the same numbers on every server. */
  randomUniformLike(options: { low?: number; high?: number; seed?: number } = {}): TracedValue {
    return this.operator('RandomUniformLike', [], { ...options });
  }

  /** 1 with the probability that each element is, else 0. */
  bernoulli(seed?: number): TracedValue {
    return this.operator('Bernoulli', [], seed === undefined ? undefined : { seed });
  }

  /** Any operator of the protocol, this value being its first input: `h.op('Celu', [], { alpha: 2 })`. */
  op(
    operator: string,
    inputs: readonly OperandLike[] = [],
    attributes?: Readonly<Record<string, AttributeValue>>,
  ): TracedValue {
    return this.operator(operator, inputs, attributes);
  }
}

/** Indices and lists of them first, from the last axis on, so that they don't move each other; then all ranges in one Slice. */
export function sliceValue(value: TracedValue, selection: Selection): TracedValue {
  let part = faultless(value, selection);
  for (const [axis, entry] of [...selection.entries()].reverse()) {
    if (typeof entry === 'number') part = part.take(entry, axis);
    else if ('indices' in entry) part = part.take(entry.indices, axis);
  }
  const kept = selection.filter((entry): entry is AxisRange | AxisIndices => typeof entry !== 'number');
  const ranges = [...kept.entries()].filter(
    (entry): entry is [number, AxisRange] => !('indices' in entry[1]) && Object.keys(entry[1]).length > 0,
  );
  return ranges.length > 0 ? sliceRanges(part, ranges) : part;
}

/** The value, or after an error what stands for one: a selection is told of in its own words, not in the operators' that it becomes. */
function faultless(value: TracedValue, selection: Selection): TracedValue {
  const recorder = value[RECORDER];
  const node = value[RESOLVE]();
  const type = recorder.typeOf(node);
  const [fault] = type.kind === 'tensor' && type.dims ? selectionFaults(selection, type.dims) : [];
  if (!fault) return value;
  const { message, ...facts } = fault;
  const path = recorder.moduleOf(node);
  recorder.report('bad_selection', `In the selection of ${recorder.label(node)}, ${message}.`, {
    path,
    ...facts,
  });
  return recorder.inert();
}

function sliceRanges(value: TracedValue, ranges: readonly (readonly [number, AxisRange])[]): TracedValue {
  const steps = ranges.map(([, { step = 1 }]) => step);
  const starts = ranges.map(([, { start, step = 1 }]) => start ?? (step > 0 ? 0 : FAR));
  const ends = ranges.map(([, { end, step = 1 }]) => end ?? (step > 0 ? FAR : -FAR));
  const axes = ranges.map(([axis]) => axis);
  return value[RECORDER].operator('Slice', [value, starts, ends, axes, steps]);
}
