/**
 * Interventions kept with a model. An edit is written down by the first trace that has it (edit-fragment.ts), and its nodes
 * stand before the hooks of each prompt of every later trace (recorder.ts). The server knows nothing of it.
 */
import type { StoredEdit } from './edit-json.ts';
import type { CallSite, SourceLocation } from './location.ts';
import type { Module } from './module-types.ts';
import { INSPECT } from './tensor.ts';
import type { TraceApi } from './trace-context.ts';

/** The model as an edit's function gets it: what is read, written and skipped on it is so in every later trace. */
export type EditTrace = Module & Omit<TraceApi, 'report'>;

/** Where an edit comes from. */
interface Origin {
  readonly from: ((m: EditTrace) => unknown) | StoredEdit;
  readonly site: CallSite;
}

const ORIGINS = new WeakMap<Edit, Origin>();

/** What writes an edit, or what was stored of it, and the line that called `edit`; no affair of those who hold one. */
export function originOf(edit: Edit): Origin {
  const origin = ORIGINS.get(edit);
  if (!origin) throw new Error('not an edit');
  return origin;
}

/** One edit of a model. `model.edits` lists them, and `model.withoutEdits(edit)` leaves one out. */
export class Edit {
  /** For `model.edit`; `site` is the line that called it. */
  constructor(from: Origin['from'], site: CallSite) {
    ORIGINS.set(this, { from, site });
  }

  /** The line that called `edit`. */
  get location(): SourceLocation | undefined {
    return originOf(this).site.location;
  }

  [INSPECT](): string {
    const { file, line } = this.location ?? {};
    return file === undefined ? 'Edit' : `Edit(${file}:${line})`;
  }
}
