/** Edits as JSON and back: the nodes as on the wire, and the bytes of their constants in base64. */
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
import { localError } from './errors.ts';
import { joinParts } from './join-parts.ts';
import { describe } from './options.ts';

/** What `exportEdits` gives and `edit` takes: plain data. */
export interface EditsData {
  readonly format: 'tracewire.edits';
  readonly version: 1;
  readonly edits: readonly { readonly nodes: readonly object[]; readonly payload: string }[];
}

/** One edit, apart from where it was written. */
export interface StoredEdit {
  readonly nodes: readonly GraphNode[];
  /** The tensors of its constants, laid out as a run's payload. */
  readonly payload: Uint8Array;
}

export function toData(edits: readonly StoredEdit[]): EditsData {
  return {
    format: 'tracewire.edits',
    version: 1,
    edits: edits.map(({ nodes, payload }) => ({ nodes, payload: toBase64(payload) })),
  };
}

/** Throws `bad_input` for what is no such data, and what `readStored` throws. */
export function fromData(data: unknown): StoredEdit[] {
  const { format, version, edits } = asRecord(data, 'The edits');
  if (format !== 'tracewire.edits' || version !== 1 || !Array.isArray(edits)) {
    const message =
      'This is no data of edits. Give edit a function, or what exportEdits() gave: { format: "tracewire.edits", version: 1, edits }.';
    throw localError('bad_input', message, {
      wanted: 'tracewire.edits, version 1',
      got: format === 'tracewire.edits' ? `version ${String(version)}` : describe(data),
    });
  }
  return edits.map((edit: unknown, index) => {
    const where = `Edit ${index}`;
    const { nodes, payload } = asRecord(edit, where);
    const stored = { nodes: nodes as GraphNode[], payload: fromBase64(payload, where) };
    return mustBeEdit(stored, where);
  });
}

/** Edits travel as the graph of a run does, so what a server would refuse is refused here, with the field. */
function mustBeEdit(stored: StoredEdit, where: string): StoredEdit {
  const header = { type: 'run', run: 'edit', model: 'edit', graph: graphOf(stored) };
  try {
    const { message } = checkFrame(clientMessages, { header, payload: stored.payload });
    if (message.type !== 'run' || !message.graph) throw new Error(message.type);
    const { nodes } = message.graph;
    readStored({ ...stored, nodes });
    for (const [id, node] of nodes.entries()) {
      const place = placeOf(node);
      const own = place?.steps === undefined ? place?.invoke : place.steps;
      if (own === undefined) continue;
      const text = `graph.nodes.${id}: an edit acts on every prompt and step, so its places name none.`;
      throw new TracewireError({ code: 'bad_message', message: text, path: `graph.nodes.${id}` });
    }
    return { ...stored, nodes };
  } catch (error) {
    if (!(error instanceof TracewireError)) throw error;
    const { code, message, ...facts } = error.body;
    throw localError('bad_input', `${where} is broken. ${message}`, facts);
  }
}

/** Its nodes and the tensors of its constants. Throws `bad_message` where the bytes don't fit. */
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

function asRecord(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  throw localError('bad_input', `${what} should be an object, not ${describe(value)}.`, {
    got: describe(value),
  });
}

/** In parts, for `String.fromCharCode` takes its arguments from the stack. */
function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += 0x8000)
    text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  return btoa(text);
}

function fromBase64(text: unknown, where: string): Uint8Array {
  try {
    if (typeof text !== 'string') throw new Error('no text');
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    throw localError('bad_input', `${where} is broken: its payload is no base64.`, { path: 'payload' });
  }
}
