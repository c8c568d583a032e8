/** A function as both sides hold it: nodes of the graph's own kinds, over inputs that a call gives. */
import type { PortDescription } from '../description.ts';
import type { GraphNode } from '../graph.ts';
import { MAX_VALUES } from '../shapes/dim.ts';
import type { TensorLike } from '../tensor.ts';
import { copied } from './file-tensor.ts';

/** Nodes of a function: constants, operators, and members of what operators give. */
export type FunctionNode = Extract<GraphNode, { kind: 'constant' | 'operator' | 'member' }>;

export interface FunctionBody {
  readonly inputs: readonly PortDescription[];
  readonly outputs: readonly PortDescription[];
  /** Values are numbered: first the inputs, then one for each node. Nodes refer to earlier values. */
  readonly nodes: readonly FunctionNode[];
  /** What a node is in the file, for messages. */
  readonly labels: readonly string[];
  /** The tensor of each constant, by its value's number. */
  readonly constants: ReadonlyMap<number, TensorLike>;
  /** The value that each output is. */
  readonly results: readonly number[];
}

/** All that checking a call takes: constants that may be axes, dims or ends of ranges, and no weights. */
export function outlineOf(body: FunctionBody): FunctionBody {
  const small = [...body.constants].filter(([, { data }]) => data.length <= MAX_VALUES);
  return { ...body, constants: new Map(small.map(([value, tensor]) => [value, copied(tensor)])) };
}
