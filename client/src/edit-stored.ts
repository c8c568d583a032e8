/** An edit's nodes and constants, to be kept as data and taken back. */
import {
  checkFrame,
  clientMessages,
  type GraphNode,
  PayloadWriter,
  placeOf,
  readGraphTensors,
  type TensorLike,
  TracewireError,
} from '@tracewire/protocol/wire';
import type { EditsData, StoredEdit } from './edit-json.ts';
import { TraceError } from './errors.ts';
import { joinParts } from './join-parts.ts';
import type { SourceLocation } from './location.ts';

export function toData(edits: readonly StoredEdit[]): EditsData {
  return {
    format: 'tracewire.edits',
    version: 1,
    edits: edits.map(({ nodes, payload }) => ({ nodes, payload: toBase64(payload) })),
  };
}

/**
 * Its nodes and the tensors of its constants. Edits travel as the graph of a run does, so what a server would refuse is
 * refused here, as `bad_input` with the field. `location` is the line that took it.
 */
export function checkedEdit(
  stored: StoredEdit,
  location: SourceLocation | undefined,
): ReturnType<typeof readStored> {
  const header = { type: 'run', run: 'edit', model: 'edit', graph: graphOf(stored) };
  try {
    const { message } = checkFrame(clientMessages, { header, payload: stored.payload });
    if (message.type !== 'run' || !message.graph) throw new Error(message.type);
    const { nodes } = message.graph;
    for (const [id, node] of nodes.entries()) {
      const place = placeOf(node);
      const own = place?.steps === undefined ? place?.invoke : place.steps;
      if (own === undefined) continue;
      const text = `graph.nodes.${id}: an edit acts on every prompt and step, so its places name none.`;
      throw new TracewireError({ code: 'bad_message', message: text, path: `graph.nodes.${id}` });
    }
    return readStored({ ...stored, nodes });
  } catch (error) {
    if (!(error instanceof TracewireError)) throw error;
    const { code, message, ...facts } = error.body;
    const text = `Edit ${stored.index ?? 0} is broken. ${message}`;
    throw new TraceError([{ body: { code: 'bad_input', message: text, ...facts }, location }]);
  }
}

/** Throws `bad_message` where the bytes don't fit. */
export function readStored(stored: StoredEdit): {
  readonly nodes: readonly GraphNode[];
  readonly tensors: ReadonlyMap<number, TensorLike>;
} {
  return { nodes: stored.nodes, tensors: readGraphTensors(graphOf(stored), stored.payload).constants };
}

const graphOf = ({ nodes }: StoredEdit) => ({ invokes: [{ input: { ids: [0] } }], nodes });

export function storeEdit({
  nodes,
  tensors,
}: {
  readonly nodes: readonly GraphNode[];
  readonly tensors: ReadonlyMap<number, TensorLike>;
}): StoredEdit {
  const writer = new PayloadWriter();
  const stored = nodes.map((node, id): GraphNode => {
    const tensor = tensors.get(id);
    return tensor ? { kind: 'constant', tensor: writer.tensor(tensor) } : node;
  });
  return { nodes: stored, payload: joinParts(writer.parts) };
}

/** In parts, for `String.fromCharCode` takes its arguments from the stack. */
function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += 0x8000)
    text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  return btoa(text);
}
