/** Writes a trace down without a connection, to look at its graph. */
import { type GraphNode, ModelIndex, PayloadReader, type TensorLike } from '@tracewire/protocol';
import { CallSite } from '../src/location.ts';
import { record } from '../src/record.ts';
import type { Trace } from '../src/trace-context.ts';
import { ModelTree } from '../src/tree.ts';
import { gpt2 } from './description.ts';

export interface Written {
  /** Nodes, constants without their place in the payload. */
  readonly nodes: readonly object[];
  readonly constants: readonly TensorLike[];
}

/** Throws what `record` throws. */
export function written(fn: (m: Trace) => unknown, description = gpt2()): Written {
  const tree = new ModelTree(new ModelIndex(description));
  const { recording } = record(tree, { input: { ids: [1, 2] } }, new CallSite(), fn);
  const payload = new Uint8Array(recording.payloadBytes);
  let at = 0;
  for (const part of recording.payload) {
    payload.set(part, at);
    at += part.byteLength;
  }
  const reader = new PayloadReader(payload);
  const constants: TensorLike[] = [];
  const nodes = recording.graph.nodes.map((node) => {
    if (node.kind === 'constant' && node.tensor) constants.push(reader.tensor(node.tensor, 'constant'));
    return plain(node);
  });
  reader.end();
  return { nodes, constants };
}

function plain(node: GraphNode): object {
  if (node.kind !== 'constant' || !node.tensor) return { ...node };
  return { kind: 'constant', dtype: node.tensor.dtype, dims: node.tensor.dims };
}
