/** Dims of what moves, repeats or joins elements. */
import { type ShapeCall, type ShapeRule, withAxis } from './call.ts';
import {
  ANY,
  broadcastDims,
  countOf,
  type Dim,
  type Dims,
  describeDims,
  MAX_VALUES,
  mostOf,
  type Shape,
  unify,
} from './dim.ts';

/** Dims in the second input: 0 keeps an axis (unless `allowzero`), −1 is what is left. */
export const reshape: ShapeRule = (call) => {
  const wanted = call.values(1);
  const input = call.inputs[0] ?? {};
  call.rank(1, (rank) => rank === 1, 'a list of dims');
  if (!wanted) {
    const [rank] = call.dims(1) ?? [];
    const dims = typeof rank === 'number' ? new Array<string>(Math.min(rank, 9)).fill(ANY) : undefined;
    return [{ dims, most: mostOf(input) }];
  }
  const keepZero = call.int('allowzero', 0) !== 0;
  const dims = wanted.map((dim, axis): Dim => {
    if (dim !== 0 || keepZero) return dim;
    if (input.dims && axis >= input.dims.length)
      throw call.fault(`axis ${axis} can’t be kept`, `below ${input.dims.length}`, String(axis));
    return input.dims?.[axis] ?? ANY;
  });
  const open = dims.filter((dim) => dim === -1).length;
  if (open > 1 || dims.some((dim) => typeof dim === 'number' && dim < -1))
    throw call.fault('only one of the dims may be −1', 'dims, one of them −1 at most', describeDims(wanted));
  const known = dims.filter((dim) => dim !== -1);
  const rest = open === 1 ? quotient(call, input.dims, known) : undefined;
  const result = dims.map((dim) => (dim === -1 ? (rest ?? ANY) : dim));
  const [had, has] = [countOf(input.dims), countOf(result)];
  if (open === 0 && had !== undefined && has !== undefined && had !== has)
    throw call.fault(
      `${describeDims(input.dims)} has ${had} elements, ${describeDims(result)} has ${has}`,
      `dims of ${had} elements`,
      describeDims(result),
    );
  return [{ dims: result, most: input.most }];
};

/** What is left of dims after others, where names cancel; undefined if it can't be told. */
function quotient(call: ShapeCall, dims: Dims | undefined, by: Dims): Dim | undefined {
  if (!dims) return undefined;
  const left = [...dims];
  const over: Dim[] = [];
  for (const dim of by) {
    const at = typeof dim === 'string' && dim !== ANY ? left.indexOf(dim) : -1;
    if (at >= 0) left.splice(at, 1);
    else over.push(dim);
  }
  const divisor = countOf(over);
  if (divisor === undefined) return undefined;
  const names = left.filter((dim) => typeof dim === 'string');
  const sizes = countOf(left.filter((dim) => typeof dim === 'number')) ?? 1;
  if (names.length === 0) {
    if (divisor === 0 || sizes % divisor !== 0)
      throw call.fault(
        `${describeDims(dims)} can’t be cut by ${describeDims(by)}`,
        `a multiple of ${divisor} elements`,
        String(sizes),
      );
    return sizes / divisor;
  }
  return names.length === 1 && sizes === divisor ? names[0] : undefined;
}

/** `[before axis, after axis]`. */
export const flatten: ShapeRule = (call) => {
  const dims = call.dims(0);
  if (!dims) return [{ dims: [ANY, ANY], most: call.inputs[0]?.most }];
  const axis = call.int('axis', 1);
  const at = axis < 0 ? axis + dims.length : axis;
  if (at < 0 || at > dims.length) call.axis(axis, dims.length);
  const size = (part: Dims): Dim =>
    countOf(part) ??
    (part.filter((dim) => dim !== 1).length === 1 ? (part.find((dim) => dim !== 1) ?? ANY) : ANY);
  return [{ dims: [size(dims.slice(0, at)), size(dims.slice(at))], most: call.inputs[0]?.most }];
};

export const transpose: ShapeRule = (call) => {
  const dims = call.dims(0);
  const order = call.ints('perm');
  if (!dims) return [{ dims: order?.map(() => ANY), most: call.inputs[0]?.most }];
  if (!order) return [{ dims: dims.toReversed(), most: call.inputs[0]?.most }];
  const sorted = order.toSorted((a, b) => a - b);
  if (order.length !== dims.length || sorted.some((axis, at) => axis !== at))
    throw call.fault(
      'perm must name each axis once',
      `0 to ${dims.length - 1}, each once`,
      `[${order.join(', ')}]`,
    );
  return [{ dims: order.map((axis) => dims[axis] ?? ANY), most: call.inputs[0]?.most }];
};

export const squeeze: ShapeRule = (call) => {
  const input = call.inputs[0] ?? {};
  const { dims } = input;
  if (!dims || (call.has(1) && !call.numbers(1))) return [{ most: mostOf(input) }];
  if (!call.has(1)) {
    if (dims.some((dim) => typeof dim === 'string')) return [{ most: mostOf(input) }];
    return [{ dims: dims.filter((dim) => dim !== 1), values: input.values }];
  }
  const axes = call.axes(call.numbers(1) ?? [], dims.length);
  const wrong = axes.find((axis) => unify(dims[axis] ?? 1, 1) === undefined);
  if (wrong !== undefined) throw call.fault(`axis ${wrong} is not of size 1`, '1', String(dims[wrong]));
  return [{ ...input, dims: dims.filter((_, axis) => !axes.includes(axis)) }];
};

export const unsqueeze: ShapeRule = (call) => {
  const input = call.inputs[0] ?? {};
  const { dims } = input;
  const given = call.numbers(1);
  if (!dims || !given) return [{ most: mostOf(input) }];
  const rank = dims.length + given.length;
  const axes = new Set(call.axes(given, rank));
  const rest = dims.values();
  return [
    {
      ...input,
      dims: Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : (rest.next().value ?? ANY))),
    },
  ];
};

/** All dims but the joined axis are equal. */
export const concat: ShapeRule = (call) => {
  const shapes = call.inputs.map(({ dims }) => dims);
  const first = shapes.find((dims) => dims !== undefined);
  if (!first) return [{}];
  const axis = call.axis(call.int('axis', 0), first.length);
  let joined: Dims = first;
  let size: Dim = 0;
  for (const dims of shapes) {
    if (dims && dims.length !== first.length)
      throw call.misfit('they differ in the number of axes', 'equal dims');
    const part: Dim = dims?.[axis] ?? ANY;
    size = typeof size === 'number' && typeof part === 'number' ? size + part : size === 0 ? part : ANY;
    joined = joined.map((dim, at) => {
      const both = at === axis || !dims ? dim : unify(dim, dims[at] ?? ANY);
      if (both === undefined)
        throw call.misfit(`they differ in axis ${at}`, `equal dims but for axis ${axis}`);
      return both;
    });
  }
  const small = first.length === 1 && typeof size === 'number' && size <= MAX_VALUES;
  const values = small ? call.inputs.map((input) => input.values) : [];
  const known = values.every((list) => list !== undefined) ? values.flat() : undefined;
  return [{ dims: withAxis(joined, axis, size), values: small ? known : undefined }];
};

/** Sizes in the second input, or equal parts, the last one smaller. */
export const split: ShapeRule = (call) => {
  const parts = call.int('num_outputs', 1);
  const dims = call.dims(0);
  if (!dims) return Array.from({ length: parts }, () => ({}));
  const axis = call.axis(call.int('axis', 0), dims.length);
  const size = dims[axis];
  const most = mostOf(call.inputs[0] ?? {});
  if (typeof size !== 'number')
    return Array.from({ length: parts }, () => ({ dims: withAxis(dims, axis, ANY), most }));
  const each = Math.ceil(size / parts);
  const last = size - each * (parts - 1);
  if (last < 1)
    throw call.fault(`axis ${axis} has too few for ${parts} parts`, `at least ${parts}`, String(size));
  return Array.from({ length: parts }, (_, part) => ({
    dims: withAxis(dims, axis, part === parts - 1 ? last : each),
  }));
};

/** Starts, ends, axes and steps, as in Python. */
export const slice: ShapeRule = (call) => {
  const input = call.inputs[0] ?? {};
  const { dims } = input;
  for (let at = 1; at < call.inputs.length; at++) call.rank(at, (rank) => rank === 1, 'a list');
  if (!dims) return [{ most: input.most }];
  const [starts, ends] = [call.values(1), call.values(2)];
  const axes = call.has(3) ? call.numbers(3) : starts?.map((_, axis) => axis);
  const steps = call.has(4) ? call.numbers(4) : starts?.map(() => 1);
  const most = mostOf(input);
  if (!axes || !starts || !ends || !steps) return [{ dims: dims.map(() => ANY), most }];
  if ([ends, axes, steps].some((list) => list.length !== starts.length))
    throw call.fault(
      'starts, ends, axes and steps differ in length',
      String(starts.length),
      [ends, axes, steps].map((list) => list.length).join(', '),
    );
  const result = [...dims];
  for (const [at, axis] of call.axes(axes, dims.length).entries()) {
    const step = steps[at] ?? 1;
    if (step === 0) throw call.fault('a step is 0', 'steps that are not 0', '0');
    result[axis] = rangeLength(dims[axis] ?? ANY, starts[at] ?? ANY, ends[at] ?? ANY, step);
  }
  return [{ dims: result, most, values: sliceValues(input, starts, ends, steps) }];
};

/** How many of an axis `start:end:step` takes. */
export function rangeLength(dim: Dim, start: Dim, end: Dim, step: number): Dim {
  if (start === 0 && step === 1 && typeof end === 'number' && end >= 2 ** 31 - 1) return dim;
  if (typeof dim === 'string' || typeof start === 'string' || typeof end === 'string') return ANY;
  const clamp = (index: number): number =>
    Math.min(Math.max(index < 0 ? index + dim : index, step > 0 ? 0 : -1), step > 0 ? dim : dim - 1);
  return Math.max(0, Math.ceil((clamp(end) - clamp(start)) / step));
}

/** Of a list of dims, so that `Shape` then `Slice` is still known. */
function sliceValues({ dims, values }: Shape, starts: Dims, ends: Dims, steps: Dims): Dims | undefined {
  const [start, end] = [starts[0], ends[0]];
  if (dims?.length !== 1 || !values || steps[0] !== 1) return undefined;
  return typeof start === 'number' && typeof end === 'number' ? values.slice(start, end) : undefined;
}

/** Broadcast with the dims in the second input. */
export const expand: ShapeRule = (call) => {
  const dims = call.dims(0);
  call.rank(1, (rank) => rank === 1, 'a list of dims');
  const wanted = call.values(1);
  if (!dims || !wanted) return [{}];
  if (wanted.some((dim) => typeof dim === 'number' && dim < 0))
    throw call.fault('a dim is negative', 'dims of 0 or more', describeDims(wanted));
  const both = broadcastDims(dims, wanted);
  if (!both)
    throw call.fault(
      `${describeDims(dims)} doesn’t broadcast to it`,
      `dims that ${describeDims(dims)} broadcasts to`,
      describeDims(wanted),
    );
  return [{ dims: both }];
};

/** Repeats, one an axis, in the second input. */
export const tile: ShapeRule = (call) => {
  const dims = call.dims(0);
  call.rank(1, (rank) => rank === 1, 'a list of repeats');
  const repeats = call.values(1);
  if (!dims) return [{}];
  if (!repeats) return [{ dims: dims.map(() => ANY) }];
  if (repeats.length !== dims.length || repeats.some((times) => typeof times === 'number' && times < 0))
    throw call.fault(
      'it takes one count an axis',
      `${dims.length} counts of 0 or more`,
      describeDims(repeats),
    );
  return [{ dims: dims.map((dim, axis) => times(dim, repeats[axis] ?? ANY)) }];
};

function times(dim: Dim, count: Dim): Dim {
  if (count === 1) return dim;
  if (dim === 1) return count;
  return typeof dim === 'number' && typeof count === 'number' ? dim * count : ANY;
}

/** How much before each axis, then after each, in the second input; negative counts cut off. */
export const pad: ShapeRule = (call) => {
  const dims = call.dims(0);
  call.rank(1, (rank) => rank === 1, 'a list of counts');
  if (call.has(2)) call.rank(2, (rank) => rank === 0 || rank === 1, 'a scalar');
  const pads = call.numbers(1);
  const given = call.has(3) ? call.numbers(3) : dims?.map((_, axis) => axis);
  if (!dims) return [{}];
  if (!pads || !given) return [{ dims: dims.map(() => ANY) }];
  const axes = call.axes(given, dims.length);
  if (pads.length !== axes.length * 2)
    throw call.fault('it takes two counts an axis', `${axes.length * 2} counts`, `${pads.length}`);
  const result = [...dims];
  for (const [at, axis] of axes.entries()) {
    const [before = 0, after = 0, dim = ANY] = [pads[at], pads[at + axes.length], dims[axis]];
    const mode = call.attributes['mode'] ?? 'constant';
    if (before === 0 && after === 0) continue;
    const size = typeof dim === 'number' ? dim + before + after : ANY;
    if (typeof size === 'number' && size < 0)
      throw call.fault('it cuts off more than there is', `at least ${-Number(dim)}`, `${before + after}`);
    if (
      typeof dim === 'number' &&
      mode !== 'constant' &&
      (dim === 0 || (mode === 'reflect' && Math.max(before, after) >= dim))
    )
      throw call.fault(
        `axis ${axis} has too little to ${mode}`,
        `counts below ${dim}`,
        `${before} and ${after}`,
      );
    result[axis] = size;
  }
  return [{ dims: result }];
};

/** The dims as int64, whole or from `start` to `end`. */
export const shape: ShapeRule = (call) => {
  const dims = call.dims(0);
  const part = dims?.slice(call.int('start', 0), call.int('end', dims.length));
  return [{ dims: [part?.length ?? ANY], most: 8, values: part }];
};

/** How many elements, a scalar. */
export const size: ShapeRule = (call) => {
  const count = countOf(call.dims(0));
  return [{ dims: [], values: count === undefined ? undefined : [count] }];
};

/** From a start to below a limit, all three scalars. */
export const range: ShapeRule = (call) => {
  for (const input of [0, 1, 2]) call.rank(input, (rank) => rank === 0, 'a scalar');
  const [start, limit, delta] = [0, 1, 2].map((input) => call.values(input)?.[0]);
  if (delta === 0) throw call.fault('the step is 0', 'a step that is not 0', '0');
  if (start === 0 && delta === 1 && typeof limit === 'string') return [{ dims: [limit] }];
  if (typeof start !== 'number' || typeof limit !== 'number' || typeof delta !== 'number')
    return [{ dims: [ANY] }];
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  if (!Number.isFinite(count))
    throw call.fault('it never ends', 'a finite range', `${start} to ${limit} by ${delta}`);
  return [{ dims: [count] }];
};

/** The attribute `shape`. */
export const ofAttribute: ShapeRule = (call) => {
  const dims = call.ints('shape') ?? [];
  if (dims.some((dim) => dim < 0))
    throw call.fault('a dim is negative', 'dims of 0 or more', describeDims(dims));
  return [{ dims }];
};

/** Matrices only. */
export const matrix: ShapeRule = (call) => {
  call.rank(0, (rank) => rank === 2, 'a matrix');
  return [{ dims: call.dims(0) }];
};
