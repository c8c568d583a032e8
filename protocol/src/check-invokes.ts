/** What several prompts in one pass forbid: places of none of them, and places where one can't be told from another. */
import type { GraphChecker } from './check.ts';
import type { ErrorBody } from './errors.ts';
import type { Generate } from './generate.ts';
import { describePlace, type GraphNode, operandsOf, type Place, placeOf } from './graph.ts';
import { type HookTime, isLater } from './hook-time.ts';
import { plural } from './words.ts';

/** Reports `bad_reference` for a place of no invoke and, where there are several, `mixed_rows`. */
export function checkInvokes(checker: GraphChecker, nodes: readonly GraphNode[], invokes: number): void {
  for (const [id, node] of nodes.entries()) {
    const place = placeOf(node);
    if (!place) continue;
    checkNumber(checker, place, id, invokes);
    if (invokes === 1 || node.kind === 'stop') continue;
    // What a skip changes is what its module gives.
    if (node.kind === 'skip') checkRows(checker, { ...place, port: 'output' }, id, 'write');
    else checkRows(checker, place, id, node.kind === 'read' ? 'read' : 'write');
  }
  if (invokes > 1) checkStops(checker, nodes);
}

function checkNumber(checker: GraphChecker, place: Place, node: number, invokes: number): void {
  const { invoke = 0 } = place;
  if (invoke < invokes) return;
  const message = `Node ${node} is about invoke ${invoke}, and the graph has ${plural(invokes, 'invoke')}.`;
  const facts = { node, path: place.module, wanted: `below ${invokes}`, got: String(invoke) };
  checker.report('bad_reference', message, facts);
}

function checkRows(checker: GraphChecker, place: Place, node: number, kind: 'read' | 'write'): void {
  for (const { dims, mixed } of checker.index.portsAt(place)) {
    const shared = kind === 'write' && !dims.includes('batch');
    if (!mixed && !shared) continue;
    const why = mixed
      ? 'which part of it belongs to which prompt can’t be told'
      : 'all prompts share it, and a write in one would change the others';
    const message = `${describePlace(place)} can’t be ${kind === 'read' ? 'read' : 'written'} in a batch: ${why}. Run this prompt alone.`;
    checker.report('mixed_rows', message, { node, path: place.module });
  }
}

/** A write that acts can't wait for what another invoke's stop keeps from coming to be. */
function checkStops(checker: GraphChecker, nodes: readonly GraphNode[]): void {
  const ends = new Map<number, HookTime>();
  const timeOf = (place: Place, rank: number): HookTime =>
    checker.timeAt(place, checker.index.rank(place) ?? rank);
  for (const node of nodes) {
    if (node.kind !== 'stop') continue;
    const { invoke = 0 } = node.place;
    const [end, time] = [ends.get(invoke), timeOf(node.place, 0)];
    if (!end || isLater(end, time)) ends.set(invoke, time);
  }
  const isBehind = (place: Place): boolean => {
    const end = ends.get(place.invoke ?? 0);
    return end !== undefined && isLater(timeOf(place, -1), end);
  };
  /** The read that keeps a node's value from coming to be. */
  const missing = new Map<number, Place>();
  for (const [id, node] of nodes.entries()) {
    const operand = operandsOf(node).find((operand) => missing.has(operand));
    const place = operand === undefined ? undefined : missing.get(operand);
    if (place) missing.set(id, place);
    else if (node.kind === 'read' && isBehind(node.place)) missing.set(id, node.place);
    const acts = node.kind === 'write' || node.kind === 'skip' ? placeOf(node) : undefined;
    if (!place || !acts || isBehind(acts)) continue;
    const where = node.kind === 'skip' ? `${node.module}.output` : describePlace(acts);
    const message = `The value written to ${where} never comes to be: it needs ${describePlace(place)}, which stands behind a stop.`;
    checker.report('bad_reference', message, { node: id, path: acts.module });
  }
}

/**
 * Why prompts of these lengths may not run in one pass: shorter ones are padded to the longest, and `most` counts that. In a
 * generation what attention keeps grows by a token a step, up to the last but one.
 */
export function batchFault(
  lengths: readonly number[],
  most: number,
  generate?: Generate,
): ErrorBody | undefined {
  const longest = Math.max(0, ...lengths);
  const chosen = generate ? generate.maxNewTokens - 1 : 0;
  const tokens = lengths.length * (longest + chosen);
  if (lengths.length < 2 || tokens <= most) return undefined;
  const behind = chosen > 0 ? `, and ${plural(chosen, 'new token')} behind each` : '';
  const fewer =
    chosen > 0
      ? 'Put fewer or shorter ones together, or lower maxNewTokens.'
      : 'Put fewer or shorter ones together.';
  return {
    code: 'input_too_long',
    message: `${lengths.length} prompts, the longest of ${longest} tokens${behind}, make ${tokens} in one pass, padding counted; this server takes at most ${most}. ${fewer}`,
    path: 'graph.invokes',
    wanted: `at most ${most}`,
    got: String(tokens),
  };
}
