/**
 * Interventions kept with a model. An edit is written down once for a model's description, as a trace is, and its nodes
 * stand before the hooks of each prompt of every later trace (recorder.ts). The server knows nothing of it.
 */
import type { GraphNode, ModelIndex, TensorLike } from '@tracewire/protocol';
import { readStored, type StoredEdit, storeEdit } from './edit-json.ts';
import { type LocatedError, localError, TraceError } from './errors.ts';
import { joinParts } from './join-parts.ts';
import type { CallSite, Site, SourceLocation } from './location.ts';
import type { Module } from './module-types.ts';
import { Recorder, type Recording } from './recorder.ts';
import { noSteps } from './step-api.ts';
import { INSPECT } from './tensor.ts';
import { isThenable, refuseThenable } from './thenable.ts';
import { createTrace, type TraceApi, traceApi } from './trace-context.ts';
import type { ModelTree } from './tree.ts';
import type { FunctionFile } from './user-function.ts';

/** The model as an edit's function gets it: what is read, written and skipped on it is so in every later trace. */
export type EditTrace = Module & Omit<TraceApi, 'report'>;

/** An edit as a trace takes it in. */
export interface Fragment {
  readonly nodes: readonly GraphNode[];
  /** By the id of the `constant` node. */
  readonly tensors: ReadonlyMap<number, TensorLike>;
  /** Those that it calls. */
  readonly functions: readonly FunctionFile[];
  /** The user's line that made a node. */
  site(node: number): Site;
}

/** One edit of a model. `model.edits` lists them, and `model.withoutEdits(edit)` leaves one out. */
export class Edit {
  readonly #from: ((m: EditTrace) => unknown) | StoredEdit;
  readonly #site: CallSite;
  /** Remote and local engines may describe the model differently. */
  readonly #fragments = new WeakMap<ModelIndex, Fragment>();

  /** For `model.edit`; `site` is the line that called it. */
  constructor(from: ((m: EditTrace) => unknown) | StoredEdit, site: CallSite) {
    this.#from = from;
    this.#site = site;
  }

  /** The line that called `edit`. */
  get location(): SourceLocation | undefined {
    return this.#site.location;
  }

  /** For the model. Throws a `TraceError` with all that is wrong with the edit by itself. */
  fragment(tree: ModelTree): Fragment {
    const known = this.#fragments.get(tree.index);
    if (known) return known;
    const from = this.#from;
    const made =
      typeof from === 'function' ? writeDown(tree, from, this.#site) : restore(tree, from, this.#site);
    this.#fragments.set(tree.index, made);
    return made;
  }

  /** For `exportEdits`. Throws as `fragment` does. */
  store(tree: ModelTree): StoredEdit {
    const fragment = this.fragment(tree);
    if (fragment.functions.length === 0) return storeEdit(fragment);
    const message =
      'An edit that calls a function can’t be exported. Keep the function’s file, and write the edit anew.';
    throw new TraceError([{ body: { code: 'misuse', message }, location: this.location }]);
  }

  [INSPECT](): string {
    const { file, line } = this.location ?? {};
    return file === undefined ? 'Edit' : `Edit(${file}:${line})`;
  }
}

const REFUSED = {
  report: 'An edit has no report: it has no run of its own. Ask for it in a trace.',
  invoke: 'An edit acts on every prompt of a trace, so it has no invoke.',
};

function writeDown(tree: ModelTree, fn: (m: EditTrace) => unknown, site: CallSite): Fragment {
  const recorder = new Recorder(tree.index);
  const report = refuse(REFUSED.report);
  const own = { ...traceApi(recorder, {}), ...noSteps(), report, invoke: refuse(REFUSED.invoke) };
  try {
    const result: unknown = fn(createTrace(recorder, tree, own));
    if (isThenable(result)) throw localError('misuse', refuseThenable(result, 'The edit’s function'));
  } catch (error) {
    if (!(error instanceof TraceError)) throw error;
    recorder.fail(error.errors);
  }
  const recording = recorder.finish();
  throwAll([...recorder.errors, ...faultsOf(recording.graph.nodes, (node) => recording.locate(node), site)]);
  return {
    nodes: recording.graph.nodes,
    tensors: tensorsOf(recording),
    functions: [...recording.functions.values()],
    site: (node) => ({
      get location() {
        return recording.locate(node) ?? site.location;
      },
    }),
  };
}

/** The tensors as they were when the edit was written down. */
function tensorsOf({ graph, payload }: Recording): ReadonlyMap<number, TensorLike> {
  return readStored({ nodes: graph.nodes, payload: joinParts(payload) }).tensors;
}

/** An edit that was stored has no lines but that of the call which brought it back. */
function restore(tree: ModelTree, stored: StoredEdit, site: CallSite): Fragment {
  const { nodes, tensors } = readStored(stored);
  const recorder = new Recorder(tree.index);
  for (const [id, node] of nodes.entries()) {
    const tensor = tensors.get(id);
    if (tensor) recorder.constant(tensor, site);
    else recorder.add(node, site);
  }
  throwAll([...recorder.errors, ...faultsOf(nodes, () => undefined, site)]);
  return { nodes, tensors, functions: [], site: () => site };
}

/** What a trace may do and an edit may not. */
function faultsOf(
  nodes: readonly GraphNode[],
  locate: (node: number) => SourceLocation | undefined,
  site: CallSite,
): LocatedError[] {
  const misuse = (message: string, node?: number): LocatedError => ({
    body: { code: 'misuse', message },
    location: (node === undefined ? undefined : locate(node)) ?? site.location,
  });
  const saves = nodes.flatMap((node, id) =>
    node.kind === 'save'
      ? [misuse('An edit saves nothing, for it has no run of its own. Save in the trace that uses it.', id)]
      : [],
  );
  if (saves.length > 0 || nodes.some(({ kind }) => ACTS.has(kind))) return saves;
  return [misuse('The edit changes nothing. Write in it: m.….output.set(value), or module.skip(value).')];
}

const ACTS: ReadonlySet<GraphNode['kind']> = new Set(['write', 'skip', 'stop', 'log']);

function refuse(message: string): () => never {
  return () => {
    throw localError('misuse', message);
  };
}

function throwAll([first, ...rest]: readonly LocatedError[]): void {
  if (first) throw new TraceError([first, ...rest]);
}
