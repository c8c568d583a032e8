/** What the nodes of a graph give, as far as the graph tells. */
import type { Dtype } from './tensor.ts';

/** What a node gives. `unknown` follows an error that has been reported. */
export type NodeType =
  | { readonly kind: 'tensor'; readonly dtype: Dtype }
  | { readonly kind: 'tuple'; readonly members: readonly NodeType[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown' };

export const NONE: NodeType = { kind: 'none' };
export const UNKNOWN: NodeType = { kind: 'unknown' };
export const tensor = (dtype: Dtype): NodeType => ({ kind: 'tensor', dtype });
