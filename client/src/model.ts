/// <reference lib="esnext.disposable" preserve="true" />
/** The model as users hold it: where its engine is, and what can be asked of it. Nothing global, nothing mutable. */
import type { ModelDescription, Welcome } from '@tracewire/protocol';
import { toArguments, toFunction } from './arguments.ts';
import type { DetachedGeneration, DetachedRun } from './detached.ts';
import { Edit, type EditTrace } from './edit.ts';
import { type EditsData, fromData } from './edit-json.ts';
import { fromCall, localError } from './errors.ts';
import type { Explanation } from './explain.ts';
import {
  type BatchGeneration,
  type BatchGenerationResult,
  type Generation,
  type GenerationOptions,
  type GenerationResult,
  toGenerate,
  toGenerating,
} from './generation.ts';
import { type TraceInput, toInput } from './input.ts';
import { CallSite } from './location.ts';
import { type Items, type Mapped, mapItems } from './map.ts';
import { ModelAccess } from './model-access.ts';
import { attachRun, attachSessionRun, startRun, startSessionRun } from './model-detached.ts';
import {
  type AttachOptions,
  type GenerateOptions,
  type LanguageModelOptions,
  MAP_OPTIONS,
  type MapOptions,
  MODEL_OPTIONS,
  PRINT_OPTIONS,
  type PrintOptions,
  SESSION_OPTIONS,
  type SessionOptions,
  type TraceOptions,
  VALIDATE_OPTIONS,
  type ValidateOptions,
} from './model-options.ts';
import { type AnyResult, runGeneration, runSession, runTrace, type Work, type Writes } from './model-runs.ts';
import type {
  AnyModel,
  BatchOf,
  EditTraceOf,
  GenerationBatchOf,
  StepTraceOf,
  TraceOf,
} from './model-types.ts';
import { checkOptions, describe, type OptionRule } from './options.ts';
import type { Scan } from './scan.ts';
import type { Session } from './session.ts';
import { Tokenizer, WHERE_OPTIONS, type WhereOptions } from './tokenizer.ts';
import type { Trace } from './trace-context.ts';
import { FunctionFile, type UserFunction, userFunction } from './user-function.ts';
import type { Validation } from './validate.ts';

/**
 * A language model on a server, or in this process. It connects on first use and again after a loss; an idle
 * connection does not keep a Node process alive. `close()` ends it, as does `await using`. `M` is for the editor: the
 * name of a model whose types `tracewire types` wrote, or that type itself.
 */
export class LanguageModel<const M extends string | object = AnyModel> {
  /** The model's name on the server; with `remote: false` an embedded model's name or a model's folder. */
  readonly name: string;
  /** Text to tokens and back. */
  readonly tokenizer: Tokenizer;
  readonly #options: LanguageModelOptions;
  #access: ModelAccess;

  /** Throws `bad_input` or `unknown_option`. */
  constructor(name: M extends string ? M : string, options: LanguageModelOptions = {}) {
    if (typeof name !== 'string' || name === '') {
      throw localError('bad_input', `A model’s name is text, not ${name === '' ? 'empty' : describe(name)}.`);
    }
    checkOptions(options, MODEL_OPTIONS, 'LanguageModel');
    this.name = name;
    this.#options = options;
    this.#access = new ModelAccess(name, options);
    this.tokenizer = new Tokenizer((where) => this.#access.link(where));
  }

  /**
   * Writes a trace down by calling `fn` once, runs it, and resolves to what `fn` returned, with the `Saved` handles
   * in it filled. Rejects with a `TraceError` that has the lines of the program: all static errors at once, or why the
   * run failed. A value that never came to be is no rejection: reading it throws.
   */
  trace<T>(input: TraceInput, fn: (m: TraceOf<M>) => T): Promise<T>;
  trace<T>(input: TraceInput, options: TraceOptions, fn: (m: TraceOf<M>) => T): Promise<T>;
  /** Several prompts in one pass, each added by `t.invoke`. */
  trace<T>(fn: (t: BatchOf<M>) => T): Promise<T>;
  trace<T>(options: TraceOptions, fn: (t: BatchOf<M>) => T): Promise<T>;
  trace<T>(...written: readonly unknown[]): Promise<T> {
    return fromCall((site) => this.#trace(toArguments<T>(written, 'trace'), site));
  }

  /**
   * The same trace over many prompts, a few at a time: `for await (const { result } of model.map(prompts, (m) => …))`.
   * Results come in the order of the prompts, each with its item; one that failed has an `error`, and the others go on.
   * `fn` is called once an item. Leaving the loop, or `signal`, cancels what runs.
   */
  map<P extends TraceInput, T>(
    items: Items<P>,
    fn: (m: TraceOf<M>, item: P, index: number) => T,
    options?: MapOptions<P>,
  ): AsyncGenerator<Mapped<P, T>, void, undefined>;
  map<P, T>(
    items: Items<P>,
    fn: (m: TraceOf<M>, item: P, index: number) => T,
    options: MapOptions<P> & { readonly input: (item: P) => TraceInput },
  ): AsyncGenerator<Mapped<P, T>, void, undefined>;
  map<P, T>(
    items: Items<P>,
    fn: (m: TraceOf<M>, item: P, index: number) => T,
    options: MapOptions<P> = {},
  ): AsyncGenerator<Mapped<P, T>, void, undefined> {
    checkOptions(options, MAP_OPTIONS, 'map');
    if (typeof fn !== 'function')
      throw localError(
        'misuse',
        `map wants a function that writes the trace of an item, not ${describe(fn)}.`,
      );
    const { concurrency = 4, input = (item: P) => item as TraceInput, signal, ...rest } = options;
    const site = new CallSite();
    const run = (item: P, index: number, cancel: AbortSignal): Promise<T> =>
      fromCall(() => {
        const write = (m: Trace): T => fn(m as unknown as TraceOf<M>, item, index);
        const prompts = { input: toInput(input(item)) };
        return this.#trace({ prompts, options: { ...rest, signal: cancel }, fn: write }, site);
      }, site);
    return mapItems({ items, concurrency, signal, run });
  }

  /**
   * Generates tokens: the prompt's pass, then one over each token that the pass before chose. `fn` is called once and may
   * hook any step: `m` itself is the prompt's pass, `m.iter(…)`, `m.all()` and `m.next()` are others. Awaiting it gives
   * the tokens, the text, and what `fn` returned; `for await` gives the tokens as they come. Rejects as `trace` does.
   */
  generate<T = undefined>(
    input: TraceInput,
    options: GenerateOptions,
    fn?: (m: StepTraceOf<M>) => T,
  ): Generation<T>;
  /** From several prompts in one batch, each added by `t.invoke`; tokens say of which they are. */
  generate<T>(options: GenerateOptions, fn: (t: GenerationBatchOf<M>) => T): BatchGeneration<T>;
  generate<T>(...written: readonly unknown[]): Generation<T, AnyResult<T>> {
    return runGeneration(this.#access, toGenerating<T>(written), new CallSite());
  }

  /**
   * Writes several traces down by calling `fn` once, runs them in order in one run, and resolves to what `fn` returned.
   * What one trace made later ones may use, saved or not; it stays on the server. A trace that fails takes down only what
   * needs it: then its values throw when they are read, and the promise rejects only if all traces failed. With `batch: true` they
   * are the prompts of one pass.
   */
  session<T>(fn: (s: Session) => T): Promise<T>;
  session<T>(options: SessionOptions, fn: (s: Session) => T): Promise<T>;
  session<T>(...written: readonly unknown[]): Promise<T> {
    return fromCall(async (site) => {
      const work = toFunction<T, Session>(written, SESSION_OPTIONS, 'session');
      const { result, execution } = await runSession(this.#access, work, site);
      await execution.done;
      return result;
    });
  }

  /**
   * Starts a trace as a detached run: it outlives this client, and the server keeps what it saved for a while
   * (`server()` tells: `limits.retainMs`). Resolves when the server has taken it in; `wait()` then does what `trace`
   * does. Rejects with what is wrong with the trace, as `trace` does. With `maxNewTokens` among the options it is a
   * generation, whose tokens `for await` gives.
   */
  start<T = undefined>(
    input: TraceInput,
    options: GenerateOptions,
    fn?: (m: StepTraceOf<M>) => T,
  ): Promise<DetachedGeneration<T>>;
  start<T>(
    options: GenerateOptions,
    fn: (t: GenerationBatchOf<M>) => T,
  ): Promise<DetachedGeneration<T, BatchGenerationResult<T>>>;
  start<T>(input: TraceInput, fn: (m: TraceOf<M>) => T): Promise<DetachedRun<T>>;
  start<T>(input: TraceInput, options: TraceOptions, fn: (m: TraceOf<M>) => T): Promise<DetachedRun<T>>;
  start<T>(fn: (t: BatchOf<M>) => T): Promise<DetachedRun<T>>;
  start<T>(options: TraceOptions, fn: (t: BatchOf<M>) => T): Promise<DetachedRun<T>>;
  start<T>(...written: readonly unknown[]): Promise<DetachedRun<T> | DetachedGeneration<T, AnyResult<T>>> {
    return fromCall((site) => startRun<T>(this.#access, written, site));
  }

  /**
   * Follows a run that `start` began, here or in another process, from its first message on. `fn` is the function that
   * `start` was given: it tells which values the run saves. A generation's options are given again too; where it adds its
   * prompts by `invoke`, `R` is `BatchGenerationResult`. Rejects with `run_lost` where the server has the run no more. Whoever
   * followed it before is told `run_moved`.
   */
  attach<T = undefined, R = GenerationResult<T>>(
    run: string,
    options: AttachOptions<GenerateOptions>,
    fn?: (m: StepTraceOf<M> & GenerationBatchOf<M>) => T,
  ): Promise<DetachedGeneration<T, R>>;
  attach<T>(run: string, fn: (m: TraceOf<M> & BatchOf<M>) => T): Promise<DetachedRun<T>>;
  attach<T>(
    run: string,
    options: AttachOptions,
    fn: (m: TraceOf<M> & BatchOf<M>) => T,
  ): Promise<DetachedRun<T>>;
  attach<T>(
    run: string,
    ...rest: readonly unknown[]
  ): Promise<DetachedRun<T> | DetachedGeneration<T, AnyResult<T>>> {
    return fromCall((site) => attachRun<T>(this.#access, run, rest, site));
  }

  /** Starts a session as a detached run, as `start` does a trace. */
  startSession<T>(fn: (s: Session) => T): Promise<DetachedRun<T>>;
  startSession<T>(options: SessionOptions, fn: (s: Session) => T): Promise<DetachedRun<T>>;
  startSession<T>(...written: readonly unknown[]): Promise<DetachedRun<T>> {
    return fromCall((site) => startSessionRun<T>(this.#access, written, site));
  }

  /** Follows a session that `startSession` began, as `attach` does a trace. `fn` is the function that it was given. */
  attachSession<T>(run: string, fn: (s: Session) => T): Promise<DetachedRun<T>>;
  attachSession<T>(
    run: string,
    options: AttachOptions<SessionOptions>,
    fn: (s: Session) => T,
  ): Promise<DetachedRun<T>>;
  attachSession<T>(run: string, ...rest: readonly unknown[]): Promise<DetachedRun<T>> {
    return fromCall((site) => attachSessionRun<T>(this.#access, run, rest, site));
  }

  /**
   * The model with interventions that act in each of its later traces, before the trace's own, on every prompt and in
   * every step: `model.edit((m) => m.transformer.h[5].output[0].add_(direction))`. The model itself stays as it is; the
   * edited one shares its connection, and may be edited further. What is wrong with an edit is told by the first
   * trace, with the edit's line. `data` is what `exportEdits` gave, here or elsewhere: all edits of a model.
   */
  edit(fn: (m: EditTraceOf<M>) => void): LanguageModel<M>;
  edit(data: EditsData): LanguageModel<M>;
  edit(written: ((m: never) => void) | EditsData): LanguageModel<M> {
    const site = new CallSite();
    const made = typeof written === 'function' ? [written as (m: EditTrace) => void] : fromData(written);
    return this.#withEdits([...this.edits, ...made.map((from) => new Edit(from, site))]);
  }

  /** What `edit` has added, the first first. */
  get edits(): readonly Edit[] {
    return this.#access.edits;
  }

  /** The model without these edits, or without any. Throws `misuse` for one that it doesn't have. */
  withoutEdits(...edits: readonly Edit[]): LanguageModel<M> {
    if (edits.some((edit) => !this.edits.includes(edit)))
      throw localError('misuse', 'This is no edit of this model. Its own are in model.edits.');
    return this.#withEdits(edits.length === 0 ? [] : this.edits.filter((edit) => !edits.includes(edit)));
  }

  /** The edits as data that `JSON.stringify` takes and `edit` takes back. Rejects with what is wrong with one. */
  async exportEdits(options: WhereOptions = {}): Promise<EditsData> {
    return this.#ask(options, 'exportEdits', async () => {
      const { tree, writing } = await this.#access.plain(options);
      return writing.toData(this.edits.map((edit) => writing.storedOf(edit, tree)));
    });
  }

  #withEdits(edits: readonly Edit[]): LanguageModel<M> {
    const model = new LanguageModel<M>(this.name as M extends string ? M : string, this.#options);
    model.#access = new ModelAccess(this.name, this.#options, edits, this.#access);
    return model;
  }

  /**
   * A small ONNX model (an SAE, a probe, an update of weights) as a function of values in a trace: `const f = model.fn(bytes)`,
   * then `f(h)`. It is sent once a server. Throws a `TraceError` with all that is wrong with the file.
   */
  fn(bytes: Uint8Array | ArrayBuffer): UserFunction {
    const file = new FunctionFile(bytes);
    this.#access.add(file);
    return userFunction(file, (options) =>
      this.#ask(options, 'describe', async () => {
        const { link, writing } = await this.#access.edited(options);
        const { inputs, outputs } = await link.conversation.describeFunction(
          writing.sha256Of(file),
          file.bytes,
        );
        return { inputs, outputs };
      }),
    );
  }

  /** The model's modules with their places, its parameters, and its limits. */
  async describe(options: WhereOptions = {}): Promise<ModelDescription> {
    return this.#ask(options, 'describe', async () => {
      const { tree } = await this.#access.plain(options);
      return tree.index.description;
    });
  }

  /**
   * Prints the model's modules to the console: what each takes and gives with dtype and dims, and where a hook can't fire,
   * dimmed, why. Resolves to the text.
   */
  async print(options: PrintOptions = {}): Promise<string> {
    const print = async (): Promise<string> => {
      const { tree, writing } = await this.#access.plain(options);
      return writing.printModel(tree.index, options);
    };
    return this.#ask(options, 'print', print, PRINT_OPTIONS);
  }

  /**
   * Dims and dtypes of every hook point for this prompt, without running anything: by path, or as a tree in text.
   * Rejects with what is wrong with the prompt.
   */
  async scan(input: TraceInput, options: WhereOptions = {}): Promise<Scan> {
    return this.#ask(options, 'scan', async () => {
      const { link, tree, writing } = await this.#access.plain(options);
      return writing.scan(link, tree.index.description, input);
    });
  }

  /**
   * All that is wrong with a trace, and all it would be warned of, without running anything. With `maxNewTokens` and its
   * like among the options it is of a generation. Rejects only with what the function itself throws, or for want of a server.
   */
  validate(
    options: ValidateOptions & { readonly maxNewTokens: number },
    fn: (t: GenerationBatchOf<M>) => unknown,
  ): Promise<Validation>;
  validate(input: TraceInput, fn: (m: TraceOf<M>) => unknown): Promise<Validation>;
  validate(
    input: TraceInput,
    options: ValidateOptions,
    fn: (m: StepTraceOf<M>) => unknown,
  ): Promise<Validation>;
  validate(fn: (t: BatchOf<M>) => unknown): Promise<Validation>;
  validate(options: WhereOptions, fn: (t: BatchOf<M>) => unknown): Promise<Validation>;
  validate(...written: readonly unknown[]): Promise<Validation> {
    return fromCall(async (site) => {
      const { prompts, options, fn } = toArguments<unknown>(written, 'validate', VALIDATE_OPTIONS);
      const { remote, ...rest } = options as ValidateOptions;
      const generate = Object.keys(rest).length > 0 ? toGenerate(rest as GenerationOptions, {}) : undefined;
      const { link, tree, writing } = await this.#access.edited({ remote });
      return writing.validate(link, tree, { prompts, fn: fn as Writes<unknown>, site, generate });
    });
  }

  /**
   * How a trace would run, as the server plans it, without running it: segments and cuts, where it stops, what it leaves
   * out, how large its saved values would be. `String(explanation)` is for reading. Rejects with all that would refuse it.
   */
  explain<T>(input: TraceInput, fn: (m: TraceOf<M>) => T): Promise<Explanation<T>>;
  explain<T>(input: TraceInput, options: WhereOptions, fn: (m: TraceOf<M>) => T): Promise<Explanation<T>>;
  explain<T>(fn: (t: BatchOf<M>) => T): Promise<Explanation<T>>;
  explain<T>(options: WhereOptions, fn: (t: BatchOf<M>) => T): Promise<Explanation<T>>;
  explain<T>(...written: readonly unknown[]): Promise<Explanation<T>> {
    return fromCall(async (site) => {
      const { prompts, options, fn } = toArguments<T>(written, 'explain', WHERE_OPTIONS);
      const { link, tree, writing } = await this.#access.edited(options);
      writing.mustOfferExplain(link.conversation.welcome);
      const recorded = writing.record(tree, prompts, site, fn as Writes<T>);
      writing.mustOfferInvokes(link.conversation.welcome, recorded.recording.graph.invokes.length);
      return writing.explain(link, recorded, site);
    });
  }

  /** What the server says of itself: version, models, limits. */
  async server(options: WhereOptions = {}): Promise<Welcome> {
    return this.#ask(options, 'server', async () => {
      const { conversation } = await this.#access.link(options);
      return conversation.welcome;
    });
  }

  /** Ends the connections; what still runs rejects with `closed`. Idempotent. */
  async close(): Promise<void> {
    this.#access.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #trace<T>(work: Work<T>, site: CallSite): Promise<T> {
    const { result, execution } = await runTrace(this.#access, work, site);
    await execution.done;
    return result;
  }

  #ask<T>(
    options: WhereOptions,
    name: string,
    ask: () => Promise<T>,
    rules: Readonly<Record<string, OptionRule>> = WHERE_OPTIONS,
  ): Promise<T> {
    return fromCall(() => {
      checkOptions(options, rules, name);
      return ask();
    });
  }
}
