/** One model, ready to run graphs: intake, tokenizer, base segments, and one run at a time. */
import {
  checkGraph,
  checkTraces,
  type ErrorBody,
  type Explanation,
  type Generate,
  type Graph,
  GraphChecker,
  generateFaults,
  lengthFault,
  type ModelDescription,
  ModelIndex,
  NEVER_SET,
  type ReadFunction,
  type Report,
  type TensorLike,
  TracewireError,
  toErrorBody,
} from '@tracewire/protocol';
import { BatchPadding } from './batch-padding.ts';
import { expandTraces, type FunctionOf } from './calls.ts';
import { execute } from './execute.ts';
import { explainPlan } from './explain.ts';
import { type Generation, type GenerationResult, generateTokens, neverBegan } from './generate.ts';
import { findUnsupported } from './intake/kernels.ts';
import { type OnProgress, prepareModel } from './intake/prepare.ts';
import { assembleModel, type Model } from './model.ts';
import { OperationRunner } from './operation-runner.ts';
import type { RunListener, RunOutcome } from './outcomes.ts';
import { PassInputs } from './pass-input.ts';
import { type Plan, planRun } from './plan.ts';
import { onnxRuntime } from './runtime/ort.ts';
import type { Runtime, RuntimeOptions } from './runtime/runtime.ts';
import type { SegmentSpec } from './segment.ts';
import { SegmentCache } from './segment-cache.ts';
import {
  type Among,
  type PassInput,
  refuseSession,
  runSession,
  type SessionOutcome,
  sessionOutcome,
  type TraceOutcome,
  type TraceRunner,
  type TraceWork,
} from './session.ts';
import { tailIn } from './tail.ts';
import { Tokenizer } from './tokenizer.ts';

/** How much of re-cut segments stays loaded beside the blocks: a part of the weights' bytes, within bounds. */
const SEGMENT_BUDGET = { ofWeights: 0.2, leastBytes: 32 * 1024 * 1024, mostBytes: 512 * 1024 * 1024 };

export interface EngineOptions {
  readonly name: string;
  readonly folder: string;
  /** Where prepared models are kept. */
  readonly cache: string;
  readonly provider: RuntimeOptions['provider'];
  readonly threads: number;
  /** Most bytes of all saved values of a run. */
  readonly savedBytes: number;
  /** Most tokens of a pass over several prompts, padding counted. */
  readonly batchTokens?: number | undefined;
  /** Most bytes of all results of a run's operators. */
  readonly intermediateBytes: number;
}

/** Graphs that are invokes of one graph (host/join.ts). */
interface Joined {
  readonly graph: Graph;
  readonly constants: ReadonlyMap<number, TensorLike>;
  /** The first node of each. */
  readonly firsts: readonly number[];
}

/** All have completed, each with its report; or none has ended, and why, where it wasn't cancelled. */
export type TogetherOutcome =
  | { readonly reports: readonly Report[] }
  | { readonly apart: ErrorBody | undefined };

export class Engine {
  readonly tokenizer: Tokenizer;
  readonly #model: Model;
  readonly #index: ModelIndex;
  readonly #segments: SegmentCache;
  readonly #operations: OperationRunner;
  readonly #limits: EngineOptions;
  readonly #inputs: PassInputs;
  readonly #padding: BatchPadding;

  private constructor(model: Model, tokenizer: Tokenizer, runtime: Runtime, limits: EngineOptions) {
    this.#model = model;
    this.tokenizer = tokenizer;
    this.#index = new ModelIndex(model.description);
    this.#segments = new SegmentCache(model.graph, model.types, runtime, segmentBudget(model));
    this.#operations = new OperationRunner(model, runtime);
    this.#inputs = new PassInputs(model, tokenizer, limits.batchTokens);
    this.#padding = new BatchPadding(model, this.#segments);
    this.#limits = limits;
  }

  /** Throws `model_not_found`, `model_invalid` or `model_unsupported`, naming the file. */
  static async load(
    options: EngineOptions,
    onProgress: OnProgress,
    makeRuntime: (options: RuntimeOptions) => Runtime = onnxRuntime,
  ): Promise<Engine> {
    const { model, tokenizer, runtime } = await assemble(options, onProgress, makeRuntime);
    const engine = new Engine(model, tokenizer, runtime, options);
    await engine.#loadBlocks(onProgress);
    return engine;
  }

  /** What a model is, without loading anything that could run. Throws as `load` does. */
  static async describe(options: EngineOptions, onProgress: OnProgress): Promise<ModelDescription> {
    return (await assemble(options, onProgress, onnxRuntime)).model.description;
  }

  get description(): ModelDescription {
    return this.#model.description;
  }

  /** Runs a graph. Every save has its outcome through `listener` before the result; nothing is thrown. */
  async run(
    graph: Graph,
    constants: ReadonlyMap<number, TensorLike>,
    listener: RunListener,
    isCancelled: () => boolean,
    feeds: readonly ReadonlyMap<string, TensorLike>[] = [],
    generate?: Generate,
    functionOf: FunctionOf = () => undefined,
  ): Promise<RunOutcome> {
    const trace = { graph, constants, feeds, generate };
    const [faults = []] = this.#faults([trace], functionOf);
    if (faults.length > 0) return bare(this.#refuse(trace, listener, 'failed', faults));
    const expanded = expandTraces([trace], functionOf);
    const [work = trace] = expanded.traces;
    const outcome = await this.#trace(work, {
      listener: expanded.listen(0, listener),
      isCancelled,
      constants: work.constants,
    });
    return bare(expanded.outcome(0, outcome));
  }

  /** Runs several traces in order, as `run` does one; what a later one takes of an earlier one stays here. */
  async runSession(
    traces: readonly TraceWork[],
    listenerOf: (trace: number) => RunListener,
    isCancelled: () => boolean,
    functionOf: FunctionOf = () => undefined,
  ): Promise<SessionOutcome> {
    const runner: TraceRunner = {
      intermediateBytes: this.#limits.intermediateBytes,
      input: (trace) => this.#input(trace),
      plan: (trace, input, earlier, alone) => this.#plan(trace, input, earlier, alone),
      run: (trace, among) => this.#trace(trace, among),
      refuse: (...refused) => this.#refuse(...refused),
    };
    const faults = this.#faults(traces, functionOf);
    if (faults.some((errors) => errors.length > 0)) return refuseSession(traces, faults, runner, listenerOf);
    const expanded = expandTraces(traces, functionOf);
    const listen = (trace: number): RunListener => expanded.listen(trace, listenerOf(trace));
    const outcomes = await runSession(expanded.traces, runner, listen, isCancelled);
    return sessionOutcome(outcomes.map((outcome, trace) => expanded.outcome(trace, outcome)));
  }

  #faults(traces: readonly TraceWork[], functionOf: FunctionOf): ErrorBody[][] {
    const results = checkTraces(traces, this.#index, {
      constant: (trace, node) => traces[trace]?.constants.get(node),
      function: checked(functionOf),
      limits: this.#limits,
    });
    return traces.map(({ graph, generate }, trace) => [
      ...(generate ? generateFaults(graph, generate, this.description) : []),
      ...(results[trace]?.errors ?? []),
    ]);
  }

  async #trace(trace: TraceWork, among: Among): Promise<TraceOutcome> {
    const begun = performance.now();
    const { intermediateBytes = this.#limits.intermediateBytes, prepared, ...rest } = among;
    const { graph, generate } = trace;
    try {
      const pass = {
        ...rest,
        graph,
        model: this.#model,
        segments: this.#segments,
        operations: this.#operations,
        savedBytes: this.#limits.savedBytes,
        intermediateBytes,
      };
      if (generate) {
        const { report, ...end } = await this.#generate(pass, generate);
        return { ...ending(end), report: { ...report, milliseconds: performance.now() - begun } };
      }
      const input = prepared?.input ?? this.#input(trace);
      const plan = prepared?.plan ?? this.#plan(trace, input, [], true);
      const { ran, ...end } = await execute({ ...pass, ...input, plan });
      return { ...ending(end), report: this.#report(plan, ran, input.lengths, performance.now() - begun) };
    } catch (thrown) {
      return this.#refuse(trace, among.listener, 'failed', [toErrorBody(thrown)], among.takenBytes);
    }
  }

  /**
   * Runs several graphs in one pass: those of `joined`, run i being its invoke i. Each has its outcomes by `listener`, under the
   * ids of `joined`. Where the pass can't be carried through for all of them, for whatever reason, it ends none of them.
   */
  async runTogether(
    { graph, constants, firsts }: Joined,
    listener: RunListener,
    isCancelled: () => boolean,
  ): Promise<TogetherOutcome> {
    const begun = performance.now();
    try {
      const { errors } = checkGraph(graph, this.#index, {
        constant: (node) => constants.get(node),
        limits: this.#limits,
      });
      const [fault] = errors;
      if (fault) return { apart: fault };
      const input = this.#input({ graph, feeds: [] });
      const { lengths } = input;
      const looking = { constants, lengths };
      const plan = planRun(graph, this.#model, Math.max(...lengths), { apart: true, looking });
      const { ran, error, cancelled } = await execute({
        graph,
        firsts,
        model: this.#model,
        segments: this.#segments,
        operations: this.#operations,
        constants,
        listener,
        isCancelled,
        savedBytes: this.#limits.savedBytes,
        intermediateBytes: this.#limits.intermediateBytes,
        plan,
        ...input,
      });
      if (error || cancelled) return { apart: error };
      const milliseconds = performance.now() - begun;
      const reports = plan.ends.map((end, run) => ({
        ...this.#report(plan, ran, lengths.slice(run, run + 1), milliseconds),
        modulesRun: end.modulesRun(ran),
        stoppedAfter: end.stoppedAfter,
        shared: plan.ends.length,
      }));
      return { reports };
    } catch (thrown) {
      return { apart: toErrorBody(thrown) };
    }
  }

  /**
   * What a run of one pass would do, or why it would be refused or fail before its pass began. A text's tokens are counted
   * first, so that dims and bytes are known.
   */
  explain(
    graph: Graph,
    constants: ReadonlyMap<number, TensorLike>,
    feeds: readonly ReadonlyMap<string, TensorLike>[] = [],
    functionOf: FunctionOf = () => undefined,
  ): { readonly explanation: Explanation } | { readonly errors: ErrorBody[] } {
    try {
      const measured = this.#inputs.measure(graph, feeds[0]);
      const { rows, lengths } = measured;
      const checker = new GraphChecker(this.#index, {
        constant: (node) => constants.get(node),
        limits: this.#limits,
        function: checked(functionOf),
      });
      for (const [invoke, { input }] of graph.invokes.entries())
        checker.input('text' in input ? { ids: rows[invoke] ?? [] } : input, invoke);
      for (const node of graph.nodes) checker.add(node);
      const { errors, warnings } = checker.finish(rows.length);
      if (errors.length > 0) return { errors: [...errors] };
      this.#inputs.mustFit(measured);
      const expanded = expandTraces([{ graph, constants }], functionOf);
      const [work = { graph, constants }] = expanded.traces;
      const plan = this.#plan(work, measured, [], true);
      const tokens = lengths.reduce((sum, length) => sum + length, 0);
      const origin = (node: number): number => expanded.origin(0, node);
      const explanation = explainPlan({
        graph: work.graph,
        plan,
        model: this.#model,
        tokens,
        warnings,
        typeOf: (node) => checker.typeOf(origin(node)),
      });
      const saves = explanation.saves.map((saved) => ({ ...saved, save: origin(saved.save) }));
      return { explanation: { ...explanation, saves } };
    } catch (thrown) {
      return { errors: [toErrorBody(thrown)] };
    }
  }

  #input({ graph, feeds: [given] }: Pick<TraceWork, 'graph' | 'feeds'>): PassInput {
    const measured = this.#inputs.measure(graph, given);
    this.#inputs.mustFit(measured);
    return this.#inputs.make(measured, given);
  }

  #plan(
    { graph, constants }: Pick<TraceWork, 'graph' | 'constants'>,
    { lengths, sizes }: Pick<PassInput, 'lengths' | 'sizes'>,
    earlier: readonly Graph[],
    alone: boolean,
  ): Plan {
    // One that has work in common with others runs in the parts that they run in.
    const tokens = alone ? lengths.length * Math.max(...lengths) : Number.POSITIVE_INFINITY;
    return planRun(graph, this.#model, tokens, { earlier, looking: { constants, lengths, sizes } });
  }

  async #generate(
    pass: Omit<Generation, 'prompts' | 'padded' | 'options' | 'textOf'>,
    options: Generate,
  ): Promise<GenerationResult> {
    const { rows: prompts, lengths } = this.#inputs.measure(pass.graph);
    for (const length of lengths) {
      const fault = lengthFault(length, options, this.description);
      if (fault) throw new TracewireError(fault);
    }
    this.#inputs.mustFit({ lengths }, options);
    const padded = await this.#padding.for(lengths);
    const textOf = (tokens: readonly number[]): string => this.tokenizer.textOf(tokens);
    return generateTokens({ ...pass, prompts, padded, options, textOf });
  }

  async release(): Promise<void> {
    await this.#segments.release();
    await this.#operations.release();
  }

  /** The unsplit blocks and the whole stay loaded: most runs need no other segment. */
  async #loadBlocks(onProgress: OnProgress): Promise<void> {
    const { graph, blockBorders, ranges, whole, tail } = this.#model;
    await this.#segments.keep(whole);
    const borders = [0, ...blockBorders, graph.nodes.length];
    for (let index = 0; index < borders.length - 1; index++) {
      const [from = 0, to = 0] = [borders[index], borders[index + 1]];
      const outputs = ranges.leaving(from, to);
      const versions = new Map();
      await this.#segments.keep({ from, to, outputs, versions, tail: tailIn(tail, graph, from, outputs) });
      onProgress('loading blocks', index + 1, borders.length - 1);
    }
  }

  /** Gives all saves of a trace that doesn't run their access errors. */
  #refuse(
    { graph, generate }: TraceWork,
    listener: RunListener,
    state: 'failed' | 'cancelled',
    errors: RunOutcome['errors'],
    takenBytes = 0,
  ): TraceOutcome {
    const [cause] = errors;
    const why = state === 'cancelled' ? 'was cancelled' : `failed${cause ? `: ${cause.message}` : '.'}`;
    if (generate) neverBegan(graph, listener, cause);
    for (const [id, node] of graph.nodes.entries()) {
      if (generate || node.kind !== 'save') continue;
      listener.accessError(id, { code: state, message: `${NEVER_SET} The run ${why}`, node: id, cause });
    }
    return { state, errors, report: undefined, takenBytes };
  }

  #report(
    plan: Plan,
    ran: readonly SegmentSpec[],
    lengths: readonly number[],
    milliseconds: number,
  ): NonNullable<RunOutcome['report']> {
    const { modulesTotal, segmentsTotal, stoppedAfter } = plan;
    return {
      modulesRun: plan.modulesRun(ran),
      modulesTotal,
      segmentsRun: ran.length,
      segmentsTotal,
      tokens: lengths.reduce((sum, length) => sum + length, 0),
      milliseconds,
      stoppedAfter,
    };
  }
}

/** Without what only the session asks. */
function bare({ state, errors, report }: RunOutcome): RunOutcome {
  return { state, errors, report };
}

function ending({
  error,
  cancelled,
  takenBytes,
}: Pick<GenerationResult, 'error' | 'cancelled' | 'takenBytes'>): Omit<TraceOutcome, 'report'> {
  const state = error ? 'failed' : cancelled ? 'cancelled' : 'completed';
  return { state, errors: error ? [error] : [], takenBytes };
}

function segmentBudget({ graph }: Model): number {
  const { ofWeights, leastBytes, mostBytes } = SEGMENT_BUDGET;
  return Math.min(mostBytes, Math.max(leastBytes, Math.round(ofWeights * graph.weightBytes)));
}

async function assemble(
  options: EngineOptions,
  onProgress: OnProgress,
  makeRuntime: (options: RuntimeOptions) => Runtime,
): Promise<{ readonly model: Model; readonly tokenizer: Tokenizer; readonly runtime: Runtime }> {
  const runtimeIn = (weightsFolder: string): Runtime => makeRuntime({ ...options, weightsFolder });
  const prepared = await prepareModel(options.folder, options.cache, runtimeIn, onProgress);
  const tokenizer = await Tokenizer.load(prepared.files);
  const runtime = runtimeIn(prepared.folder);
  const unsupported = await findUnsupported(runtime, options.cache);
  return { model: await assembleModel(options.name, prepared, unsupported), tokenizer, runtime };
}

/** What the checker wants to know of functions that were read before they came here. */
function checked(functionOf: FunctionOf): (sha256: string) => ReadFunction | undefined {
  return (sha256) => {
    const body = functionOf(sha256);
    return body && { body, errors: [] };
  };
}
