/** What a run asks for, as one string: a `run` message with a known id is a retry if it asks for the same (PROTOCOL.md, 2.4). */
import { hash } from 'node:crypto';
import {
  type ClientMessage,
  canonicalBytes,
  readGraphTensors,
  retryHash,
  type TensorLike,
} from '@tracewire/protocol';

type RunMessage = Extract<ClientMessage, { type: 'run' }>;

/** The graph must be sound. The payload is not kept: the string stands for it. */
export function contentOf({ model, graph, options = {} }: RunMessage, payload: Uint8Array): string {
  const { constants, feeds } = readGraphTensors(graph, payload);
  const constantOf = (node: number): TensorLike => present(constants.get(node), `constant ${node}`);
  const feedOf = (invoke: number, name: string): TensorLike => present(feeds[invoke]?.get(name), name);
  const content = [model, options, retryHash(graph, constantOf, sha256, feedOf)];
  return Buffer.from(sha256(canonicalBytes(content))).toString('hex');
}

function present(tensor: TensorLike | undefined, what: string): TensorLike {
  if (!tensor) throw new Error(`the graph has no ${what}`);
  return tensor;
}

function sha256(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer');
}
