/**
 * Records one trace as plain data. Each use of a placeholder appends a node, checked on the spot so that an
 * error has the user's line; after an error recording goes on, with values that take part in no further
 * errors, so that all are found at once. The recorder of a trace is handed down, never global: traces that
 * are written at the same time know nothing of each other.
 */
import {
  type AttributeValue,
  type Dtype,
  type ErrorBody,
  type ErrorCode,
  type Generate,
  type Graph,
  GraphChecker,
  type GraphNode,
  type Input,
  MAX_NODES,
  MAX_VALUES,
  type ModelIndex,
  type NodeType,
  PayloadWriter,
  type Place,
  placeOf,
  type Steps,
  sortFeeds,
  type TensorLike,
  type TensorRef,
} from '@tracewire/protocol';
import type { Fragment } from './edit.ts';
import { replay, type SharedNodes } from './edit-replay.ts';
import { type LocatedError, localError } from './errors.ts';
import { INERT } from './inert.ts';
import type { StartInput, TraceFeeds } from './input.ts';
import { labelOf } from './label.ts';
import { literalTensor } from './literal.ts';
import { CallSite, type Site, type SourceLocation } from './location.ts';
import { coerceOperands, type OperandLike } from './operands.ts';
import { Saved, type Slot } from './saved.ts';
import type { SavedValue } from './tensor.ts';
import { TracedValue } from './traced.ts';
import type { FunctionFile } from './user-function.ts';

/** A trace as it goes on the wire, and what maps the answers back. */
export interface Recording {
  readonly graph: Graph;
  /** The tensors of the graph's constants. */
  readonly payload: readonly Uint8Array[];
  readonly payloadBytes: number;
  /** The same tensors: constants by node, feeds in the payload's order. */
  readonly tensors: {
    readonly constants: ReadonlyMap<number, TensorLike>;
    readonly feeds: readonly TensorLike[];
  };
  /** Those that are called, by their hash. */
  readonly functions: ReadonlyMap<string, FunctionFile>;
  /** By the id of the save node. */
  readonly saves: ReadonlyMap<number, { readonly saved: Saved<SavedValue>; readonly slot: Slot<SavedValue> }>;
  /** The user's line that made a node. */
  locate(node: number | undefined): SourceLocation | undefined;
}

/** A trace that is written down only to know what another run saves needs an input, and no particular one. */
const ANY_INPUT: Input = { ids: [0] };

export class Recorder {
  readonly index: ModelIndex;
  readonly #checker: GraphChecker;
  readonly #nodes: GraphNode[] = [];
  readonly #sites: Site[] = [];
  readonly #payload = new PayloadWriter();
  /** Constants that may be axes, dims or ends of ranges, for the checker. */
  readonly #small = new Map<number, TensorLike>();
  readonly #constants = new Map<number, TensorLike>();
  readonly #feedTensors: TensorLike[] = [];
  readonly #functions = new Map<string, FunctionFile>();
  readonly #saves = new Map<number, { saved: Saved<SavedValue>; slot: Slot<SavedValue> }>();
  readonly #errors: LocatedError[] = [];
  readonly #inputs: Input[] = [];
  /** The options of a generation; undefined for one pass. */
  readonly generate: Generate | undefined;
  /** What the model's edits do in every trace, and the prompts for which it has been written down. */
  readonly #edits: readonly Fragment[];
  readonly #edited = new Set<number>();
  readonly #shared: SharedNodes = new Map();
  #checked = 0;
  #closed = false;

  constructor(index: ModelIndex, generate?: Generate, edits: readonly Fragment[] = []) {
    this.index = index;
    this.generate = generate;
    this.#edits = edits;
    this.#checker = new GraphChecker(index, {
      constant: (node) => this.#small.get(node),
      function: (sha256) => this.#functions.get(sha256)?.read,
      generates: generate !== undefined,
    });
  }

  get errors(): readonly LocatedError[] {
    return this.#errors;
  }

  /** Throws `misuse` once the trace's function has returned. */
  assertOpen(): void {
    if (!this.#closed) return;
    throw localError(
      'misuse',
      'This placeholder belongs to a trace whose function has returned. Use it inside that function, and .save() what you need after it.',
    );
  }

  /** Appends a node and returns its id. Throws `misuse` when the trace is over. */
  add(node: GraphNode, site: Site = new CallSite()): number {
    this.assertOpen();
    const place = placeOf(node);
    if (place) this.#edit(place.invoke ?? 0);
    if (this.#nodes.length >= MAX_NODES) {
      throw localError(
        'misuse',
        `The trace has more than ${MAX_NODES} nodes. A loop whose condition is a placeholder never ends.`,
      );
    }
    this.#nodes.push(node);
    this.#sites.push(site);
    this.#checker.add(node);
    this.#collect(site);
    return this.#nodes.length - 1;
  }

  /** Notes an error at the user's line; recording goes on. */
  report(code: ErrorCode, message: string, facts: Omit<ErrorBody, 'code' | 'message'> = {}): void {
    this.assertOpen();
    this.#errors.push({ body: { code, message, ...facts }, location: new CallSite().location });
  }

  /** Notes an error that was thrown. */
  fail(errors: readonly LocatedError[]): void {
    this.#errors.push(...errors);
  }

  typeOf(node: number): NodeType {
    return node === INERT ? { kind: 'unknown' } : this.#checker.typeOf(node);
  }

  /** The dtype of a value that is one tensor. */
  dtypeOf(node: number): Dtype | undefined {
    const type = this.typeOf(node);
    return type.kind === 'tensor' ? type.dtype : undefined;
  }

  nodeOf(node: number): GraphNode | undefined {
    return this.#nodes[node];
  }

  value(node: number): TracedValue {
    return TracedValue.create(this, node);
  }

  /** A value that stands for an error already reported. */
  inert(): TracedValue {
    this.assertOpen();
    return this.value(INERT);
  }

  /** A node whose operands may stand for errors: then it stands for one too. */
  derive(operands: readonly number[], node: GraphNode): TracedValue {
    return operands.includes(INERT) ? this.inert() : this.value(this.add(node));
  }

  read(place: Place | undefined): TracedValue {
    return place ? this.value(this.add({ kind: 'read', place })) : this.inert();
  }

  constant(tensor: TensorLike, site?: Site): number {
    if (tensor.data.length <= MAX_VALUES) this.#small.set(this.#nodes.length, tensor);
    const id = this.add({ kind: 'constant', tensor: this.#payload.tensor(tensor) }, site);
    this.#constants.set(id, tensor);
    return id;
  }

  /** In which steps of a generation a node acts; undefined for what is of none. */
  stepsOf(node: number): Steps | undefined {
    return this.#checker.stepsOf(node);
  }

  operator(
    operator: string,
    operands: readonly OperandLike[],
    attributes?: Readonly<Record<string, AttributeValue>>,
  ): TracedValue {
    const inputs = coerceOperands(this, operator, operands);
    return this.derive(inputs, { kind: 'operator', operator, inputs, ...(attributes ? { attributes } : {}) });
  }

  /** The trace calls the function, so it goes to the server too. */
  knows(file: FunctionFile): void {
    this.#functions.set(file.sha256, file);
  }

  /** A call of a user's function. */
  call(file: FunctionFile, inputs: readonly number[]): TracedValue {
    this.knows(file);
    return this.derive(inputs, { kind: 'call', function: file.sha256, inputs });
  }

  save(value: number): Saved<SavedValue> {
    const steps = value === INERT ? undefined : this.#checker.stepsOf(value);
    // One that acts in one step is filled as in a trace.
    const slot: Slot<SavedValue> =
      typeof steps === 'object' ? { steps: { of: steps, slots: new Map() } } : {};
    const saved = new Saved(slot, this.label(value), new CallSite());
    const id = value === INERT ? INERT - 1 - this.#saves.size : this.add({ kind: 'save', value });
    this.#saves.set(id, { saved, slot });
    return saved;
  }

  log(text: string | undefined, value?: number): void {
    if (value === INERT) return;
    this.add({
      kind: 'log',
      ...(text === undefined ? {} : { text }),
      ...(value === undefined ? {} : { value }),
    });
  }

  /** What a value is called when shown. */
  label(node: number): string {
    return labelOf(this.nodeOf(node), (id) => this.nodeOf(id));
  }

  /** The value that a handle of this trace saves, so that it can be used further. */
  savedNode(saved: unknown): number | undefined {
    for (const [id, entry] of this.#saves) {
      if (entry.saved !== saved) continue;
      const node = this.nodeOf(id);
      return node?.kind === 'save' ? node.value : INERT;
    }
    return undefined;
  }

  /** How many prompts there are so far. */
  get invokes(): number {
    return this.#inputs.length;
  }

  /**
   * Adds a prompt, and gives its number. `site` is where what is wrong with it belongs. Without an input the recording
   * is of a run that has one already.
   */
  invoke(start: StartInput | undefined, site: CallSite): number {
    this.assertOpen();
    const input = start && ('literals' in start ? this.#feeds(start.literals, site) : start);
    const invoke = this.#inputs.push(input ?? ANY_INPUT) - 1;
    if (input) this.#checker.input(input, invoke);
    this.#collect(site);
    return invoke;
  }

  /** Checks what only the whole trace tells. `site` is where errors without a node of their own belong. */
  check(site: CallSite): void {
    for (let invoke = 0; invoke < this.invokes; invoke++) this.#edit(invoke);
    if (this.#errors.length > 0) return;
    this.#checker.finish(this.invokes);
    this.#collect(site);
  }

  /** Ends the recording: placeholders are of no more use. */
  finish(): Recording {
    this.#closed = true;
    return {
      graph: { invokes: this.#inputs.map((input) => ({ input })), nodes: this.#nodes },
      payload: this.#payload.parts,
      payloadBytes: this.#payload.bytes,
      tensors: { constants: this.#constants, feeds: this.#feedTensors },
      functions: this.#functions,
      saves: this.#saves,
      locate: (node) => this.#locate(node),
    };
  }

  /** The model's edits stand before the first hook of each prompt, so that the trace's own hooks see what they did. */
  #edit(invoke: number): void {
    if (this.#edited.has(invoke)) return;
    this.#edited.add(invoke);
    const steps: { readonly steps?: Steps } = this.generate ? { steps: {} } : {};
    for (const edit of this.#edits) replay(this, edit, { invoke, ...steps, shared: this.#shared });
  }

  #locate(node: number | undefined): SourceLocation | undefined {
    return node === undefined ? undefined : this.#sites[node]?.location;
  }

  /** Numbers take the dtype that the model wants of a feed; what fits none is an error at the trace's line. */
  #feeds(literals: TraceFeeds, site: CallSite): Input {
    const refuse = (code: ErrorCode, message: string, path?: string): void =>
      this.fail([
        { body: { code, message, ...(path === undefined ? {} : { path }) }, location: site.location },
      ]);
    if (this.invokes > 0 || this.#payload.bytes > 0)
      refuse('bad_input', 'Feeds can’t be given in a batch. Trace them one after the other.');
    const wanted = new Map(this.index.description.feeds?.map((feed) => [feed.name, feed.dtype]));
    const feeds = sortFeeds(Object.entries(literals)).flatMap(([name, literal]): [string, TensorRef][] => {
      const made = literalTensor(literal, wanted.get(name) ?? 'float32');
      if (!('fault' in made)) {
        this.#feedTensors.push(made);
        return [[name, this.#payload.tensor(made)]];
      }
      refuse(made.code, `The feed ${name}: ${made.fault}`, name);
      return [];
    });
    return { feeds: Object.fromEntries(feeds) };
  }

  /** Takes the errors that the checker has found since. */
  #collect(site: Site): void {
    const found = this.#checker.errors;
    for (; this.#checked < found.length; this.#checked++) {
      const body = found[this.#checked];
      if (body) this.#errors.push({ body, location: this.#locate(body.node) ?? site.location });
    }
  }
}
