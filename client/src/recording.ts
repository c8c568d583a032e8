/** A trace that is written down. */
import type { Graph, TensorLike } from '@tracewire/protocol';
import type { SourceLocation } from './location.ts';
import type { Saved, Slot } from './saved.ts';
import type { SavedValue } from './tensor.ts';
import type { FunctionFile } from './user-function.ts';

/** A trace as it goes on the wire, and what maps the answers back. */
export interface Recording {
  readonly graph: Graph;
  /** The tensors of the graph's constants. */
  readonly payload: readonly Uint8Array[];
  readonly payloadBytes: number;
  /** The same tensors: constants by node, feeds in the payload's order. */
  readonly tensors: {
    readonly constants: ReadonlyMap<number, TensorLike>;
    readonly feeds: readonly TensorLike[];
  };
  /** Those that are called, by their hash. */
  readonly functions: ReadonlyMap<string, FunctionFile>;
  /** By the id of the save node. */
  readonly saves: ReadonlyMap<number, { readonly saved: Saved<SavedValue>; readonly slot: Slot<SavedValue> }>;
  /** The user's line that made a node. */
  locate(node: number | undefined): SourceLocation | undefined;
}
