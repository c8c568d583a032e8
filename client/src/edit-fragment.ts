/** An edit written down for a model's description, as a trace is: once, by the first trace that has it. */
import type { GraphNode, ModelIndex, TensorLike } from '@tracewire/protocol';
import { type Edit, type EditTrace, originOf } from './edit.ts';
import type { StoredEdit } from './edit-json.ts';
import { checkedEdit, readStored, storeEdit } from './edit-stored.ts';
import { type LocatedError, localError, TraceError } from './errors.ts';
import { joinParts } from './join-parts.ts';
import type { CallSite, Site, SourceLocation } from './location.ts';
import { ACTS, Recorder } from './recorder.ts';
import type { Recording } from './recording.ts';
import { noSteps } from './step-api.ts';
import { isThenable, refuseThenable } from './thenable.ts';
import { createTrace, traceApi } from './trace-context.ts';
import type { ModelTree } from './tree.ts';
import type { FunctionFile } from './user-function.ts';

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

/** By edit; remote and local engines may describe the model differently. */
const FRAGMENTS = new WeakMap<Edit, WeakMap<ModelIndex, Fragment>>();

/** Throws a `TraceError` with all that is wrong with the edit by itself. */
export function fragmentOf(edit: Edit, tree: ModelTree): Fragment {
  const fragments = FRAGMENTS.get(edit) ?? new WeakMap<ModelIndex, Fragment>();
  const known = fragments.get(tree.index);
  if (known) return known;
  const { from, site } = originOf(edit);
  const made = typeof from === 'function' ? writeDown(tree, from, site) : restore(tree, from, site);
  FRAGMENTS.set(edit, fragments.set(tree.index, made));
  return made;
}

/** For `exportEdits`. Throws as `fragmentOf` does. */
export function storedOf(edit: Edit, tree: ModelTree): StoredEdit {
  const fragment = fragmentOf(edit, tree);
  if (fragment.functions.length === 0) return storeEdit(fragment);
  const message =
    'An edit that calls a function can’t be exported. Keep the function’s file, and write the edit anew.';
  throw new TraceError([{ body: { code: 'misuse', message }, location: edit.location }]);
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
  const { nodes, tensors } = checkedEdit(stored, site.location);
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

function refuse(message: string): () => never {
  return () => {
    throw localError('misuse', message);
  };
}

function throwAll([first, ...rest]: readonly LocatedError[]): void {
  if (first) throw new TraceError([first, ...rest]);
}
