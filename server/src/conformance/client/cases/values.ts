/** Section 1.3 of the page: tensors and values. */
import { amid, type ClientCase, CONSTANTS, TUPLE } from '../case.ts';

const RIGHT: readonly ClientCase[] = [
  {
    id: 'client-constants',
    requirements: ['R-017', 'R-034', 'R-035', 'R-036', 'R-037', 'R-068'],
    shows: 'constants lie in the payload in the order of their nodes, each at a multiple of 8',
    trace: 'constants',
    prints: CONSTANTS,
  },
  {
    id: 'client-tuple',
    requirements: ['R-028', 'R-029', 'R-030', 'R-033', 'R-034', 'R-035', 'R-097'],
    shows: 'a tuple of every dtype, a tensor without elements and a scalar among them',
    trace: 'tuple',
    prints: TUPLE,
  },
];

/** Uint8 tensors of one element, at these offsets. */
const bytesAt = (...offsets: readonly number[]) => ({
  tuple: offsets.map((offset) => ({ tensor: { dtype: 'uint8', dims: [1], offset, length: 1 } })),
});

const float32 = (dims: readonly unknown[], length: number, over: object = {}) => ({
  tensor: { dtype: 'float32', dims, offset: 0, length, ...over },
});

const nested = (depth: number): object => (depth === 0 ? float32([0], 0) : { tuple: [nested(depth - 1)] });

type Row = readonly [
  id: string,
  requirement: string,
  shows: string,
  value: object,
  payload: Uint8Array | number,
];

/** A value that is none, whole in one message. Where the payload is a number, it is so many zero bytes. */
const ROWS: readonly Row[] = [
  ['value-neither', 'R-028', 'a value that is neither a tensor nor a tuple', {}, 0],
  [
    'value-both',
    'R-028',
    'a value that is both a tensor and a tuple',
    { ...bytesAt(0), tensor: { dtype: 'uint8', dims: [1], offset: 0, length: 1 } },
    1,
  ],
  ['tuple-empty', 'R-281', 'a tuple without members', { tuple: [] }, 0],
  ['tuple-long', 'R-028', 'a tuple of 1025', { tuple: new Array(1025).fill(float32([0], 0)) }, 0],
  ['tuple-deep', 'R-028', 'tuples 7 deep', nested(7), 0],
  ['tuple-map', 'R-028', 'a tuple that is a map', { tuple: { 0: float32([0], 0) } }, 0],
  ['dtype', 'R-029', 'a dtype that there isn’t', float32([4], 8, { dtype: 'bfloat16' }), 8],
  ['dims-9', 'R-030', 'a tensor of 9 axes', float32(new Array(9).fill(1), 4), 4],
  ['dim-large', 'R-030', 'a dim of 2^31', float32([2 ** 31, 0], 0), 0],
  ['dim-fraction', 'R-030', 'a dim of 1.5', float32([1.5], 6), 6],
  ['dims-map', 'R-030', 'dims that are a map', float32([], 4, { dims: {} }), 4],
  ['offset-unaligned', 'R-031', 'an offset that is no multiple of 8', bytesAt(0, 4), 5],
  ['tensor-length', 'R-032', 'a tensor whose length is not that of its dims', float32([3], 8), 8],
  [
    'bool-2',
    'R-033',
    'a bool byte of 2',
    float32([8], 8, { dtype: 'bool' }),
    Uint8Array.of(0, 1, 2, 0, 0, 0, 0, 0),
  ],
  ['tensor-moved', 'R-035', 'a tensor that does not begin at 0', float32([2], 8, { offset: 8 }), 16],
  ['tuple-gap', 'R-035', 'a gap between a tuple’s tensors', bytesAt(0, 16), 17],
  ['tuple-overlap', 'R-035', 'tensors that overlap', bytesAt(0, 0), 1],
  ['tuple-order', 'R-035', 'tensors out of order', bytesAt(8, 0), 9],
  [
    'gap-not-zero',
    'R-036',
    'bytes between tensors that are not zero',
    bytesAt(0, 8),
    Uint8Array.of(1, 0, 0, 5, 0, 0, 0, 0, 1),
  ],
  ['payload-longer', 'R-037', 'a payload longer than its tensors', float32([2], 8), 16],
  ['payload-shorter', 'R-037', 'a payload that ends before its tensor', float32([4], 16), 8],
];

const BROKEN = ROWS.map(([id, requirement, shows, value, bytes]) =>
  amid(id, requirement, shows, (run) => {
    const payload = typeof bytes === 'number' ? new Uint8Array(bytes) : bytes;
    run.say('value', { save: run.saveOf('h.0'), value, bytes: payload.length }, payload);
    run.status('completed');
  }),
);

export const VALUES = [...RIGHT, ...BROKEN];
