/** Puts an edit's nodes into a trace, for one prompt and, in a generation, for every step. */
import type { GraphNode, Steps } from '@tracewire/protocol';
import type { Fragment } from './edit-fragment.ts';
import type { Site } from './location.ts';
import type { Recorder } from './recorder.ts';

/** Trace ids of an edit's constants, which all prompts share, by the edit. */
type SharedNodes = Map<Fragment, ReadonlyMap<number, number>>;

/** The edits of a trace's model: written down once for each prompt. */
export class EditReplay {
  readonly #edits: readonly Fragment[];
  readonly #steps: { readonly steps?: Steps };
  readonly #shared: SharedNodes = new Map();
  /** The prompts for which they stand there. */
  readonly #done = new Set<number>();

  /** `generates`: they act in every step. */
  constructor(edits: readonly Fragment[], generates: boolean) {
    this.#edits = edits;
    this.#steps = generates ? { steps: {} } : {};
  }

  /** To be called before the prompt's own first hook, so that this one sees what the edits did. */
  write(recorder: Recorder, invoke: number): void {
    if (this.#done.has(invoke)) return;
    this.#done.add(invoke);
    for (const edit of this.#edits) replay(recorder, edit, { invoke, ...this.#steps, shared: this.#shared });
  }
}

/** `steps`: those that its places act in; undefined in one pass. */
function replay(
  recorder: Recorder,
  fragment: Fragment,
  {
    invoke,
    steps,
    shared,
  }: { readonly invoke: number; readonly steps?: Steps; readonly shared: SharedNodes },
): void {
  for (const file of fragment.functions) recorder.knows(file);
  const known = shared.get(fragment);
  const ids = new Map(known);
  const added = new Map<number, number>();
  for (const [id, node] of fragment.nodes.entries()) {
    if (ids.has(id)) continue;
    const site = fragment.site(id);
    const tensor = fragment.tensors.get(id);
    const moved = movedNode(node, (operand) => ids.get(operand) ?? operand, invoke, steps);
    const at = tensor ? recorder.constant(tensor, site) : recorder.add(moved, site);
    ids.set(id, at);
    if (tensor || node.kind === 'parameter') added.set(id, at);
    if (steps !== undefined && node.kind === 'skip') mustFollowSteps(recorder, at, node.module, site);
  }
  if (!known) shared.set(fragment, added);
}

/** The node with the trace's ids for its operands, about that prompt. */
function movedNode(
  node: GraphNode,
  to: (operand: number) => number,
  invoke: number,
  steps: Steps | undefined,
): GraphNode {
  const own = { ...(invoke > 0 ? { invoke } : {}), ...(steps === undefined ? {} : { steps }) };
  switch (node.kind) {
    case 'read':
    case 'stop':
      return { ...node, place: { ...node.place, ...own } };
    case 'write': {
      const { mask } = node;
      const place = { ...node.place, ...own };
      return { ...node, place, value: to(node.value), ...(mask === undefined ? {} : { mask: to(mask) }) };
    }
    case 'skip':
      return { ...node, value: to(node.value), ...(invoke > 0 ? { invoke } : {}) };
    case 'operator':
    case 'call':
      return { ...node, inputs: node.inputs.map(to) };
    case 'member':
      return { ...node, of: to(node.of) };
    case 'apply':
      return { ...node, input: to(node.input) };
    case 'log':
      return node.value === undefined ? node : { ...node, value: to(node.value) };
    default:
      return node;
  }
}

/** A skip acts in the steps of its value, and a constant has none. */
function mustFollowSteps(recorder: Recorder, node: number, module: string, site: Site): void {
  if (typeof recorder.stepsOf(node) === 'object') return;
  const message = `The edit skips ${module} with a constant, which would act in the first step alone. Use a value of the pass, such as the module’s input.`;
  recorder.fail([{ body: { code: 'misuse', message, path: module }, location: site.location }]);
}
