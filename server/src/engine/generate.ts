/**
 * Runs a graph for several passes: each chooses a token, and the next is the pass over it (PROTOCOL.md, section 6.2). Keys
 * and values go from one pass to the next as the runtime gave them: they are neither copied nor sent.
 */
import { randomInt } from 'node:crypto';
import {
  type Came,
  describePlace,
  type ErrorBody,
  type Generate,
  type Generated,
  type Graph,
  isTuple,
  NEVER_SET,
  Outcomes,
  operandsOf,
  placeOf,
  type Report,
  savedPlace,
  stepNeverCame,
  stepsOfNodes,
  stepsThatCame,
  type TensorLike,
  TracewireError,
  toErrorBody,
  type Value,
} from '@tracewire/protocol';
import { type Execution, type ExecutionResult, execute } from './execute.ts';
import { type Cached, type FeedSizes, type Padded, presentOf } from './feeds.ts';
import { GeneratedRow } from './generated-row.ts';
import type { Model } from './model.ts';
import type { RunListener } from './outcomes.ts';
import { type PassGraph, PassGraphs } from './pass-graph.ts';
import { type Plan, planRun } from './plan.ts';
import { moveToEnd, padRows, sizesAlone, sizesOfStep, sizesTogether } from './rows.ts';

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
  /** The prompts. */
  readonly prompts: readonly (readonly number[])[];
  /** Where the cache of shorter prompts is padded. */
  readonly padded: Padded;
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
  readonly #rows: readonly GeneratedRow[];
  readonly #seed: number | undefined;
  #cache: ReadonlyMap<string, TensorLike> | undefined;
  #takenBytes: number;
  #began = 0;
  readonly #sums = { modulesRun: 0, modulesTotal: 0, segmentsRun: 0, segmentsTotal: 0, tokens: 0 };
  #stoppedAfter: string | undefined;

  constructor(generation: Generation) {
    const { graph, constants, prompts, options, model } = generation;
    this.#generation = generation;
    this.#passes = new PassGraphs(graph);
    this.#outcomes = new Outcomes(graph, true);
    this.#values = new Map(constants);
    this.#failures = new Map(generation.failures);
    this.#takenBytes = generation.takenBytes ?? 0;
    const samples = (options.temperature ?? 0) > 0;
    const seed = samples ? (options.seed ?? randomInt(2 ** 48 - 1)) : undefined;
    this.#seed = seed;
    const { endOfText } = model.description;
    const textOf = (tokens: readonly number[]): string => generation.textOf(tokens);
    this.#rows = prompts.map(
      (ids, invoke) => new GeneratedRow(invoke, ids, { options, endOfText, seed, textOf }),
    );
  }

  async run(): Promise<GenerationResult> {
    let last: Partial<Pick<ExecutionResult, 'error' | 'cancelled'>> = {};
    for (let rows = this.#rows; rows.length > 0; rows = this.#rows.filter(({ end }) => end === undefined)) {
      try {
        const { gave, ...result } = await this.#pass(rows);
        last = result;
        if (result.error || result.cancelled) break;
        this.#choose(rows, gave);
      } catch (thrown) {
        last = { error: toErrorBody(thrown, 'operation_failed') };
        break;
      }
    }
    for (const row of this.#rows) row.end ??= 'cut';
    this.#settle(last.error);
    return {
      cancelled: last.cancelled === true,
      error: last.error,
      takenBytes: this.#takenBytes,
      report: {
        ...this.#sums,
        stoppedAfter: this.#rows.some(({ end }) => end === 'stop') ? this.#stoppedAfter : undefined,
        steps: this.#began,
        seed: this.#seed,
        generated: this.#rows.map(({ tokens, end = 'cut', steps }) => ({
          tokens,
          end,
          ...(this.#several ? { steps } : {}),
        })),
      },
    };
  }

  get #several(): boolean {
    return this.#rows.length > 1;
  }

  /** One pass for the rows that go on; gives the model's outputs by name, for each of them that came to them. */
  async #pass(rows: readonly GeneratedRow[]) {
    const { model, segments, operations, isCancelled, savedBytes, intermediateBytes, held, earlier } =
      this.#generation;
    const step = this.#began;
    const going = rows.map(({ invoke }) => invoke);
    const pass = this.#passes.at(step, going);
    const input = this.#input(step);
    const { batch, sequence } = input.sizes;
    const { constants } = this.#generation;
    const looking = { constants, lengths: input.lengths, last: pass.uncut };
    const plan = this.#plans.get(pass) ?? planRun(pass.graph, model, batch * sequence, { earlier, looking });
    this.#plans.set(pass, plan);
    for (const node of pass.lost) this.#failures.set(node, this.#ended(node, step));
    if (pass.blocked !== undefined) throw this.#cannotWrite(pass.blocked, step);
    this.#began += 1;
    for (const row of rows) row.steps += 1;
    const gave = new Map<number, ReadonlyMap<string, TensorLike>>();
    const take = (log: number, value: Value | undefined): void => {
      const invoke = pass.outputs.get(log);
      if (invoke !== undefined) gave.set(invoke, namedOutputs(model, value));
      const kept = pass.kept.get(log);
      if (kept !== undefined && value !== undefined) this.#values.set(kept, value);
    };
    const result = await execute({
      graph: pass.graph,
      plan,
      model,
      segments,
      operations,
      lengths: input.lengths,
      cached: input.sizes.cached,
      uncut: pass.uncut,
      feeds: model.feeds.make(input.ids, input.sizes, this.#cache),
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
    const tokens = going.reduce((sum, invoke) => sum + (input.lengths[invoke] ?? 0), 0);
    this.#count(plan, result, tokens);
    return { ...result, gave };
  }

  /** What a step's pass takes in: the prompts, then the last token of each, of rows that have ended as well. */
  #input(step: number): {
    readonly ids: readonly number[];
    readonly lengths: readonly number[];
    readonly sizes: FeedSizes;
  } {
    const { prompts, padded } = this.#generation;
    const lengths = prompts.map((ids) => ids.length);
    if (step === 0) {
      const [only = 0] = lengths;
      return {
        ids: padRows(prompts),
        lengths,
        sizes: this.#several ? sizesTogether(lengths) : sizesAlone(only),
      };
    }
    const cached: Cached = { own: lengths.map((length) => length + step - 1), padded };
    return {
      ids: this.#rows.map(({ last }) => last),
      lengths: lengths.map(() => 1),
      sizes: sizesOfStep(cached),
    };
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
    this.#sums.tokens += tokens;
    this.#sums.modulesRun += plan.modulesRun(ran);
    this.#sums.modulesTotal += plan.modulesTotal;
    this.#sums.segmentsRun += ran.length;
    this.#sums.segmentsTotal += plan.segmentsTotal;
    this.#stoppedAfter = plan.stoppedAfter;
  }

  /** A token for each row that goes on, and what the next pass begins with. */
  #choose(rows: readonly GeneratedRow[], gave: ReadonlyMap<number, ReadonlyMap<string, TensorLike>>): void {
    const step = this.#began - 1;
    // The last has what all hooks made of them.
    const outputs = [...gave.values()].at(-1);
    for (const row of rows) {
      if (this.#passes.stops(row.invoke, step)) row.end = 'stop';
      else if (!gave.has(row.invoke)) throw cannotGoOn(step);
    }
    const logits = outputs?.get(LOGITS);
    for (const row of rows) {
      if (row.end !== undefined) continue;
      if (!logits) throw new Error('The model gave no logits.');
      this.#take(row, logits, step);
    }
    if (outputs) this.#cache = this.#cacheOf(outputs, step);
  }

  /** Chooses a row's token and sends it. */
  #take(row: GeneratedRow, logits: TensorLike, step: number): void {
    const { invoke } = row;
    const position = step === 0 ? row.ids.length - 1 : 0;
    const id = row.choose(logits, this.#several ? { row: invoke, position } : undefined);
    const text = row.takeText(row.end !== undefined || this.#passes.stops(invoke, step + 1));
    this.#generation.listener.token({ ...(this.#several ? { invoke } : {}), step, id, text });
  }

  /** Behind the prompts' pass, the keys and values of shorter ones are brought to where the next token continues them. */
  #cacheOf(outputs: ReadonlyMap<string, TensorLike>, step: number): Map<string, TensorLike> {
    const { model, prompts, padded } = this.#generation;
    const lengths = prompts.map((ids) => ids.length);
    const moves = step === 0 && padded === 'left' && new Set(lengths).size > 1;
    const made = cacheOf(model, outputs);
    if (moves)
      for (const [name, tensor] of made)
        made.set(name, moveToEnd(tensor, model.types.get(presentOf(name))?.dims ?? [], lengths));
    return made;
  }

  /** Why a node of a step has no value: an invoke whose value it takes has ended. */
  #ended(node: number, step: number): ErrorBody {
    const { graph } = this.#generation;
    const began = this.#came(node);
    const facts = { ...savedPlace(graph, node, step, began.invoke), why: this.#why(began.invoke) };
    return stepNeverCame({ save: node, step, began }, facts);
  }

  /** How many steps there were of a node so far. */
  #came(node: number): Came {
    const { graph } = this.#generation;
    const came = stepsThatCame(graph, stepsOfNodes(graph), this.#steps);
    return came[node] ?? { steps: this.#began, invoke: 0 };
  }

  get #steps(): readonly number[] {
    return this.#rows.map(({ steps }) => steps);
  }

  #cannotWrite(node: number, step: number): TracewireError {
    const { graph } = this.#generation;
    const at = graph.nodes[node];
    const place = at && placeOf(at);
    const [value = node] = (at ? operandsOf(at) : []).toSorted(
      (a, b) => this.#came(a).steps - this.#came(b).steps,
    );
    const cause = this.#ended(value, step);
    const where = at?.kind === 'skip' ? `${at.module}.output` : place ? describePlace(place) : `node ${node}`;
    const what = cause.message.replace(`${NEVER_SET} `, '');
    const message = `${where} could not be written in step ${step}: ${what} Write in the steps that both have, or let both go on to maxNewTokens with stopTokens: [].`;
    return new TracewireError({ code: 'failed', message, node, path: place?.module, cause });
  }

  #why(invoke: number): string {
    const reason = REASONS[this.#rows[invoke]?.end ?? 'cut'];
    return this.#several ? `of invoke ${invoke}, ${reason}` : reason;
  }

  /** The outcomes of steps that never came. */
  #settle(cause: ErrorBody | undefined): void {
    const { graph, listener } = this.#generation;
    for (const missing of this.#outcomes.missing(this.#steps)) {
      const { save, step = 0, began } = missing;
      const place = savedPlace(graph, save, step, began.invoke);
      const error = stepNeverCame(missing, { ...place, why: this.#why(began.invoke), cause });
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
    const { save, step = 0, began } = missing;
    const facts = { ...savedPlace(graph, save, step, began.invoke), why: 'for the run failed', cause };
    listener.accessError(save, stepNeverCame(missing, facts), step);
  }
}
