/** What the nodes of a graph give, as far as the graph tells. */
import { countOf, type Shape } from './shapes/dim.ts';
import { DTYPES, type Dtype } from './tensor.ts';

/** What a node gives. `unknown` follows an error that has been reported. */
export type NodeType =
  | TensorType
  | { readonly kind: 'tuple'; readonly members: readonly NodeType[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown' };

export interface TensorType extends Shape {
  readonly kind: 'tensor';
  readonly dtype: Dtype;
}

export const NONE: NodeType = { kind: 'none' };
export const UNKNOWN: NodeType = { kind: 'unknown' };
export const tensor = (dtype: Dtype, shape: Shape = {}): TensorType => ({ kind: 'tensor', dtype, ...shape });

/** The bytes that a value takes, where its dims tell. */
export function knownBytes(type: NodeType): number | undefined {
  if (type.kind === 'tensor') {
    const count = countOf(type.dims);
    return count === undefined ? undefined : count * DTYPES[type.dtype].size;
  }
  if (type.kind !== 'tuple') return undefined;
  return type.members.map(knownBytes).reduce((sum, bytes) => {
    return sum === undefined || bytes === undefined ? undefined : sum + bytes;
  }, 0);
}

/** The least bytes that a value is known to take. */
export function leastBytes(type: NodeType): number {
  if (type.kind === 'tuple') return type.members.reduce((sum, member) => sum + leastBytes(member), 0);
  return type.kind === 'tensor' ? (countOf(type.dims) ?? 0) * DTYPES[type.dtype].size : 0;
}
