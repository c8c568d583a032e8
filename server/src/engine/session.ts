/** Runs the traces of a session in order (PROTOCOL.md, section 6.3): values go on, and common work is done once. */
import {
  type ErrorBody,
  type Graph,
  ofTrace,
  type TensorLike,
  type TraceGraph,
  toErrorBody,
  type Value,
} from '@tracewire/protocol';
import type { FeedSizes } from './feeds.ts';
import { type FingerprintedPass, inputFingerprint } from './fingerprints.ts';
import { HeldValues } from './held-values.ts';
import type { RunListener, RunOutcome } from './outcomes.ts';
import type { Plan } from './plan.ts';
import { type SharedPass, SharedWork } from './shared-work.ts';

/** One trace, with what its message brings. */
export interface TraceWork extends TraceGraph {
  readonly constants: ReadonlyMap<number, TensorLike>;
  /** One map for each invoke. */
  readonly feeds: readonly ReadonlyMap<string, TensorLike>[];
}

/** What a pass begins with. */
export interface PassInput {
  /** Tokens of each invoke. */
  readonly lengths: readonly number[];
  /** Of a pass over feeds, which may have several rows. */
  readonly sizes?: FeedSizes | undefined;
  /** Of the model, by name. */
  readonly feeds: ReadonlyMap<string, TensorLike>;
}

/** A pass as it will run. */
export interface PreparedPass {
  readonly input: PassInput;
  readonly plan: Plan;
}

/** How a trace runs among others. */
export interface Among {
  readonly listener: RunListener;
  readonly isCancelled: () => boolean;
  /** Of its graph's constants, and of what it takes of earlier traces. */
  readonly constants: ReadonlyMap<number, Value>;
  readonly failures?: ReadonlyMap<number, ErrorBody> | undefined;
  readonly held?: ReadonlySet<number> | undefined;
  readonly earlier?: readonly Graph[] | undefined;
  readonly shared?: SharedPass | undefined;
  readonly prepared?: PreparedPass | undefined;
  /** Bytes that are saved already. */
  readonly takenBytes?: number | undefined;
  /** Bytes that its operators' results may take, where earlier traces' values take some of what a run may. */
  readonly intermediateBytes?: number | undefined;
}

export interface TraceOutcome extends RunOutcome {
  readonly takenBytes: number;
}

/** What a session asks of the engine. */
export interface TraceRunner {
  readonly intermediateBytes: number;
  /** Throws what is wrong with the input. */
  input(trace: TraceWork): PassInput;
  /** Of one pass. `alone`: a short one may run in one piece. Throws what keeps it from running. */
  plan(trace: TraceWork, input: PassInput, earlier: readonly Graph[], alone: boolean): Plan;
  run(trace: TraceWork, among: Among): Promise<TraceOutcome>;
  /** Gives all saves of a trace that doesn't run their access errors. */
  refuse(
    trace: TraceWork,
    listener: RunListener,
    state: 'failed' | 'cancelled',
    errors: readonly ErrorBody[],
    takenBytes?: number,
  ): TraceOutcome;
}

export interface SessionOutcome extends Omit<RunOutcome, 'report'> {
  /** One for each trace. */
  readonly traces: readonly RunOutcome[];
}

/** Every save has had its outcome, trace by trace, when it returns; nothing is thrown. The traces have been checked. */
export async function runSession(
  traces: readonly TraceWork[],
  runner: TraceRunner,
  listenerOf: (trace: number) => RunListener,
  isCancelled: () => boolean,
): Promise<TraceOutcome[]> {
  const session = new Session(traces, runner);
  const outcomes: TraceOutcome[] = [];
  for (const [trace, work] of traces.entries()) {
    const listener = listenerOf(trace);
    const takenBytes = outcomes.at(-1)?.takenBytes ?? 0;
    if (isCancelled()) outcomes.push(runner.refuse(work, listener, 'cancelled', []));
    else outcomes.push(await session.run(trace, listener, isCancelled, takenBytes));
  }
  return outcomes;
}

/** One in which nothing runs, for something is wrong with it. */
export function refuseSession(
  traces: readonly TraceWork[],
  faults: readonly (readonly ErrorBody[])[],
  runner: TraceRunner,
  listenerOf: (trace: number) => RunListener,
): SessionOutcome {
  return sessionOutcome(
    traces.map((work, trace) => runner.refuse(work, listenerOf(trace), 'failed', faults[trace] ?? [])),
  );
}

/** A session fails only where all its traces do. Errors name their trace. */
export function sessionOutcome(outcomes: readonly RunOutcome[]): SessionOutcome {
  const traces = outcomes.map(({ state, errors, report }, trace) => ({
    state,
    errors: errors.map((error) => ofTrace(error, trace)),
    report,
  }));
  if (traces.some(({ state }) => state === 'cancelled')) return { state: 'cancelled', errors: [], traces };
  if (traces.some(({ state }) => state === 'completed')) return { state: 'completed', errors: [], traces };
  return { state: 'failed', errors: traces.flatMap(({ errors }) => errors), traces };
}

class Session {
  /** With their saves for later traces. */
  readonly #traces: readonly TraceWork[];
  readonly #runner: TraceRunner;
  readonly #held: HeldValues;
  readonly #shared: SharedWork;
  /** Of those of one pass; an error keeps the trace from running. */
  readonly #prepared: readonly (PreparedPass | { readonly error: ErrorBody } | undefined)[];

  constructor(traces: readonly TraceWork[], runner: TraceRunner) {
    const held = new HeldValues(traces, runner.intermediateBytes);
    this.#runner = runner;
    this.#held = held;
    this.#traces = traces.map((trace, index) => ({ ...trace, graph: held.graph(index).graph }));
    const inputs = this.#traces.map((trace) =>
      trace.generate ? undefined : attempt(() => runner.input(trace)),
    );
    const groups = groupsOf(inputs);
    this.#prepared = inputs.map((input, trace) => {
      if (!input || 'error' in input) return input;
      const work = this.#work(trace);
      const alone = (groups.get(trace)?.length ?? 1) < 2;
      return attempt(() => ({ input, plan: runner.plan(work, input, this.#before(trace), alone) }));
    });
    this.#shared = new SharedWork(this.#passes(groups));
  }

  async run(
    trace: number,
    to: RunListener,
    isCancelled: () => boolean,
    takenBytes: number,
  ): Promise<TraceOutcome> {
    const work = this.#work(trace);
    const listener = this.#held.listener(trace, to);
    const prepared = this.#prepared[trace];
    try {
      if (prepared && 'error' in prepared)
        return this.#runner.refuse(work, listener, 'failed', [prepared.error], takenBytes);
      const { values, failures } = this.#held.given(trace);
      const room = this.#runner.intermediateBytes - this.#held.bytes;
      return await this.#runner.run(work, {
        listener,
        isCancelled,
        constants: new Map([...work.constants, ...values]),
        failures,
        held: this.#held.graph(trace).held,
        earlier: this.#before(trace),
        shared: this.#shared.pass(trace, room),
        prepared,
        takenBytes,
        intermediateBytes: room,
      });
    } finally {
      this.#held.ended(trace);
      this.#shared.ended(trace);
    }
  }

  /** Passes over one input, which may have work in common. */
  #passes(groups: ReadonlyMap<number, readonly number[]>): FingerprintedPass[] {
    return this.#prepared.flatMap((prepared, trace): FingerprintedPass[] => {
      if (!prepared || 'error' in prepared || (groups.get(trace)?.length ?? 1) < 2) return [];
      const { graph, constants } = this.#work(trace);
      const { lengths, feeds } = prepared.input;
      return [{ trace, plan: prepared.plan, nodes: graph.nodes, lengths, feeds, constants }];
    });
  }

  #before(trace: number): Graph[] {
    return this.#traces.slice(0, trace).map(({ graph }) => graph);
  }

  #work(trace: number): TraceWork {
    const work = this.#traces[trace];
    if (!work) throw new Error(`There is no trace ${trace}.`);
    return work;
  }
}

function attempt<T extends object>(make: () => T): T | { readonly error: ErrorBody } {
  try {
    return make();
  } catch (thrown) {
    return { error: toErrorBody(thrown) };
  }
}

/** For each trace those with the same input, itself among them. */
function groupsOf(
  inputs: readonly (PassInput | { readonly error: ErrorBody } | undefined)[],
): Map<number, readonly number[]> {
  const groups = new Map<string, number[]>();
  for (const [trace, input] of inputs.entries()) {
    if (!input || 'error' in input) continue;
    const print = inputFingerprint(input.feeds);
    groups.set(print, [...(groups.get(print) ?? []), trace]);
  }
  return new Map([...groups.values()].flatMap((group) => group.map((trace) => [trace, group] as const)));
}
