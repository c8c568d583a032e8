/**
 * Records one trace as plain data. Each use of a placeholder appends a node, checked on the spot so that an
 * error has the user's line; after an error recording goes on, with values that take part in no further
 * errors, so that all are found at once. The recorder of a trace is handed down, never global: traces that
 * are written at the same time know nothing of each other.
 */
import {
  type AttributeValue,
  type Dtype,
  type EarlierNode,
  type ErrorBody,
  type ErrorCode,
  type Generate,
  GraphChecker,
  type GraphNode,
  type Input,
  type Limits,
  MAX_NODES,
  MAX_VALUES,
  type ModelIndex,
  type NodeType,
  PayloadWriter,
  type Place,
  placeOf,
  type Steps,
  type TensorLike,
} from '@tracewire/protocol';
import { EarlierValues, type InSession } from './earlier-values.ts';
import type { Fragment } from './edit-fragment.ts';
import { EditReplay } from './edit-replay.ts';
import { type LocatedError, localError } from './errors.ts';
import { writeFeeds } from './feeds.ts';
import { readFile, sha256Of } from './function-reading.ts';
import { INERT } from './inert.ts';
import type { StartInput, TraceFeeds } from './input.ts';
import { labelOf } from './label.ts';
import { CallSite, type Site, type SourceLocation } from './location.ts';
import { Operand, RECORDER, RESOLVE } from './operand.ts';
import { coerceOperand, coerceOperands, type OperandLike } from './operands.ts';
import type { Recording } from './recording.ts';
import { Saved, type Slot } from './saved.ts';
import type { SavedValue } from './tensor.ts';
import { TracedValue } from './traced.ts';
import { type FunctionFile, faultsOf } from './user-function.ts';

/** Kinds of nodes that do something in the pass, or tell of it in order. */
export const ACTS: ReadonlySet<GraphNode['kind']> = new Set(['write', 'skip', 'stop', 'log']);

/** An operation on values of several traces of a session is of the last of them. */
function latestOf(recorder: Recorder, operands: readonly OperandLike[]): Recorder {
  const others = operands.flatMap((operand) => (operand instanceof Operand ? [operand[RECORDER]] : []));
  return others.reduce((latest, other) => (latest.isBefore(other) ? other : latest), recorder);
}

/** A trace that is written down only to know what another run saves needs an input, and no particular one. */
const ANY_INPUT: Input = { ids: [0] };

/** What a trace is written for, beside the model. */
export interface RecorderOptions {
  /** For a generation. */
  readonly generate?: Generate | undefined;
  /** The model's. */
  readonly edits?: readonly Fragment[];
  /** For a trace of a session. */
  readonly session?: InSession | undefined;
  /** The server's, where the trace is to run. */
  readonly limits?: Limits | undefined;
}

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
  readonly #edits: EditReplay;
  /** The session that it is a trace of. */
  readonly #session: InSession | undefined;
  readonly #limits: Limits | undefined;
  readonly #earlier: EarlierValues;
  /** How many of the checker's errors have been taken over. */
  #checked = 0;
  /** Placeholders are of no more use. */
  #closed = false;
  /** The function has returned, but the session's has not: values can be made, and nothing done. */
  #sealed = false;
  /** While a later trace resolves a value of this one, which then writes nodes after all. */
  #resolving = false;

  constructor(index: ModelIndex, { generate, edits = [], session, limits }: RecorderOptions = {}) {
    this.index = index;
    this.#limits = limits;
    this.generate = generate;
    this.#edits = new EditReplay(edits, generate !== undefined);
    this.#session = session;
    this.#earlier = new EarlierValues(this, session?.before ?? []);
    this.#checker = new GraphChecker(index, {
      constant: (node) => this.#small.get(node),
      function: (sha256) => this.#functions.get(sha256)?.read,
      generates: generate !== undefined,
      limits,
      earlier: session?.before.map((recorder) => recorder.#checker),
    });
  }

  /** Its number in the session. */
  get trace(): number {
    return this.#session?.before.length ?? 0;
  }

  /** Ends the writing of the trace within its session. */
  seal(): void {
    for (let invoke = 0; invoke < this.invokes; invoke++) this.#edits.write(this, invoke);
    this.#sealed = true;
  }

  get errors(): readonly LocatedError[] {
    return this.#errors;
  }

  /** Throws `misuse` once the trace's function has returned. */
  assertOpen(): void {
    if (!this.#closed && !this.#session?.isOver()) return;
    throw localError(
      'misuse',
      'This placeholder belongs to a trace whose function has returned. Use it inside that function, and .save() what you need after it.',
    );
  }

  /** Appends a node and returns its id. Throws `misuse` when the trace is over. */
  add(node: GraphNode, site: Site = new CallSite()): number {
    this.assertOpen();
    if (this.#sealed && ACTS.has(node.kind)) this.#refuseLate();
    const place = placeOf(node);
    if (place) this.#edits.write(this, place.invoke ?? 0);
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

  /** The module that a value was read at; undefined for what was computed. */
  moduleOf(node: number): string | undefined {
    const at = this.nodeOf(node);
    return at?.kind === 'read' ? at.place.module : undefined;
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
    const at = this.#written ?? latestOf(this, operands);
    if (at !== this) return at.operator(operator, operands, attributes);
    const inputs = coerceOperands(this, operator, operands);
    return this.derive(inputs, { kind: 'operator', operator, inputs, ...(attributes ? { attributes } : {}) });
  }

  /** The trace calls the function, so it goes to the server too. */
  knows(file: FunctionFile): void {
    this.#functions.set(sha256Of(file), file);
  }

  /** A call of a user's function. What is wrong with its file is told once. */
  call(file: FunctionFile, operands: readonly OperandLike[]): TracedValue {
    const { body, errors } = readFile(file);
    if (!body) {
      if (!this.#errors.some((error) => error.body === errors[0])) this.fail(faultsOf(file));
      return this.inert();
    }
    this.knows(file);
    const inputs = operands.map((operand, index) =>
      coerceOperand(this, operand, body.inputs[index]?.dtype ?? 'float32'),
    );
    return this.derive(inputs, { kind: 'call', function: sha256Of(file), inputs });
  }

  save(value: number): Saved<SavedValue> {
    const at = this.#written;
    if (at) return at.save(at.#earlier.take(this, value));
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
    const at = value === undefined ? undefined : this.#written;
    if (at && value !== undefined) return at.log(text, at.#earlier.take(this, value));
    this.add({
      kind: 'log',
      ...(text === undefined ? {} : { text }),
      ...(value === undefined ? {} : { value }),
    });
  }

  /** What a value is called when shown. */
  label(node: number): string {
    const earlier = ({ trace, node: of }: EarlierNode): string =>
      this.#session?.before[trace]?.label(of) ?? 'value';
    return labelOf(this.nodeOf(node), (id) => this.nodeOf(id), earlier);
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

  /** The node that stands for a value of an earlier trace of the session; undefined for one of no such trace. */
  earlier(operand: unknown): number | undefined {
    return this.#earlier.nodeFor(operand);
  }

  /** The node of an operand of this trace that a later one uses: a part of a place is cut out in the trace that it is of. */
  resolve(operand: Operand): number {
    this.#resolving = true;
    try {
      return operand[RESOLVE]();
    } finally {
      this.#resolving = false;
    }
  }

  /** The trace that is being written, where this one isn't any more: what is done with its values is of that one. */
  get #written(): Recorder | undefined {
    const writing = this.#sealed && !this.#resolving ? this.#session?.writing() : undefined;
    return writing && this.isBefore(writing) ? writing : undefined;
  }

  /** Whether another trace belongs to the same session, behind this one. */
  isBefore(other: Recorder): boolean {
    return other.#session?.before.includes(this) ?? false;
  }

  #refuseLate(): never {
    throw localError(
      'misuse',
      'This belongs to a trace of the session whose function has returned: its values can be used in later traces, but nothing more is written, skipped, stopped or logged in it. Do that inside its function.',
    );
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
    if (this.#sealed) this.#refuseLate();
    const input = start && ('literals' in start ? this.#feeds(start.literals, site) : start);
    const invoke = this.#inputs.push(input ?? ANY_INPUT) - 1;
    if (input) this.#checker.input(input, invoke);
    this.#collect(site);
    return invoke;
  }

  /** Checks what only the whole trace tells. `site` is where errors without a node of their own belong. */
  check(site: CallSite): void {
    for (let invoke = 0; invoke < this.invokes; invoke++) this.#edits.write(this, invoke);
    if (this.#errors.length > 0) return;
    const { warnings } = this.#checker.finish(this.invokes);
    this.#collect(site);
    // A server runs such a trace, and sends the rest; nobody means that.
    const past = warnings.filter(({ code }) => code === 'too_large');
    for (const body of [...past, ...this.#tooMany()])
      this.#errors.push({ body, location: this.#locate(body.node) ?? site.location });
  }

  /** Nodes, with those of the functions that are called. */
  get #count(): number {
    const inside = this.#nodes.map((node) =>
      node.kind === 'call' ? (this.#functions.get(node.function)?.read?.body?.nodes.length ?? 0) : 0,
    );
    return inside.reduce((sum, count) => sum + count, this.#nodes.length);
  }

  #tooMany(): ErrorBody[] {
    const before = (this.#session?.before ?? []).reduce((sum, recorder) => sum + recorder.#count, 0);
    const own = { nodes: this.#nodes.length, count: this.#count };
    const fault = tooManyNodes(own, before, this.#limits?.nodes ?? Number.POSITIVE_INFINITY);
    return fault ? [fault] : [];
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

  #locate(node: number | undefined): SourceLocation | undefined {
    return node === undefined ? undefined : this.#sites[node]?.location;
  }

  /** What fits no dtype is an error at the trace's line. */
  #feeds(literals: TraceFeeds, { location }: CallSite): Input {
    if (this.invokes > 0 || this.#payload.bytes > 0) {
      const message = 'Feeds can’t be given in a batch. Trace them one after the other.';
      this.fail([{ body: { code: 'bad_input', message }, location }]);
    }
    const { feeds, tensors, faults } = writeFeeds(literals, this.index.description, this.#payload);
    this.#feedTensors.push(...tensors);
    this.fail(faults.map((body) => ({ body, location })));
    return { feeds };
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

/** In a session nodes count with those of the traces before, and it's the first trace past the limit that says so. */
function tooManyNodes(
  own: { readonly nodes: number; readonly count: number },
  before: number,
  most: number,
): ErrorBody | undefined {
  const count = before + own.count;
  if (before > most || count <= most) return undefined;
  const what = before > 0 ? 'The session has' : 'The trace has';
  return {
    code: 'bad_message',
    message: `${what} ${count} nodes; this server takes at most ${most}. Run it in parts: several traces.`,
    node: Math.max(0, Math.min(most - before, own.nodes - 1)),
    path: 'graph.nodes',
    wanted: `at most ${most}`,
    got: String(count),
  };
}
