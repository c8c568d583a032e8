/** Graphs that take their time or give many bytes, from a message of a few: what a server has to do is all its own. */
import type { Sketch } from './sketch.ts';

/** ONNX and the page take so many inputs of a `Concat`. */
const MOST_INPUTS = 64;

/** A float32 list of that many equal numbers. */
export function listOf(sketch: Sketch, number: number, length: number): number {
  let value = sketch.constant('float32', [1], [number]);
  let have = 1;
  while (have < length) {
    const copies = Math.min(MOST_INPUTS, Math.ceil(length / have));
    value = sketch.operator('Concat', new Array(copies).fill(value), { axis: 0 });
    have *= copies;
  }
  if (have === length) return value;
  const start = sketch.constant('int64', [1], [0]);
  const end = sketch.constant('int64', [1], [length]);
  return sketch.operator('Slice', [value, start, end]);
}

const SIDE = 1024;

/** Products of matrices of 1024 × 1024, each 2 billion operations; gives one number, 1/1024. */
export function toil(sketch: Sketch, rounds: number): number {
  const list = listOf(sketch, 1 / SIDE, SIDE * SIDE);
  let matrix = sketch.operator('Reshape', [list, sketch.constant('int64', [2], [SIDE, SIDE])]);
  for (let round = 0; round < rounds; round++) matrix = sketch.operator('MatMul', [matrix, matrix]);
  return sketch.operator('ReduceMax', [matrix]);
}
