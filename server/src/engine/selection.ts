/** Writes into a selected part of a tensor, with broadcasting as in NumPy. */
import {
  type Dtype,
  describeTensor,
  elementCount,
  type Selection,
  type TensorLike,
  TracewireError,
} from '@tracewire/protocol';

interface Axis {
  readonly count: number;
  /** The index on the target's axis of the selection's i-th. */
  readonly at: (i: number) => number;
  /** Whether the axis stays in the selection's dims; an index drops it. */
  readonly kept: boolean;
}

/** Throws `wrong_dims` or `wrong_dtype` for a value that can't take the place of one of this type; `?` fits any size. */
export function checkFits(
  value: TensorLike,
  type: { readonly dtype: Dtype; readonly dims: readonly (number | string)[] },
): void {
  if (value.dtype !== type.dtype) throw misfit('wrong_dtype', type.dtype, value.dtype);
  const same =
    value.dims.length === type.dims.length &&
    type.dims.every((dim, axis) => typeof dim === 'string' || dim === value.dims[axis]);
  if (!same) throw misfit('wrong_dims', describeTensor(type), describeTensor(value));
}

/**
 * A copy of `target` whose selected part is `value`, broadcast to the selection's dims, where the mask, broadcast
 * likewise, is true. Throws `bad_selection` for an index outside the dims, `wrong_dims` or `wrong_dtype` for a value or
 * a mask that doesn't fit.
 */
export function writeSelection(
  target: TensorLike,
  selection: Selection,
  value: TensorLike,
  mask: TensorLike = ALL,
): TensorLike {
  if (mask.dtype !== 'bool') throw misfit('wrong_dtype', 'bool', mask.dtype, 'mask');
  if (value.dtype !== target.dtype) throw misfit('wrong_dtype', target.dtype, value.dtype);
  const axes = resolveSelection(selection, target.dims);
  const selected = axes.filter(({ kept }) => kept).map(({ count }) => count);
  const wanted = `dims that broadcast to [${selected.join(', ')}]`;
  const source = broadcastStrides(value.dims, selected);
  if (!source) throw misfit('wrong_dims', wanted, describeTensor(value));
  const chosen = broadcastStrides(mask.dims, selected);
  if (!chosen) throw misfit('wrong_dims', wanted, describeTensor(mask), 'mask');
  const data = target.data.slice();
  copy(data, value.data, mask.data, axes, { target: stridesOf(target.dims), source, mask: chosen });
  return { dtype: target.dtype, dims: target.dims, data };
}

/** The mask that leaves nothing out. */
const ALL: TensorLike = { dtype: 'bool', dims: [], data: Uint8Array.of(1) };

function resolveSelection(selection: Selection, dims: readonly number[]): Axis[] {
  if (selection.length > dims.length) {
    throw badSelection(`it has ${selection.length} entries, and the value ${dims.length} axes`);
  }
  return dims.map((dim, axis) => {
    const entry = selection[axis] ?? {};
    const within = (index: number): number => {
      const found = index < 0 ? index + dim : index;
      if (found >= 0 && found < dim) return found;
      throw badSelection(`index ${index} is outside axis ${axis}, which has ${dim}`);
    };
    if (typeof entry === 'number') {
      const index = within(entry);
      return { count: 1, at: () => index, kept: false };
    }
    if (!('indices' in entry)) return rangeOf(entry.start, entry.end, entry.step ?? 1, dim);
    const indices = entry.indices.map(within);
    return { count: indices.length, at: (i) => indices[i] ?? 0, kept: true };
  });
}

/** Python's `start:end:step` on an axis of `dim`. */
export function rangeOf(start: number | undefined, end: number | undefined, step: number, dim: number): Axis {
  if (step === 0) throw badSelection('a step of 0');
  const clamp = (index: number, low: number, high: number): number =>
    Math.min(Math.max(index < 0 ? index + dim : index, low), high);
  const first =
    start === undefined
      ? step > 0
        ? 0
        : dim - 1
      : clamp(start, step > 0 ? 0 : -1, step > 0 ? dim : dim - 1);
  const last =
    end === undefined ? (step > 0 ? dim : -1) : clamp(end, step > 0 ? 0 : -1, step > 0 ? dim : dim - 1);
  const count = Math.max(0, Math.ceil((last - first) / step));
  return { count, at: (i) => first + i * step, kept: true };
}

function stridesOf(dims: readonly number[]): number[] {
  const strides: number[] = new Array<number>(dims.length).fill(1);
  for (let axis = dims.length - 2; axis >= 0; axis--)
    strides[axis] = (strides[axis + 1] ?? 1) * (dims[axis + 1] ?? 1);
  return strides;
}

/** Strides that walk `dims` as if it had the dims `wanted`; 0 where it repeats. Undefined if it doesn't broadcast. */
function broadcastStrides(dims: readonly number[], wanted: readonly number[]): number[] | undefined {
  const extra = wanted.length - dims.length;
  if (extra < 0) return undefined;
  const strides = stridesOf(dims);
  const fits = dims.every((dim, axis) => dim === 1 || dim === wanted[axis + extra]);
  return fits
    ? wanted.map((_, axis) => (axis < extra || dims[axis - extra] === 1 ? 0 : (strides[axis - extra] ?? 0)))
    : undefined;
}

interface Strides {
  readonly target: readonly number[];
  /** Of the axes that the selection keeps. */
  readonly source: readonly number[];
  readonly mask: readonly number[];
}

function copy(
  target: TensorLike['data'],
  source: TensorLike['data'],
  mask: TensorLike['data'],
  axes: readonly Axis[],
  strides: Strides,
): void {
  if (elementCount(axes.map(({ count }) => count)) === 0) return;
  const walk = (axis: number, keptAxis: number, to: number, from: number, chosen: number): void => {
    const selected = axes[axis];
    if (!selected) {
      if (mask[chosen]) target[to] = source[from] as never;
      return;
    }
    const stride = strides.target[axis] ?? 1;
    const step = selected.kept ? (strides.source[keptAxis] ?? 0) : 0;
    const maskStep = selected.kept ? (strides.mask[keptAxis] ?? 0) : 0;
    const next = keptAxis + (selected.kept ? 1 : 0);
    for (let i = 0; i < selected.count; i++) {
      walk(axis + 1, next, to + selected.at(i) * stride, from + i * step, chosen + i * maskStep);
    }
  };
  walk(0, 0, 0, 0, 0);
}

function badSelection(why: string): TracewireError {
  return new TracewireError({ code: 'bad_selection', message: `The selection does not fit: ${why}.` });
}

function misfit(
  code: 'wrong_dims' | 'wrong_dtype',
  wanted: string,
  got: string,
  what = 'written value',
): TracewireError {
  return new TracewireError({
    code,
    message: `The ${what} does not fit: wanted ${wanted}, got ${got}.`,
    wanted,
    got,
  });
}
