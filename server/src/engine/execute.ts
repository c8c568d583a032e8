/**
 * Carries out a plan: runs the parts of the model in order and does at each moment what the graph asks.
 * A failing operation takes down what depends on it; a failing write or segment ends the run.
 */
import {
  describePlace,
  type ErrorBody,
  type Graph,
  isTuple,
  NEVER_SET,
  operandsOf,
  type Place,
  type TensorLike,
  TracewireError,
  toErrorBody,
  type Value,
  valueBytes,
  zeros,
} from '@tracewire/protocol';
import { type Cached, type FeedSizes, sizeOf } from './feeds.ts';
import { MemoryBudget } from './memory-budget.ts';
import type { Model } from './model.ts';
import type { OperationRunner } from './operation-runner.ts';
import { groupOperations, sourceOf, tensorIn } from './operations.ts';
import type { RunListener } from './outcomes.ts';
import type { Moment, Plan, PlannedSegment } from './plan.ts';
import { positionsFeed, spread } from './positions.ts';
import { cut, type Part, partOf, paste, sizesAlone } from './rows.ts';
import type { SegmentSpec } from './segment.ts';
import type { SegmentCache } from './segment-cache.ts';
import { checkFits, writeSelection } from './selection.ts';
import type { SharedPass } from './shared-work.ts';
import { POSITIONS } from './tail.ts';
import type { PlannedWrite, ValueKey } from './versions.ts';

export interface Execution {
  readonly graph: Graph;
  readonly plan: Plan;
  readonly model: Model;
  readonly segments: SegmentCache;
  readonly operations: OperationRunner;
  /** Tokens of each invoke. */
  readonly lengths: readonly number[];
  /** Of a pass over feeds, which may have several rows. */
  readonly sizes?: FeedSizes | undefined;
  /** Feeds of the model, by name. */
  readonly feeds: ReadonlyMap<string, TensorLike>;
  /** Values of the graph's constants, by node; those of nodes that an earlier pass computed too. */
  readonly constants: ReadonlyMap<number, Value>;
  /** Nodes that failed in an earlier pass. */
  readonly failures?: ReadonlyMap<number, ErrorBody> | undefined;
  /** Tokens of earlier passes, of each invoke. */
  readonly cached?: Cached | undefined;
  /** Reads of what all invokes together have there. */
  readonly uncut?: ReadonlySet<number> | undefined;
  readonly listener: RunListener;
  readonly isCancelled: () => boolean;
  /** Most bytes of all saved values. */
  readonly savedBytes: number;
  /** Most bytes of all operators' results. */
  readonly intermediateBytes: number;
  /** Saves whose values stay here, for later traces, and so count for nothing. */
  readonly held?: ReadonlySet<number> | undefined;
  /** What other traces of the session have computed, and wait for. */
  readonly shared?: SharedPass | undefined;
  /** Bytes that earlier passes have saved. */
  readonly takenBytes?: number | undefined;
  /**
   * The first node of each of several runs that share the pass: each has the bounds to itself, all together have one run's
   * of results. What ends the pass early then ends none of them, so that saves without an outcome get none here.
   */
  readonly firsts?: readonly number[] | undefined;
}

/** What came of it: `error` ends the run as failed. */
export interface ExecutionResult {
  /** The segments that ran. */
  readonly ran: readonly SegmentSpec[];
  readonly cancelled: boolean;
  readonly error: ErrorBody | undefined;
  readonly failures: ReadonlyMap<number, ErrorBody>;
  /** Bytes that have been saved so far. */
  readonly takenBytes: number;
}

/** Runs the plan. Every save has had exactly one outcome when it returns. */
export async function execute(execution: Execution): Promise<ExecutionResult> {
  return new Executor(execution).run();
}

class Executor {
  readonly #execution: Execution;
  /** The model's values and the versions that writes made. */
  readonly #environment = new Map<ValueKey, TensorLike>();
  /** Values computed at some positions, with zeros at the others. */
  readonly #wholes = new Map<ValueKey, TensorLike>();
  /** The values of graph nodes. */
  readonly #values = new Map<number, Value>();
  readonly #failures = new Map<number, ErrorBody>();
  readonly #delivered = new Set<number>();
  /** Of each run. */
  readonly #saved: number[];
  readonly #budgets: readonly MemoryBudget[];
  readonly #whole: MemoryBudget;
  readonly #ran: SegmentSpec[] = [];

  constructor(execution: Execution) {
    this.#execution = execution;
    const { firsts = [0], intermediateBytes, takenBytes = 0 } = execution;
    this.#whole = new MemoryBudget(intermediateBytes);
    this.#budgets = firsts.map(() => new MemoryBudget(intermediateBytes, this.#whole));
    this.#saved = firsts.map(() => takenBytes);
    const { plan, lengths, sizes } = execution;
    for (const [name, tensor] of execution.feeds) this.#environment.set(name, tensor);
    this.#environment.set(POSITIONS, positionsFeed(plan.picked?.rows, lengths, sizes));
    for (const [node, value] of execution.constants) this.#values.set(node, value);
    for (const [node, failure] of execution.failures ?? []) this.#failures.set(node, failure);
  }

  async run(): Promise<ExecutionResult> {
    const { plan, listener, isCancelled } = this.#execution;
    const { shared } = this.#execution;
    const total = plan.steps.filter((step) => step.kind === 'segment' && runs(shared, step)).length;
    let error: ErrorBody | undefined;
    let cancelled = false;
    for (const step of plan.steps) {
      cancelled = isCancelled();
      if (cancelled) break;
      try {
        if (step.kind === 'moment') await this.#moment(step);
        else if (!runs(shared, step)) this.#take(step);
        else {
          await this.#segment(step);
          listener.progress(this.#ran.length, total);
        }
      } catch (thrown) {
        error = toErrorBody(thrown, 'operation_failed');
        break;
      }
    }
    if (!this.#several || !(error || cancelled)) this.#settle(error, cancelled);
    return {
      ran: this.#ran,
      cancelled,
      error,
      failures: this.#failures,
      takenBytes: this.#saved[0] ?? 0,
    };
  }

  get #several(): boolean {
    return this.#budgets.length > 1;
  }

  /** Which of the runs a node is of. */
  #runOf(node: number): number {
    const { firsts = [0] } = this.#execution;
    return firsts.length === 1 ? 0 : firsts.findLastIndex((first) => first <= node);
  }

  async #segment(step: PlannedSegment): Promise<void> {
    const { spec, feeds, fetches } = step;
    const { segments, shared } = this.#execution;
    const segment = await segments.get(spec);
    const inputs = new Map([...feeds].map(([name, key]) => [name, this.#at(key)]));
    const wanted = shared?.fetches(step) ?? fetches;
    for (const [name, tensor] of await segment.run(inputs, wanted)) {
      this.#environment.set(name, tensor);
      shared?.made(step, name, tensor);
    }
    this.#ran.push(spec);
  }

  /** What another trace's run of the same segment on the same values gave. */
  #take(step: PlannedSegment): void {
    for (const [name, tensor] of this.#execution.shared?.taken(step) ?? [])
      this.#environment.set(name, tensor);
  }

  async #moment({ reads, operations, deliveries, writes }: Moment): Promise<void> {
    for (const { node, keys, of, tuple } of reads) {
      const values = keys.map((key, index) => this.#seen(node, key, of[index] ?? key));
      const [first] = values;
      if (first) this.#values.set(node, tuple ? values : first);
    }
    await this.#operations(operations);
    for (const node of deliveries) this.#deliver(node);
    for (const write of writes) this.#write(write);
  }

  async #operations(ids: readonly number[]): Promise<void> {
    const sound = ids.filter((id) => !this.#inheritFailure(id));
    for (const own of this.#byRun(sound)) await this.#operationsOf(own);
  }

  async #operationsOf(ids: readonly number[]): Promise<void> {
    const { graph, operations } = this.#execution;
    const [first = 0] = ids;
    const budget = this.#budgets[this.#runOf(first)] ?? this.#whole;
    for (const group of groupOperations(ids, graph.nodes)) {
      const nodes = group.nodes.filter((id) => !this.#inheritFailure(id));
      const { values, failures } = await operations.run(
        { ...group, nodes },
        graph.nodes,
        (source) => tensorIn(this.#values.get(source.node), source),
        budget,
      );
      for (const [node, value] of values) this.#values.set(node, value);
      for (const [node, failure] of failures) this.#failures.set(node, failure);
    }
    if (this.#several && this.#whole.overrun) throw new Error('the runs of the pass take too much together');
  }

  /** Nodes of different runs make no model together, whose structure would hardly come again. */
  #byRun(ids: readonly number[]): readonly (readonly number[])[] {
    if (!this.#several) return [ids];
    const runs = new Map<number, number[]>();
    for (const id of ids) {
      const run = this.#runOf(id);
      const own = runs.get(run);
      if (own) own.push(id);
      else runs.set(run, [id]);
    }
    return [...runs.values()];
  }

  /** Marks a node failed if an operand is; a failing operand is the cause. */
  #inheritFailure(id: number): boolean {
    if (this.#failures.has(id)) return true;
    const node = this.#execution.graph.nodes[id];
    const failed = node && operandsOf(node).find((operand) => this.#hasFailed(operand));
    const cause = failed === undefined ? undefined : this.#failures.get(failed);
    if (cause) this.#failures.set(id, cause);
    return cause !== undefined;
  }

  /** What only passes values on fails with them. */
  #hasFailed(id: number): boolean {
    const kind = this.#execution.graph.nodes[id]?.kind;
    return this.#failures.has(id) || ((kind === 'member' || kind === 'call') && this.#inheritFailure(id));
  }

  #deliver(id: number): void {
    const { graph, listener, savedBytes, held } = this.#execution;
    const node = graph.nodes[id];
    if (node?.kind === 'log') {
      if (this.#inheritFailure(id)) listener.log(id, failedLog(node.text, this.#failures.get(id)), undefined);
      else listener.log(id, node.text, node.value === undefined ? undefined : this.#value(node.value));
      return;
    }
    if (node?.kind !== 'save') return;
    this.#delivered.add(id);
    if (this.#inheritFailure(id)) {
      listener.accessError(id, failedBecause(id, this.#failures.get(id)));
      return;
    }
    const value = this.#value(node.value);
    if (held?.has(id)) return listener.value(id, value);
    const bytes = valueBytes(value);
    const run = this.#runOf(id);
    const taken = this.#saved[run] ?? 0;
    if (taken + bytes > savedBytes) {
      const message = `The value has ${bytes} bytes; a run may save ${savedBytes}, and ${taken} are taken. Reduce it on the server: slice, mean, topK.`;
      listener.accessError(id, {
        code: 'too_large',
        message,
        node: id,
        wanted: `${savedBytes - taken}`,
        got: `${bytes}`,
      });
      return;
    }
    this.#saved[run] = taken + bytes;
    listener.value(id, value);
  }

  /** What a read's invoke sees of a value. */
  #seen(node: number, key: ValueKey, of: string): TensorLike {
    const { nodes, invokes } = this.#execution.graph;
    const read = nodes[node];
    const whole = this.#at(key);
    const one = invokes.length > 1 && read?.kind === 'read' && !this.#execution.uncut?.has(node);
    const place = one ? read.place : undefined;
    if (this.#execution.plan.picked?.values.has(key)) return this.#spread(key, place);
    return place ? cut(whole, this.#partOf(of, place)) : whole;
  }

  /** A value that was computed at some positions, with all of them: as an invoke sees it, or the whole batch. */
  #spread(key: ValueKey, place: Place | undefined): TensorLike {
    const { plan, lengths, sizes } = this.#execution;
    const { rows = [] } = plan.picked ?? {};
    const { invoke = 0 } = place ?? {};
    if (place) return spread(this.#at(key), rows, lengths[invoke] ?? 0, invoke);
    const whole =
      this.#wholes.get(key) ?? spread(this.#at(key), rows, sizes?.sequence ?? Math.max(...lengths));
    this.#wholes.set(key, whole);
    return whole;
  }

  #write(write: PlannedWrite): void {
    const { node, place, after } = write;
    if (this.#inheritFailure(node))
      throw new TracewireError(writeFailed(node, describePlace(place), this.#failures.get(node)));
    try {
      const batched = this.#execution.graph.invokes.length > 1;
      this.#environment.set(after, batched ? this.#pasted(write) : this.#written(write));
    } catch (thrown) {
      const body = toErrorBody(thrown);
      throw new TracewireError({
        ...body,
        message: `${describePlace(place)}: ${body.message}`,
        node,
        path: place.module,
      });
    }
  }

  /** What a write makes of a value of which its invoke has a part; the other rows stay as they are. */
  #pasted(write: PlannedWrite): TensorLike {
    const { place, of, before, after } = write;
    const found = this.#at(before);
    const mayChange = this.#execution.plan.inPlace.has(after) && !this.#execution.shared;
    const whole = mayChange ? found : { ...found, data: found.data.slice() };
    const part = this.#partOf(of, place);
    paste(
      whole,
      part,
      this.#written(write, () => cut(whole, part)),
    );
    return whole;
  }

  /**
   * What a write makes of what its invoke has of a value: `old` gives it where a part stays. Of one that is wholly
   * replaced nothing need be there: its dims are told by its type.
   */
  #written(
    { value, member, selection, mask, partial, of, before, place }: PlannedWrite,
    old = (): TensorLike => this.#at(before),
  ): TensorLike {
    const { model, lengths, cached, sizes: fed } = this.#execution;
    const written = this.#tensor(value, member);
    if (partial) {
      const chosen = mask === undefined ? undefined : this.#tensor(mask);
      return writeSelection(old(), selection ?? [], written, chosen);
    }
    const type = model.types.get(of);
    const { invoke = 0 } = place;
    const sizes = fed ?? sizesAlone(lengths[invoke] ?? 0, cached?.own[invoke]);
    const dims = type?.dims.map((dim) => sizeOf(dim, sizes));
    if (!type || !dims) return written;
    if (selection) return writeSelection(zeros(type.dtype, dims.map(Number)), selection, written);
    checkFits(written, { dtype: type.dtype, dims });
    return written;
  }

  #partOf(value: string, { invoke = 0 }: Place): Part {
    const { model, lengths, cached } = this.#execution;
    const part = partOf(model.types.get(value)?.dims ?? [], invoke, lengths[invoke] ?? 0, cached);
    if (!part) throw new Error(`The rows of ${value} can’t be told apart.`);
    return part;
  }

  /** Gives every save that has had no outcome its access error. */
  #settle(error: ErrorBody | undefined, cancelled: boolean): void {
    const { graph, plan, listener } = this.#execution;
    for (const [id, node] of graph.nodes.entries()) {
      if (node.kind !== 'save' || this.#delivered.has(id)) continue;
      const missed = plan.notReached.get(id);
      if (missed) listener.accessError(id, missed);
      else if (cancelled)
        listener.accessError(id, {
          code: 'cancelled',
          message: 'The run was cancelled before the value came to be.',
          node: id,
        });
      else listener.accessError(id, failedBecause(id, error));
    }
  }

  #at(key: ValueKey): TensorLike {
    const tensor = this.#environment.get(key);
    if (!tensor) throw new Error(`The value ${key} was not made.`);
    return tensor;
  }

  /** The tensor of a node; of a tuple, its member. */
  #tensor(node: number, member?: number): TensorLike {
    const value = this.#value(node);
    const tensor = isTuple(value) && member !== undefined ? value[member] : value;
    if (!tensor || isTuple(tensor)) throw new Error(`Node ${node} is no tensor.`);
    return tensor;
  }

  #value(node: number): Value {
    const joined = this.#execution.graph.nodes[node];
    if (joined?.kind === 'call' && joined.inputs.length > 1)
      return joined.inputs.map((input) => this.#value(input));
    const { node: id, member } = sourceOf(node, this.#execution.graph.nodes);
    const value = this.#values.get(id);
    if (value === undefined) throw new Error(`Node ${id} has no value.`);
    if (id === node || !isTuple(value)) return value;
    const picked = value[member];
    if (picked === undefined) throw new Error(`Node ${id} has no member ${member}.`);
    return picked;
  }
}

function runs(shared: SharedPass | undefined, step: PlannedSegment): boolean {
  return shared?.runs(step) ?? true;
}

/** Whoever waits for a log should hear that its value failed, too. */
function failedLog(text: string | undefined, cause: ErrorBody | undefined): string {
  const note = `(no value: ${cause?.message ?? 'it failed'})`;
  return text === undefined ? note : `${text} ${note}`;
}

function failedBecause(node: number, cause: ErrorBody | undefined): ErrorBody {
  const why = cause ? `: ${cause.message}` : '.';
  return {
    code: 'failed',
    message: `${NEVER_SET} What it needs failed${why}`,
    node,
    path: cause?.path,
    cause,
  };
}

function writeFailed(node: number, place: string, cause: ErrorBody | undefined): ErrorBody {
  return {
    code: 'failed',
    message: `${place} could not be written: the value to write failed.`,
    node,
    cause,
  };
}
