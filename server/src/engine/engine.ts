/** One model, ready to run graphs: intake, tokenizer, base segments, and one run at a time. */
import {
  batchFault,
  checkGraph,
  type ErrorBody,
  type Explanation,
  type Generate,
  type Graph,
  GraphChecker,
  generateFaults,
  type Input,
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
import { expandCalls, type FunctionOf } from './calls.ts';
import { execute } from './execute.ts';
import { explainPlan } from './explain.ts';
import { sizesOf } from './feeds.ts';
import { type Generation, type GenerationResult, generateTokens, neverBegan } from './generate.ts';
import { findUnsupported } from './intake/kernels.ts';
import { type OnProgress, prepareModel } from './intake/prepare.ts';
import { assembleModel, type Model } from './model.ts';
import { OperationRunner } from './operation-runner.ts';
import type { RunListener, RunOutcome } from './outcomes.ts';
import { type Plan, planRun } from './plan.ts';
import { padRows, sizesTogether } from './rows.ts';
import { onnxRuntime } from './runtime/ort.ts';
import type { Runtime, RuntimeOptions } from './runtime/runtime.ts';
import type { SegmentSpec } from './segment.ts';
import { SegmentCache } from './segment-cache.ts';
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

  private constructor(model: Model, tokenizer: Tokenizer, runtime: Runtime, limits: EngineOptions) {
    this.#model = model;
    this.tokenizer = tokenizer;
    this.#index = new ModelIndex(model.description);
    this.#segments = new SegmentCache(model.graph, model.types, runtime, segmentBudget(model));
    this.#operations = new OperationRunner(model, runtime);
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
    options?: Generate,
    functionOf: FunctionOf = () => undefined,
  ): Promise<RunOutcome> {
    const begun = performance.now();
    try {
      const faults = options ? generateFaults(graph, options, this.description) : [];
      const { errors } = checkGraph(graph, this.#index, {
        constant: (node) => constants.get(node),
        limits: this.#limits,
        generates: options !== undefined,
        function: checked(functionOf),
      });
      if (faults.length + errors.length > 0)
        return this.#refuse(graph, listener, [...faults, ...errors], options);
      const expanded = expandCalls(graph, constants, functionOf);
      const pass = {
        graph: expanded.graph,
        model: this.#model,
        segments: this.#segments,
        operations: this.#operations,
        constants: expanded.constants,
        listener: expanded.listen(listener),
        isCancelled,
        savedBytes: this.#limits.savedBytes,
        intermediateBytes: this.#limits.intermediateBytes,
      };
      if (options) {
        const { report, ...end } = await this.#generate(pass, options);
        const told = { ...report, milliseconds: performance.now() - begun };
        return expanded.outcome({ ...ending(end), report: told });
      }
      const given = feeds[0] ?? new Map<string, TensorLike>();
      const rows = graph.invokes.map(({ input }) => this.#idsOf(input, given));
      const fed = given.size > 0 ? sizesOf(given, this.#model.types) : undefined;
      const lengths = fed ? [fed.sequence] : rows.map((row) => row.length);
      this.#checkTogether(lengths);
      const plan = planRun(expanded.graph, this.#model, rows.length * Math.max(...lengths));
      const { ran, ...end } = await execute({
        ...pass,
        plan,
        lengths,
        sizes: fed,
        feeds: fed
          ? this.#model.feeds.make(rows[0] ?? [], fed, given)
          : this.#model.feeds.make(padRows(rows), sizesTogether(lengths)),
      });
      const report = this.#report(plan, ran, lengths, performance.now() - begun);
      return expanded.outcome({ ...ending(end), report });
    } catch (thrown) {
      return this.#refuse(graph, listener, [toErrorBody(thrown)], options);
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
      const rows = graph.invokes.map(({ input }) => this.#idsOf(input, new Map()));
      const lengths = rows.map((row) => row.length);
      this.#checkTogether(lengths);
      const plan = planRun(graph, this.#model, Math.max(...lengths), true);
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
        lengths,
        feeds: this.#model.feeds.make(padRows(rows), sizesTogether(lengths)),
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
      const given = feeds[0] ?? new Map<string, TensorLike>();
      const rows = graph.invokes.map(({ input }) => this.#idsOf(input, given));
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
      const fed = given.size > 0 ? sizesOf(given, this.#model.types) : undefined;
      const lengths = fed ? [fed.sequence] : rows.map((row) => row.length);
      this.#checkTogether(lengths);
      const expanded = expandCalls(graph, constants, functionOf);
      const plan = planRun(expanded.graph, this.#model, rows.length * Math.max(...lengths));
      const tokens = lengths.reduce((sum, length) => sum + length, 0);
      const { origin } = expanded;
      const explanation = explainPlan({
        graph: expanded.graph,
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

  #generate(
    pass: Omit<Generation, 'ids' | 'options' | 'textOf'>,
    options: Generate,
  ): Promise<GenerationResult> {
    const ids = this.#idsOf(pass.graph.invokes[0]?.input ?? { ids: [] }, new Map());
    const fault = lengthFault(ids.length, options, this.description);
    if (fault) throw new TracewireError(fault);
    return generateTokens({ ...pass, ids, options, textOf: (tokens) => this.tokenizer.textOf(tokens) });
  }

  async release(): Promise<void> {
    await this.#segments.release();
    await this.#operations.release();
  }

  /** The unsplit blocks and the whole stay loaded: most runs need no other segment. */
  async #loadBlocks(onProgress: OnProgress): Promise<void> {
    const { graph, blockBorders, ranges, whole } = this.#model;
    await this.#segments.keep(whole);
    const borders = [0, ...blockBorders, graph.nodes.length];
    for (let index = 0; index < borders.length - 1; index++) {
      const [from = 0, to = 0] = [borders[index], borders[index + 1]];
      await this.#segments.keep({ from, to, outputs: ranges.leaving(from, to), versions: new Map() });
      onProgress('loading blocks', index + 1, borders.length - 1);
    }
  }

  #refuse(graph: Graph, listener: RunListener, errors: RunOutcome['errors'], options?: Generate): RunOutcome {
    const [cause] = errors;
    if (options) {
      neverBegan(graph, listener, cause);
      return { state: 'failed', errors, report: undefined };
    }
    for (const [id, node] of graph.nodes.entries()) {
      if (node.kind !== 'save') continue;
      const message = `${NEVER_SET} The run failed${cause ? `: ${cause.message}` : '.'}`;
      listener.accessError(id, { code: 'failed', message, node: id, cause });
    }
    return { state: 'failed', errors, report: undefined };
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

  /** Texts can't be measured before: a batch is refused here as the gateway refuses one of token ids. */
  #checkTogether(lengths: readonly number[]): void {
    const fault = batchFault(lengths, this.#limits.batchTokens ?? Number.POSITIVE_INFINITY);
    if (fault) throw new TracewireError(fault);
  }

  /** The token ids of an input, within the model's context and vocabulary; none for feeds without ids. */
  #idsOf(input: Input, feeds: ReadonlyMap<string, TensorLike>): readonly number[] {
    const ids = this.#anyIds(input, feeds);
    const { contextLength, vocabularySize, name } = this.#model.description;
    if (ids.length === 0 && feeds.size === 0) {
      throw new TracewireError({
        code: 'empty_input',
        message: 'The input has no tokens. Give at least one character or token id.',
      });
    }
    if (contextLength !== undefined && feeds.size === 0 && ids.length > contextLength) {
      throw new TracewireError({
        code: 'input_too_long',
        message: `The input has ${ids.length} tokens; ${name} takes at most ${contextLength}.`,
        wanted: `at most ${contextLength}`,
        got: String(ids.length),
      });
    }
    const wrong = ids.findIndex((id) => id < 0 || (vocabularySize !== undefined && id >= vocabularySize));
    if (wrong >= 0) {
      throw new TracewireError({
        code: 'token_out_of_range',
        message: `Token id ${ids[wrong]} (position ${wrong}) is not in the vocabulary of ${name}, which has ${vocabularySize}.`,
        wanted: `below ${vocabularySize}`,
        got: String(ids[wrong]),
      });
    }
    return ids;
  }

  #anyIds(input: Input, feeds: ReadonlyMap<string, TensorLike>): readonly number[] {
    if ('feeds' in input) return Array.from(feeds.get('input_ids')?.data ?? [], Number);
    return 'text' in input ? this.tokenizer.encode(input.text).ids : input.ids;
  }
}

function ending({
  error,
  cancelled,
}: Pick<GenerationResult, 'error' | 'cancelled'>): Omit<RunOutcome, 'report'> {
  return { state: error ? 'failed' : cancelled ? 'cancelled' : 'completed', errors: error ? [error] : [] };
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
