/**
 * What of a trace is sent apart from its message, once a server: functions always; large constants where they would not fit,
 * or the second time they are sent. A constant that is used once costs no more than its bytes, and no round trip.
 */
import { bytesOf, type GraphNode, PayloadWriter, TracewireError } from '@tracewire/protocol';
import type { Conversation } from './conversation.ts';
import { digest } from './digest.ts';
import type { Sendable } from './joined.ts';
import type { Recording } from './recording.ts';

/** Smaller constants are sent each time: hashing and naming them saves little. */
const LARGE_BYTES = 64 * 1024;
/** A message's header, at most, beside its payload. */
const HEADER_SHARE = 0.5;

/** `bytes` are those of the whole message's payload. Rejects with `not_offered` for a function where the server takes none. */
export async function offload(
  recording: Recording,
  conversation: Conversation,
  bytes: number,
): Promise<Sendable> {
  const { graph, payload, functions, tensors } = recording;
  const { capabilities, limits } = conversation.welcome;
  const blobs = new Map<string, Uint8Array>();
  if (functions.size > 0 && !capabilities.includes('functions')) {
    const message = 'The server takes no functions of users. Write the operations in the trace itself.';
    throw new TracewireError({ code: 'not_offered', message, wanted: 'functions' });
  }
  for (const [sha256, { bytes }] of functions) blobs.set(sha256, bytes);
  if (!capabilities.includes('blobs')) return { graph, payload, blobs };
  const tight = bytes > limits.messageBytes * HEADER_SHARE;
  const apart = new Map<number, string>();
  for (const [id, { data }] of tensors.constants) {
    if (data.byteLength < LARGE_BYTES) continue;
    const own = bytesOf(data);
    const sha256 = await digest(own);
    if (!conversation.sendsAgain(sha256) && !tight) continue;
    apart.set(id, sha256);
    blobs.set(sha256, own);
  }
  return apart.size === 0 ? { graph, payload, blobs } : { ...without(recording, apart), blobs };
}

/** The graph with these constants as blobs, and the payload without them. */
function without(
  { graph, tensors }: Recording,
  apart: ReadonlyMap<number, string>,
): Pick<Sendable, 'graph' | 'payload'> {
  const writer = new PayloadWriter();
  for (const feed of tensors.feeds) writer.tensor(feed);
  const nodes = graph.nodes.map((node, id): GraphNode => {
    const tensor = tensors.constants.get(id);
    if (!tensor) return node;
    const sha256 = apart.get(id);
    if (sha256 === undefined) return { kind: 'constant', tensor: writer.tensor(tensor) };
    return { kind: 'constant', blob: { sha256, dtype: tensor.dtype, dims: tensor.dims } };
  });
  return { graph: { ...graph, nodes }, payload: writer.parts };
}
