/** What dims tell of a selection before anything runs; named axes are known only when the model does. */
import type { AxisIndices, AxisRange, Selection } from './graph.ts';
import type { Dims } from './shapes/dim.ts';
import { plural } from './words.ts';

export interface SelectionFault {
  /** `axis 2 has 128 indices, so no 128`. */
  readonly message: string;
  readonly wanted: string;
  readonly got: string;
}

/** Ranges are cut to what is there, as in Python; indices are not. */
export function selectionFaults(selection: Selection, dims: Dims): SelectionFault[] {
  const faults = selection.flatMap((entry, axis) => entryFault(entry, axis, dims[axis]) ?? []);
  // No dims is a scalar, or a rank that the exporter did not write down.
  if (dims.length === 0 || selection.length <= dims.length) return faults;
  const message = `there are ${selection.length} entries, and it has ${plural(dims.length, 'axis', 'axes')}`;
  return [{ message, wanted: `at most ${dims.length}`, got: String(selection.length) }, ...faults];
}

function entryFault(
  entry: number | AxisRange | AxisIndices,
  axis: number,
  dim: number | string | undefined,
): SelectionFault | undefined {
  if (isRange(entry)) {
    if (entry.step !== 0) return undefined;
    return { message: `axis ${axis} has step 0`, wanted: 'a step that is not 0', got: '0' };
  }
  if (typeof dim !== 'number') return undefined;
  const outside = (typeof entry === 'number' ? [entry] : entry.indices).find(
    (index) => index >= dim || index < -dim,
  );
  if (outside === undefined) return undefined;
  const message = `axis ${axis} has ${plural(dim, 'index', 'indices')}, so no ${outside}`;
  return { message, wanted: `${-dim} to ${dim - 1}`, got: String(outside) };
}

const isRange = (entry: number | AxisRange | AxisIndices): entry is AxisRange =>
  typeof entry !== 'number' && !('indices' in entry);
