/** Dims of what makes one element of many. */
import { type ShapeCall, type ShapeRule, withAxis } from './call.ts';
import { ANY, type Dims, mostOf } from './dim.ts';

/** Over the axes in the second input; over all where it is left off or empty. */
export const reduce: ShapeRule = (call) => {
  const dims = call.dims(0);
  if (!dims) return [{}];
  const keep = call.int('keepdims', 1) !== 0;
  const axes = axesOf(call, dims.length);
  if (axes) {
    const over = new Set(axes);
    return [{ dims: dims.flatMap((dim, axis) => (over.has(axis) ? (keep ? [1] : []) : [dim])) }];
  }
  const [count] = call.dims(1) ?? [];
  const rank = keep ? dims.length : typeof count === 'number' && count > 0 ? dims.length - count : undefined;
  return [
    {
      dims: rank === undefined ? undefined : new Array<string>(Math.max(0, rank)).fill(ANY),
      most: mostOf(call.inputs[0] ?? {}),
    },
  ];
};

function axesOf(call: ShapeCall, rank: number): readonly number[] | undefined {
  const all = Array.from({ length: rank }, (_, axis) => axis);
  if (!call.has(1)) return all;
  call.rank(1, (axes) => axes === 1, 'a list of axes');
  const axes = call.numbers(1);
  if (axes?.length === 0) return all;
  return axes && call.axes(axes, rank);
}

/** The index of one element of each row. */
export const argument: ShapeRule = (call) => {
  const dims = call.dims(0);
  if (!dims) return [{}];
  const axis = call.axis(call.int('axis', 0), dims.length);
  if (dims[axis] === 0) throw call.fault('the axis is empty', 'an axis of 1 or more', '0');
  return [{ dims: call.int('keepdims', 1) ? withAxis(dims, axis, 1) : withAxis(dims, axis) }];
};

/** Values and indices, `k` of each row. */
export const topK: ShapeRule = (call) => {
  const dims = call.dims(0);
  if (!dims) return [{}, {}];
  const axis = call.axis(call.int('axis', -1), dims.length);
  const count = call.dims(1);
  if (count && (count.length !== 1 || (typeof count[0] === 'number' && count[0] !== 1)))
    throw call.fault('k is a list of one', 'dims [1]', `[${count.join(', ')}]`);
  const [k = ANY] = call.values(1) ?? [];
  const size = dims[axis] ?? ANY;
  if (typeof k === 'number' && (k < 0 || (typeof size === 'number' && k > size)))
    throw call.fault('k is beyond the axis', `0 to ${size}`, String(k));
  const result = { dims: withAxis(dims, axis, k), most: mostOf(call.inputs[0] ?? {}) };
  return [result, result];
};

/** One index of each row of `[rows, classes]`, `sample_size` times. */
export const multinomial: ShapeRule = (call) => {
  call.rank(0, (rank) => rank === 2, '[rows, classes]');
  const [rows = ANY, classes] = call.dims(0) ?? [];
  if (classes === 0) throw call.fault('there are no classes', 'classes', '0');
  return [{ dims: [rows, call.int('sample_size', 1)] satisfies Dims }];
};
