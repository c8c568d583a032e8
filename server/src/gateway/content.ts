/** What a run asks for, as one string: a `run` message with a known id is a retry if it asks for the same (PROTOCOL.md, 2.4). */
import { hash } from 'node:crypto';
import { type ClientMessage, PayloadReader, retryHash, type TensorLike } from '@tracewire/protocol';

type RunMessage = Extract<ClientMessage, { type: 'run' }>;

/** The graph must be sound. The payload is not kept: the string stands for it. */
export function contentOf({ model, graph, options = {} }: RunMessage, payload: Uint8Array): string {
  const constants = new Map<number, TensorLike>();
  const reader = new PayloadReader(payload);
  for (const [id, node] of graph.nodes.entries()) {
    if (node.kind === 'constant') constants.set(id, reader.tensor(node.tensor, `graph.nodes.${id}.tensor`));
  }
  const constantOf = (node: number): TensorLike => {
    const tensor = constants.get(node);
    if (!tensor) throw new Error(`node ${node} is no constant`);
    return tensor;
  };
  const chosen = Object.entries(options).filter(([, value]) => value !== undefined);
  return JSON.stringify([model, chosen.sort(), retryHash(graph, constantOf, sha256)]);
}

function sha256(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer');
}
