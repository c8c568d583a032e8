/** Dims of what picks and places elements by index. */
import { type ShapeCall, type ShapeRule, withAxis } from './call.ts';
import { ANY, countOf, type Dim, type Dims, describeDims, mostOf, unify } from './dim.ts';
import { same } from './elementwise.ts';

/** Dims of the indices in place of the axis. */
export const gather: ShapeRule = (call) => {
  const [dims, indices] = [call.dims(0), call.dims(1)];
  if (!dims) return [{}];
  const axis = call.axis(call.int('axis', 0), dims.length);
  const picked = call.numbers(1);
  checkIndices(call, 1, dims[axis] ?? ANY);
  const list = dims.length === 1 ? call.values(0) : undefined;
  const values = list && picked?.map((index) => list.at(index) ?? ANY);
  return [{ dims: indices && withAxis(dims, axis, ...indices), values }];
};

/** Throws for a known index outside its axis. */
function checkIndices(call: ShapeCall, input: number, size: Dim): void {
  if (typeof size !== 'number') return;
  const wrong = call.numbers(input)?.find((index) => index >= size || index < -size);
  if (wrong === undefined) return;
  const wanted = size === 0 ? 'no index: the axis is empty' : `${-size} to ${size - 1}`;
  throw call.fault(`index ${wrong} is outside its axis of ${size}`, wanted, String(wrong));
}

/** The indices' dims; all but the axis are within the data's. */
export const gatherElements: ShapeRule = (call) => {
  checkElements(call);
  return [{ dims: call.dims(1) }];
};

/** The data's dims; indices and updates have one another's. */
export const scatterElements: ShapeRule = (call) => {
  checkElements(call);
  const [indices, updates] = [call.dims(1), call.dims(2)];
  if (indices && updates && !sameDims(indices, updates))
    throw call.misfit('indices and updates differ', `updates of ${describeDims(indices)}`);
  return same(call);
};

function checkElements(call: ShapeCall): void {
  const [dims, indices] = [call.dims(0), call.dims(1)];
  if (!dims) return;
  const axis = call.axis(call.int('axis', 0), dims.length);
  checkIndices(call, 1, dims[axis] ?? ANY);
  if (!indices) return;
  const beyond = indices.some((dim, at) => {
    const most = dims[at];
    return at !== axis && typeof dim === 'number' && typeof most === 'number' && dim > most;
  });
  if (indices.length !== dims.length || beyond)
    throw call.misfit(
      'the indices don’t lie within the data',
      `${dims.length} axes, within ${describeDims(dims)}`,
    );
}

function sameDims(a: Dims, b: Dims): boolean {
  return a.length === b.length && a.every((dim, axis) => unify(dim, b[axis] ?? ANY) !== undefined);
}

/** The last axis of the indices points into the data after `batch_dims` axes. */
export const gatherND: ShapeRule = (call) => {
  const [dims, indices] = [call.dims(0), call.dims(1)];
  const batch = call.int('batch_dims', 0);
  call.rank(0, (rank) => rank > batch && batch >= 0, `of more than ${batch} axes`);
  call.rank(1, (rank) => rank > batch, `of more than ${batch} axes`);
  const depth = indices?.at(-1);
  if (!dims || !indices || typeof depth !== 'number') return [{}];
  checkDepth(call, depth, dims.length - batch);
  if (!sameDims(dims.slice(0, batch), indices.slice(0, batch)))
    throw call.misfit('the batch axes differ', `equal first ${batch} axes`);
  return [{ dims: [...indices.slice(0, -1), ...dims.slice(batch + depth)] }];
};

function checkDepth(call: ShapeCall, depth: number, most: number): void {
  if (depth >= 1 && depth <= most) return;
  throw call.fault('the last axis of the indices has one index an axis', `1 to ${most}`, String(depth));
}

/** The data's dims. */
export const scatterND: ShapeRule = (call) => {
  const [dims, indices, updates] = [call.dims(0), call.dims(1), call.dims(2)];
  call.rank(0, (rank) => rank >= 1, 'a value with axes');
  call.rank(1, (rank) => rank >= 1, 'a value with axes');
  const depth = indices?.at(-1);
  if (!dims || !indices || typeof depth !== 'number') return same(call);
  checkDepth(call, depth, dims.length);
  const wanted = [...indices.slice(0, -1), ...dims.slice(depth)];
  if (updates && !sameDims(updates, wanted))
    throw call.misfit('the updates don’t fit', `updates of ${describeDims(wanted)}`);
  return same(call);
};

/** A new axis of the depth; values are [off, on]. */
export const oneHot: ShapeRule = (call) => {
  const dims = call.dims(0);
  call.rank(0, (rank) => rank >= 1, 'a value with axes');
  call.rank(1, (rank) => rank <= 1, 'a scalar');
  const values = call.dims(2);
  if (values && (values.length !== 1 || unify(values[0] ?? ANY, 2) === undefined))
    throw call.fault('values are [off, on]', '[2]', describeDims(values));
  if (!dims) return [{}];
  const at = call.axis(call.int('axis', -1), dims.length + 1);
  const [depth = ANY] = call.values(1) ?? [];
  if (typeof depth === 'number' && depth < 1)
    throw call.fault('the depth is too small', 'at least 1', String(depth));
  return [{ dims: [...dims.slice(0, at), depth, ...dims.slice(at)] }];
};

/** `[axes, count]`: one column an element that isn't zero. */
export const nonZero: ShapeRule = (call) => {
  const dims = call.dims(0);
  const count = mostOf(call.inputs[0] ?? {});
  // A scalar has no axes to name, and yet ONNX Runtime gives it one.
  const rank = dims && Math.max(1, dims.length);
  return [
    { dims: [rank ?? ANY, ANY], most: rank === undefined || count === undefined ? undefined : rank * count },
  ];
};

/** Those along an axis, or of all in one row, where a condition holds. */
export const compress: ShapeRule = (call) => {
  const dims = call.dims(0);
  call.rank(1, (rank) => rank === 1, 'a list of bool');
  const most = mostOf(call.inputs[0] ?? {});
  const flat = !Object.hasOwn(call.attributes, 'axis');
  if (!dims) return [flat ? { dims: [ANY], most } : { most }];
  const axis = flat ? 0 : call.axis(call.int('axis', 0), dims.length);
  const size = flat ? countOf(dims) : dims[axis];
  const [length] = call.dims(1) ?? [];
  if (typeof size === 'number' && typeof length === 'number' && length > size)
    throw call.fault('the condition is longer than the axis', `at most ${size}`, String(length));
  const kept = call.numbers(1)?.filter((flag) => flag !== 0).length ?? ANY;
  return [{ dims: flat ? [kept] : withAxis(dims, axis, kept), most }];
};

/** The distinct elements, or rows along an axis: themselves, first places, which one each was, counts. */
export const unique: ShapeRule = (call) => {
  const input = call.inputs[0] ?? {};
  const most = mostOf(input);
  const flat = !Object.hasOwn(call.attributes, 'axis');
  const { dims } = input;
  const axis = flat || !dims ? 0 : call.axis(call.int('axis', 0), dims.length);
  const of = flat ? countOf(dims) : dims?.[axis];
  if (countOf(dims) === 0 && of !== 0)
    throw call.fault('what it compares has no elements', 'elements beside the axis', describeDims(dims));
  const rows = typeof of === 'number' ? of : most;
  const found = of === 0 ? 0 : ANY;
  const list = { dims: [found], most: rows };
  const values = flat ? { dims: [found], most } : { dims: dims && withAxis(dims, axis, found), most };
  return [values, list, { dims: [of ?? ANY], most: rows }, list];
};
