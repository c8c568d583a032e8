/** Edits as JSON: the nodes as on the wire, and the bytes of their constants in base64. */
import type { GraphNode } from '@tracewire/protocol';
import { localError } from './errors.ts';
import { describe } from './options.ts';

/** What `exportEdits` gives and `edit` takes: plain data. */
export interface EditsData {
  readonly format: 'tracewire.edits';
  readonly version: 1;
  readonly edits: readonly { readonly nodes: readonly object[]; readonly payload: string }[];
}

/** One edit, apart from where it was written. */
export interface StoredEdit {
  /** As they were given: `checkedEdit` looks at them. */
  readonly nodes: readonly GraphNode[];
  /** The tensors of its constants, laid out as a run's payload. */
  readonly payload: Uint8Array;
  /** Which of the edits in the data it was. */
  readonly index?: number;
}

/** Throws `bad_input` for what is no such data. What is wrong within an edit is told by the first trace that has it. */
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
    const { nodes, payload } = asRecord(edit, `Edit ${index}`);
    return { nodes: nodes as GraphNode[], payload: fromBase64(payload, `Edit ${index}`), index };
  });
}

function asRecord(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  throw localError('bad_input', `${what} should be an object, not ${describe(value)}.`, {
    got: describe(value),
  });
}

function fromBase64(text: unknown, where: string): Uint8Array {
  try {
    if (typeof text !== 'string') throw new Error('no text');
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    throw localError('bad_input', `${where} is broken: its payload is no base64.`, { path: 'payload' });
  }
}
