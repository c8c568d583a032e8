/** Operations that move elements without changing them, and how slicing is made of ONNX operators. */
import type { AxisRange, Selection } from '@tracewire/protocol';
import { RECORDER } from './operand.ts';
import type { OperandLike } from './operands.ts';
import { Reduction } from './reduction.ts';
import type { TracedValue } from './traced.ts';

/** Ends of open ranges: Slice clamps them, and every ONNX Runtime kernel takes them. */
const FAR = 2 ** 31 - 1;

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

  /** Picks along an axis by index (ONNX `Gather`, NumPy's `take`): dims of the indices replace the axis. */
  take(indices: OperandLike, axis = 0): TracedValue {
    return this.operator('Gather', [indices], { axis });
  }
}

/** Indices first, from the last axis on, so that they don't move each other; then all ranges in one Slice. */
export function sliceValue(value: TracedValue, selection: Selection): TracedValue {
  let part = value;
  for (const [axis, entry] of [...selection.entries()].reverse()) {
    if (typeof entry === 'number') part = part.take(entry, axis);
  }
  const kept = selection.filter((entry): entry is AxisRange => typeof entry !== 'number');
  const ranges = [...kept.entries()].filter(([, range]) => Object.keys(range).length > 0);
  return ranges.length > 0 ? sliceRanges(part, ranges) : part;
}

function sliceRanges(value: TracedValue, ranges: readonly (readonly [number, AxisRange])[]): TracedValue {
  const steps = ranges.map(([, { step = 1 }]) => step);
  const starts = ranges.map(([, { start, step = 1 }]) => start ?? (step > 0 ? 0 : FAR));
  const ends = ranges.map(([, { end, step = 1 }]) => end ?? (step > 0 ? FAR : -FAR));
  const axes = ranges.map(([axis]) => axis);
  return value[RECORDER].operator('Slice', [value, starts, ends, axes, steps]);
}
