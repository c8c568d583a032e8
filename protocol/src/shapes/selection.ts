/** Dims of a selected part. */
import type { Selection } from '../graph.ts';
import { ANY, type Dim, type Dims } from './dim.ts';
import { rangeLength } from './layout.ts';

/** An index drops its axis, a range or a list of indices keeps it; missing axes are whole. */
export function selected(selection: Selection, dims: Dims): Dims {
  return dims.flatMap((dim, axis): Dim[] => {
    const entry = selection[axis] ?? {};
    if (typeof entry === 'number') return [];
    if ('indices' in entry) return [entry.indices.length];
    const { start, end, step = 1 } = entry;
    if (start === undefined && end === undefined && Math.abs(step) === 1) return [dim];
    if (step === 0) return [ANY];
    const far = Number.MAX_SAFE_INTEGER;
    return [rangeLength(dim, start ?? (step > 0 ? 0 : far), end ?? (step > 0 ? far : -far), step)];
  });
}
