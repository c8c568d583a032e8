/**
 * Runs a graph for several passes: each chooses a token, and the next is the pass over it (PROTOCOL.md, section 6.2). Keys
 * and values go from one pass to the next as the runtime gave them: they are neither copied nor sent.
 */
import { randomInt } from 'node:crypto';
import {
  type ErrorBody,
  float16FromBits,
  type Generate,
  type Generated,
  type Graph,
  isTuple,
  Outcomes,
  type Report,
  savedPlace,
  stepNeverCame,
  type TensorLike,
  TracewireError,
  toErrorBody,
  type Value,
} from '@tracewire/protocol';
import { type Execution, type ExecutionResult, execute } from './execute.ts';
import { presentOf } from './feeds.ts';
import type { Model } from './model.ts';
import type { RunListener } from './outcomes.ts';
import { type PassGraph, PassGraphs } from './pass-graph.ts';
import { type Plan, planRun } from './plan.ts';
import { Generator as RandomNumbers } from './random.ts';
import { sizesAlone } from './rows.ts';
import { chooseToken, lastLogits } from './sampler.ts';
import { TokenText } from './token-text.ts';

/** What a generation is, apart from what each of its passes is. */
export interface Generation
  extends Pick<
    Execution,
    | 'model'
    | 'segments'
    | 'operations'
    | 'listener'
    | 'isCancelled'
    | 'savedBytes'
    | 'intermediateBytes'
    | 'graph'
    | 'held'
    | 'failures'
    | 'takenBytes'
  > {
  /** Of the graph's constants, by node, and of what earlier traces made. */
  readonly constants: ReadonlyMap<number, Value>;
  /** The prompt. */
  readonly ids: readonly number[];
  readonly options: Generate;
  /** The traces before it in a session. */
  readonly earlier?: readonly Graph[] | undefined;
  textOf(ids: readonly number[]): string;
}

export interface GenerationResult {
  readonly cancelled: boolean;
  readonly error: ErrorBody | undefined;
  /** All but the time. */
  readonly report: Omit<Report, 'milliseconds'>;
  /** Bytes that have been saved so far. */
  readonly takenBytes: number;
}

/** Every save has had its outcomes when it returns. */
export async function generateTokens(generation: Generation): Promise<GenerationResult> {
  return new Generator(generation).run();
}

const LOGITS = 'logits';

/** Whether a model gives what the pass after needs: logits, and a value for each feed of its cache. */
export function canGenerate({ feeds, tree }: Pick<Model, 'feeds' | 'tree'>): boolean {
  const outputs = tree.modules.get('')?.outputs ?? [];
  return (
    feeds.hasCache && [LOGITS, ...feeds.cacheNames.map(presentOf)].every((name) => outputs.includes(name))
  );
}

/** Why a generation ended, for the saves of steps that never came. */
const REASONS: Readonly<Record<Generated['end'], string>> = {
  length: 'as many as maxNewTokens',
  token: 'for the last token ends the text or is a stop token',
  string: 'for a stop string came',
  stop: 'for the trace stopped in the last',
  cut: 'for the run did not go on',
};

class Generator {
  readonly #generation: Generation;
  readonly #passes: PassGraphs;
  readonly #plans = new Map<PassGraph, Plan>();
  readonly #outcomes: Outcomes;
  /** Values of nodes that later steps use, the constants among them. */
  readonly #values: Map<number, Value>;
  readonly #failures: Map<number, ErrorBody>;
  readonly #seen: Set<number>;
  readonly #text: TokenText;
  readonly #ends: ReadonlySet<number>;
  readonly #seed: number | undefined;
  readonly #random: RandomNumbers;
  #cache: ReadonlyMap<string, TensorLike> | undefined;
  /** Tokens that the cache holds. */
  #past = 0;
  #takenBytes: number;
  #tokens = 0;
  #began = 0;
  readonly #sums = { modulesRun: 0, modulesTotal: 0, segmentsRun: 0, segmentsTotal: 0 };
  #stoppedAfter: string | undefined;

  constructor(generation: Generation) {
    const { graph, constants, ids, options, model } = generation;
    this.#generation = generation;
    this.#passes = new PassGraphs(graph);
    this.#outcomes = new Outcomes(graph, true);
    this.#values = new Map(constants);
    this.#failures = new Map(generation.failures);
    this.#takenBytes = generation.takenBytes ?? 0;
    this.#seen = new Set(ids);
    this.#text = new TokenText((tokens) => generation.textOf(tokens));
    this.#ends = new Set(options.stopTokens ?? model.description.endOfText);
    const samples = (options.temperature ?? 0) > 0;
    this.#seed = samples ? (options.seed ?? randomInt(2 ** 48 - 1)) : undefined;
    this.#random = new RandomNumbers(this.#seed ?? 0);
  }

  async run(): Promise<GenerationResult> {
    let { ids } = this.#generation;
    let end: Generated['end'] | undefined;
    let last: Partial<Pick<ExecutionResult, 'error' | 'cancelled'>> = {};
    while (end === undefined) {
      try {
        const { outputs, ...result } = await this.#pass(ids);
        last = result;
        if (result.error || result.cancelled) end = 'cut';
        else if (!outputs) {
          if (!this.#stopsAt(this.#began - 1)) throw cannotGoOn(this.#began - 1);
          end = 'stop';
        } else {
          const id = this.#choose(outputs);
          end = this.#take(id);
          ids = [id];
        }
      } catch (thrown) {
        last = { error: toErrorBody(thrown, 'operation_failed') };
        end = 'cut';
      }
    }
    this.#settle(end, last.error);
    return {
      cancelled: last.cancelled === true,
      error: last.error,
      takenBytes: this.#takenBytes,
      report: {
        ...this.#sums,
        tokens: this.#past,
        stoppedAfter: end === 'stop' ? this.#stoppedAfter : undefined,
        steps: this.#began,
        seed: this.#seed,
        generated: [{ tokens: this.#tokens, end }],
      },
    };
  }

  /** One pass; gives the model's outputs by name, or none where a stop kept it from coming to them. */
  async #pass(ids: readonly number[]) {
    const { model, segments, operations, isCancelled, savedBytes, intermediateBytes, held, earlier } =
      this.#generation;
    const step = this.#began;
    const pass = this.#passes.at(step);
    const plan = this.#plans.get(pass) ?? planRun(pass.graph, model, ids.length, { earlier });
    this.#plans.set(pass, plan);
    this.#began += 1;
    let outputs: ReadonlyMap<string, TensorLike> | undefined;
    const take = (log: number, value: Value | undefined): void => {
      if (log === pass.outputs) outputs = namedOutputs(model, value);
      const kept = pass.kept.get(log);
      if (kept !== undefined && value !== undefined) this.#values.set(kept, value);
    };
    const past = this.#past;
    const result = await execute({
      graph: pass.graph,
      plan,
      model,
      segments,
      operations,
      lengths: [ids.length],
      past,
      feeds: model.feeds.make(ids, sizesAlone(ids.length, past), this.#cache),
      constants: this.#values,
      failures: this.#failures,
      listener: this.#listenerOf(step, take),
      isCancelled,
      savedBytes,
      intermediateBytes,
      held,
      takenBytes: this.#takenBytes,
    });
    this.#takenBytes = result.takenBytes;
    for (const node of pass.kept.values()) {
      const failure = result.failures.get(node);
      if (failure) this.#failures.set(node, failure);
    }
    this.#count(plan, result, ids.length);
    if (outputs) this.#cache = cacheOf(model, outputs);
    return { ...result, outputs };
  }

  /** Logs behind the trace's own nodes take out what this file wants. */
  #listenerOf(step: number, take: (log: number, value: Value | undefined) => void): RunListener {
    const { listener, graph } = this.#generation;
    return {
      value: (save, value) => {
        this.#outcomes.take(save, step);
        listener.value(save, value, step);
      },
      accessError: (save, error) => {
        this.#outcomes.take(save, step);
        listener.accessError(save, error, step);
      },
      log: (node, text, value) => {
        if (node >= graph.nodes.length) take(node, value);
        else listener.log(node, text, value, step);
      },
      // Of the prompt's pass only: of each later one its token tells.
      progress: (done, total) => {
        if (step === 0) listener.progress(done, total);
      },
      token: () => undefined,
    };
  }

  #count(plan: Plan, { ran }: ExecutionResult, tokens: number): void {
    this.#past += tokens;
    this.#sums.modulesRun += plan.modulesRun(ran);
    this.#sums.modulesTotal += plan.modulesTotal;
    this.#sums.segmentsRun += ran.length;
    this.#sums.segmentsTotal += plan.segmentsTotal;
    this.#stoppedAfter = plan.stoppedAfter;
  }

  #choose(outputs: ReadonlyMap<string, TensorLike>): number {
    const logits = outputs.get(LOGITS);
    if (!logits) throw new Error('The model gave no logits.');
    const { options } = this.#generation;
    return chooseToken(lastLogits(logits, float16FromBits), options, this.#seen, this.#tokens, this.#random);
  }

  /** Sends a token, and says whether it is the last. */
  #take(id: number): Generated['end'] | undefined {
    const { options, listener } = this.#generation;
    const step = this.#tokens;
    this.#tokens += 1;
    this.#seen.add(id);
    this.#text.add(id);
    const end = this.#endAt(id, options);
    listener.token({ step, id, text: this.#text.take(end !== undefined || this.#stopsAt(step + 1)) });
    return end;
  }

  #endAt(id: number, { stopStrings = [], maxNewTokens }: Generate): Generated['end'] | undefined {
    if (this.#ends.has(id)) return 'token';
    if (stopStrings.length > 0) {
      const text = this.#text.all;
      if (stopStrings.some((stop) => text.includes(stop))) return 'string';
    }
    return this.#tokens >= maxNewTokens ? 'length' : undefined;
  }

  /** A stop keeps the step from choosing a token, so the one before is the last. */
  #stopsAt(step: number): boolean {
    return this.#passes.at(step).graph.nodes.some(({ kind }) => kind === 'stop');
  }

  /** The outcomes of steps that never came. */
  #settle(end: Generated['end'], cause: ErrorBody | undefined): void {
    const { graph, listener } = this.#generation;
    for (const missing of this.#outcomes.missing(this.#began)) {
      const { save, step = 0 } = missing;
      const place = savedPlace(graph, save, step);
      const error = stepNeverCame(missing, this.#began, { ...place, why: REASONS[end], cause });
      listener.accessError(save, error, step);
    }
  }
}

/** A pass that came to its end without logits, or without keys and values for the next. */
function cannotGoOn(step: number): TracewireError {
  const message = `Step ${step} gave no logits, or not all keys and values that the next step needs, so the generation can’t go on. Where a block is skipped, let a tuple of all its outputs stand for it, such as another block’s, or skip its mlp alone.`;
  return new TracewireError({ code: 'operation_failed', message });
}

function namedOutputs({ tree }: Model, value: Value | undefined): ReadonlyMap<string, TensorLike> {
  const names = tree.modules.get('')?.outputs ?? [];
  const values = value === undefined ? [] : isTuple(value) ? value : [value];
  return new Map(
    names.flatMap((name, index): [string, TensorLike][] => {
      const tensor = values[index];
      return tensor && !isTuple(tensor) ? [[name, tensor]] : [];
    }),
  );
}

function cacheOf({ feeds }: Model, outputs: ReadonlyMap<string, TensorLike>): Map<string, TensorLike> {
  return new Map(
    feeds.cacheNames.flatMap((name): [string, TensorLike][] => {
      const tensor = outputs.get(presentOf(name));
      return tensor ? [[name, tensor]] : [];
    }),
  );
}

/** The access errors of a generation that never began. */
export function neverBegan(graph: Graph, listener: RunListener, cause: ErrorBody | undefined): void {
  for (const missing of new Outcomes(graph, true).missing(0)) {
    const { save, step = 0 } = missing;
    const facts = { ...savedPlace(graph, save, step), why: 'for the run failed', cause };
    listener.accessError(save, stepNeverCame(missing, 0, facts), step);
  }
}
