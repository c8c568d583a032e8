/** What a run asks for, as one string: a `run` message with a known id is a retry if it asks for the same (PROTOCOL.md, 2.4). */
import { hash } from 'node:crypto';
import {
  type ClientMessage,
  canonicalBytes,
  retryHashOfTraces,
  type TensorLike,
  tensorsOf,
  tracesOf,
} from '@tracewire/protocol';

type RunMessage = Extract<ClientMessage, { type: 'run' }>;

/** The graph must be sound. The payload is not kept: the string stands for it. */
export function contentOf(message: RunMessage, payload: Uint8Array): string {
  const { model, options = {} } = message;
  const tensors = tensorsOf(message, payload);
  const constantOf = (trace: number, node: number): TensorLike =>
    present(tensors[trace]?.constants.get(node), `constant ${node}`);
  const feedOf = (trace: number, invoke: number, name: string): TensorLike =>
    present(tensors[trace]?.feeds[invoke]?.get(name), name);
  const traces = retryHashOfTraces(tracesOf(message), constantOf, sha256, feedOf);
  const content = [model, options, message.traces ? 'session' : 'trace', traces];
  return Buffer.from(sha256(canonicalBytes(content))).toString('hex');
}

function present(tensor: TensorLike | undefined, what: string): TensorLike {
  if (!tensor) throw new Error(`the graph has no ${what}`);
  return tensor;
}

function sha256(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer');
}
