/**
 * A short pass that is only watched runs as one session: with no cut there is nothing to hand over, which for a few
 * tokens costs a third of the pass. What is saved comes when the pass ends, and a cancel acts then, so longer passes
 * run block by block.
 */
import type { Model } from './model.ts';
import type { ModelGraph } from './onnx/graph.ts';
import type { Ranges, SegmentSpec } from './segment.ts';
import { type Tail, tailIn } from './tail.ts';

/** A pass of more tokens takes long enough for its values to stream, and for someone to cancel it. */
const MOST_TOKENS = 64;

/** The whole model as one segment, its outputs all that leaves any of its blocks: cut or not, the same is fused. */
export function wholeSegment(
  graph: ModelGraph,
  ranges: Ranges,
  blockBorders: readonly number[],
  tail: Tail | undefined,
): SegmentSpec {
  const borders = [0, ...blockBorders, graph.nodes.length];
  const leaving = borders.slice(1).flatMap((to, index) => ranges.leaving(borders[index] ?? 0, to));
  const outputs = [...new Set(leaving)];
  const versions = new Map();
  return { from: 0, to: graph.nodes.length, outputs, versions, tail: tailIn(tail, graph, 0, outputs) };
}

/**
 * The whole model, if a pass that needs `wanted` and nothing behind the node `end` should run as one: it comes to the last
 * part, cuts nothing, and wants nothing that lies inside a block. Writes cut, so there must be none.
 */
export function asWholePass(
  model: Model,
  tokens: number,
  end: number,
  wanted: ReadonlySet<string>,
): SegmentSpec | undefined {
  if (tokens > MOST_TOKENS || end <= (model.blockBorders.at(-1) ?? 0)) return undefined;
  const whole = model.whole;
  const outputs = new Set(whole.outputs);
  return [...wanted].every((value) => outputs.has(value) || model.graph.producer(value) < 0)
    ? whole
    : undefined;
}
