/**
 * Runs that share a pass (PROTOCOL.md, section 6.6): their graphs as the invokes of one. Each is checked alone, and its
 * references and its invoke move as one block, so that nothing in it can mean anything of another run.
 */
import {
  align8,
  type Graph,
  type GraphNode,
  type NodeOf,
  type Place,
  type TensorLike,
} from '@tracewire/protocol';

export interface JoinedRun {
  readonly graph: Graph;
  readonly constants: ReadonlyMap<number, TensorLike>;
}

/** Several runs as one graph: run i is its invoke i. */
export interface Joined extends JoinedRun {
  /** The first node of each run. */
  readonly firsts: readonly number[];
}

/** By how much a node's references move, and to which invoke it goes. */
interface Shift {
  readonly by: number;
  readonly invoke: number;
}

type Shifts = { readonly [K in GraphNode['kind']]?: (node: NodeOf<K>, shift: Shift) => NodeOf<K> };

/** The kinds of node that may be joined; a run with any other runs alone. */
const SHIFTS: Shifts = {
  constant: (node) => node,
  parameter: (node) => node,
  read: (node, shift) => ({ ...node, place: placed(node.place, shift) }),
  write: (node, shift) => ({
    ...node,
    place: placed(node.place, shift),
    value: node.value + shift.by,
    ...(node.mask === undefined ? {} : { mask: node.mask + shift.by }),
  }),
  skip: (node, { by, invoke }) => ({ ...node, value: node.value + by, invoke }),
  stop: (node, shift) => ({ ...node, place: placed(node.place, shift) }),
  operator: (node, { by }) => ({ ...node, inputs: node.inputs.map((input) => input + by) }),
  member: (node, { by }) => ({ ...node, of: node.of + by }),
  apply: (node, { by }) => ({ ...node, input: node.input + by }),
  save: (node, { by }) => ({ ...node, value: node.value + by }),
  log: (node, { by }) => (node.value === undefined ? node : { ...node, value: node.value + by }),
};

/** Whether a graph has one prompt, of text or ids, and only nodes that can be joined. */
export function canBeJoined({ invokes, nodes }: Graph): boolean {
  const [only] = invokes;
  if (!only || invokes.length > 1 || !('ids' in only.input || 'text' in only.input)) return false;
  return nodes.every(
    (node) => Object.hasOwn(SHIFTS, node.kind) && (node.kind !== 'constant' || node.tensor !== undefined),
  );
}

/** Each graph must be one that `canBeJoined`. */
export function joinRuns(runs: readonly JoinedRun[]): Joined {
  const nodes: GraphNode[] = [];
  const constants = new Map<number, TensorLike>();
  const firsts: number[] = [];
  for (const [invoke, run] of runs.entries()) {
    const shift = { by: nodes.length, invoke };
    firsts.push(shift.by);
    for (const [id, tensor] of run.constants) constants.set(id + shift.by, tensor);
    for (const node of run.graph.nodes) nodes.push(shifted(node, shift));
  }
  return { graph: { invokes: runs.flatMap(({ graph }) => graph.invokes), nodes }, constants, firsts };
}

function shifted(node: GraphNode, shift: Shift): GraphNode {
  const move = SHIFTS[node.kind] as ((node: GraphNode, shift: Shift) => GraphNode) | undefined;
  if (!move) throw new Error(`A node of the kind ${node.kind} can’t be joined.`);
  return move(node, shift);
}

const placed = (place: Place, { invoke }: Shift): Place => ({ ...place, invoke });

/** The payloads of runs one after the other, each from a multiple of 8 on. */
export function joinPayloads(payloads: readonly Uint8Array[]): Uint8Array[] {
  return payloads.flatMap((payload) => [payload, new Uint8Array(gapBehind(payload.byteLength))]);
}

/** The parts of `joinPayloads`, by their lengths. */
export function payloadsOf(joined: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  let at = 0;
  return lengths.map((length) => {
    const payload = joined.subarray(at, at + length);
    at += length + gapBehind(length);
    return payload;
  });
}

const gapBehind = (length: number): number => align8(length) - length;
