/** Dims of what works element by element. */
import type { ShapeCall, ShapeRule } from './call.ts';
import { broadcastDims, broadcastsTo, countOf, type Dims, describeDims } from './dim.ts';

/** The first input's. */
export const same: ShapeRule = ({ inputs: [first = {}] }) => [{ dims: first.dims, most: first.most }];

/** The first input's, elements included: a cast of a count is still that count. */
export const sameValues: ShapeRule = ({ inputs: [first = {}] }) => [first];

/** All inputs broadcast to one another. */
export const broadcast: ShapeRule = (call) => {
  let dims: Dims | undefined = [];
  for (const input of call.inputs) {
    if (!input.dims || !dims) return [{}];
    dims = broadcastDims(dims, input.dims);
    if (!dims) throw call.misfit('the dims don’t broadcast', 'equal dims, or 1, counted from the last axis');
  }
  // Beside scalars the data still decides.
  const open = call.inputs.filter(({ most }) => most !== undefined);
  const rest = call.inputs.filter(({ most }) => most === undefined);
  const most =
    open.length === 1 && rest.every((input) => input.dims?.length === 0) ? open[0]?.most : undefined;
  return [{ dims, most }];
};

/** Bounds of `Clip` are scalars. */
export const clip: ShapeRule = (call) => {
  for (let input = 1; input < call.inputs.length; input++) call.rank(input, (rank) => rank === 0, 'a scalar');
  return same(call);
};

/** The other inputs broadcast to the first. */
export const broadcastToFirst: ShapeRule = (call) => {
  const dims = call.dims(0);
  for (let input = 1; dims && input < call.inputs.length; input++) requireBroadcast(call, input, dims);
  return same(call);
};

/** Throws unless an input broadcasts to dims. */
export function requireBroadcast(call: ShapeCall, input: number, wanted: Dims): void {
  const dims = call.dims(input);
  if (dims && !broadcastsTo(dims, wanted)) {
    const words = `dims that broadcast to ${describeDims(wanted)}`;
    throw call.fault(`input ${input} must have ${words}`, words, describeDims(dims));
  }
}

/** Along one axis, which must be there. */
export const alongAxis =
  (fallback: number): ShapeRule =>
  (call) => {
    const dims = call.dims(0);
    if (dims) call.axis(call.int('axis', fallback), dims.length);
    return same(call);
  };

/** The axis is the second input, a scalar or one element. */
export const alongInputAxis: ShapeRule = (call) => {
  call.rank(1, (rank) => rank <= 1, 'a scalar');
  const [axis] = call.numbers(1) ?? [];
  const dims = call.dims(0);
  if (dims && axis !== undefined) call.axis(axis, dims.length);
  return same(call);
};

/** A matrix or a stack of them. */
export const matrices: ShapeRule = (call) => {
  call.rank(0, (rank) => rank >= 2, 'a matrix or a stack of them');
  const diagonal = countOf(call.dims(1)) ?? 1;
  if (call.has(1) && diagonal !== 1)
    throw call.fault('the diagonal is one number', '1 element', String(diagonal));
  return same(call);
};

/** Scale and bias cover the axes from `axis` on. */
export const layerNormalization: ShapeRule = (call) => {
  const dims = call.dims(0);
  if (dims) {
    const inner = dims.slice(call.axis(call.int('axis', -1), dims.length));
    for (let input = 1; input < call.inputs.length; input++) requireBroadcast(call, input, inner);
  }
  return same(call);
};

/** `[batch, channels, …]`, with one scale and bias a channel. */
export const groupNormalization: ShapeRule = (call) => {
  call.rank(0, (rank) => rank >= 2, 'of 2 axes or more');
  const channels = call.dims(0)?.[1];
  const groups = call.int('num_groups', 1);
  if (groups < 1 || (typeof channels === 'number' && channels % groups !== 0))
    throw call.fault(
      'the channels don’t divide into the groups',
      `a multiple of ${groups}`,
      String(channels),
    );
  for (const input of [1, 2]) if (channels !== undefined) requireBroadcast(call, input, [channels]);
  return same(call);
};
