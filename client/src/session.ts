/**
 * Several traces in one run: they are written one after the other, and a value that one of them made can be used in those
 * after it without being saved. Nothing is computed here.
 */
import {
  type ErrorBody,
  type Generate,
  type Limits,
  type ModelDescription,
  TracewireError,
  type Welcome,
} from '@tracewire/protocol';
import { type Batch, createRoot, type GenerationBatch, mustOfferInvokes } from './batch.ts';
import { localError, TraceError } from './errors.ts';
import {
  type BatchGenerationResult,
  type GenerationOptions,
  type GenerationResult,
  toBatchResult,
  toGenerate,
  toGenerating,
  toResult,
} from './generation.ts';
import { type TraceInput, toInput } from './input.ts';
import { CallSite } from './location.ts';
import { mustGenerate } from './must-generate.ts';
import { describe } from './options.ts';
import { addPrompt, checkResult, failSaves, type Prompts, type Recorded } from './record.ts';
import { Recorder } from './recorder.ts';
import type { GeneratedToken } from './run.ts';
import { Saved, type Slot } from './saved.ts';
import type { StepApi, StepTrace } from './step-api.ts';
import { isThenable, refuseThenable } from './thenable.ts';
import type { RunReport, Trace } from './trace-context.ts';
import type { ModelTree } from './tree.ts';

/** What the function of a session gets. */
export interface Session {
  /**
   * Adds a trace, which runs behind those before it. Gives what `fn` returns: handles, filled when the session has run,
   * and placeholders, which later traces of the session may use without their being saved.
   */
  trace<T>(input: TraceInput, fn: (m: Trace) => T): T;
  /** Several prompts in one pass, each added by `t.invoke`. */
  trace<T>(fn: (t: Batch) => T): T;
  /** Adds a generation. */
  generate<T = undefined>(
    input: TraceInput,
    options: GenerationOptions,
    fn?: (m: StepTrace) => T,
  ): SessionGeneration<T>;
  /** From several prompts in one batch, each added by `t.invoke`. */
  generate<T>(
    options: GenerationOptions,
    fn: (t: GenerationBatch) => T,
  ): SessionGeneration<T, BatchGenerationResult<T>>;
}

/** A generation of a session. */
export interface SessionGeneration<T, R = GenerationResult<T>> {
  /** What its function returned. */
  readonly saved: T;
  /** Its tokens, its text and why it ended, when the session has run. */
  readonly result: Saved<R>;
}

/** One trace of a session, written down. */
export interface RecordedTrace extends Recorded<unknown> {
  readonly generate: Generate | undefined;
  /** Takes its tokens as they come. */
  readonly tokens: GeneratedToken[];
  /** Fills what stands for the generation's result, when the run is over. */
  settle(): void;
}

export interface RecordedSession<T> {
  readonly traces: readonly RecordedTrace[];
  readonly result: T;
}

/** Throws one `TraceError` with all that is wrong with the traces, or what the function threw. `site` is the line that called `session`. */
export function recordSession<T>(
  tree: ModelTree,
  site: CallSite,
  fn: (s: Session) => T,
  limits?: Limits,
): RecordedSession<T> {
  const writer = new SessionWriter(tree, site, limits);
  let result: T | undefined;
  let thrown: unknown;
  try {
    result = fn(writer.api);
    checkResult((error) => writer.fail(error), result, site, 'The session’s function');
  } catch (error) {
    thrown = error;
  }
  const traces = writer.finish(thrown === undefined);
  const known = new Set(writer.errors);
  const more = thrown instanceof TraceError ? thrown.errors.filter((error) => !known.has(error)) : [];
  const [first, ...rest] = [...writer.errors, ...more];
  if (!first && thrown === undefined) return { traces, result: result as T };
  const body: ErrorBody = { code: 'unset', message: 'The session did not run.', cause: first?.body };
  for (const { recording, report } of traces) failSaves(recording, report, body, site);
  for (const trace of traces) trace.settle();
  const failed = thrown !== undefined && !(thrown instanceof TraceError);
  throw first && !failed ? new TraceError([first, ...rest]) : thrown;
}

interface Written {
  readonly recorder: Recorder;
  readonly report: Slot<RunReport>;
  readonly site: CallSite;
  readonly tokens: GeneratedToken[];
  result: unknown;
  settle(): void;
}

class SessionWriter {
  readonly api: Session = {
    trace: (...written: readonly unknown[]) => this.#trace(written) as never,
    generate: (...written: readonly unknown[]) => this.#generate(written) as never,
  };
  readonly #tree: ModelTree;
  readonly #site: CallSite;
  readonly #limits: Limits | undefined;
  readonly #traces: Written[] = [];
  readonly #errors: TraceError['errors'][number][] = [];
  #writing: Recorder | undefined;
  #over = false;

  constructor(tree: ModelTree, site: CallSite, limits: Limits | undefined) {
    this.#tree = tree;
    this.#limits = limits;
    this.#site = site;
  }

  /** All of them, trace by trace. */
  get errors(): TraceError['errors'] {
    return [...this.#traces.flatMap(({ recorder }) => recorder.errors), ...this.#errors];
  }

  fail(error: TraceError['errors'][number]): void {
    this.#errors.push(error);
  }

  /** Ends the session: no placeholder is of use any more. What is not complete has errors enough. */
  finish(complete: boolean): RecordedTrace[] {
    if (complete && this.#traces.length === 0 && this.#errors.length === 0) {
      const message = 'The session has no trace. Add one: s.trace(prompt, (m) => …).';
      this.fail({ body: { code: 'misuse', message }, location: this.#site.location });
    }
    if (complete) for (const { recorder, site } of this.#traces) recorder.check(site);
    this.#over = true;
    return this.#traces.map(({ recorder, report, tokens, result, settle }) => ({
      recording: recorder.finish(),
      generate: recorder.generate,
      report,
      tokens,
      result,
      settle,
    }));
  }

  #trace(written: readonly unknown[]): unknown {
    const site = new CallSite();
    const [first, second, ...rest] = written;
    const fn = typeof first === 'function' && written.length === 1 ? first : second;
    if (typeof fn !== 'function' || rest.length > 0) {
      const got = rest.length > 0 ? `${written.length} arguments` : describe(fn);
      const hint = rest.length > 0 ? ' Options are the session’s: model.session(options, (s) => …).' : '';
      throw localError(
        'misuse',
        `trace wants a prompt and a function that writes the trace, not ${got}: s.trace(prompt, (m) => m.lm_head.output.save()).${hint}`,
      );
    }
    const prompts: Prompts = fn === first ? 'invokes' : { input: toInput(first as TraceInput) };
    return this.#write(prompts, site, fn as Writes).result;
  }

  #generate<T>(
    given: readonly unknown[],
  ): SessionGeneration<T, GenerationResult<T> | BatchGenerationResult<T>> {
    const site = new CallSite();
    const { prompts, options, fn } = toGenerating<T>(given);
    const generate = toGenerate(options, {});
    const slot: Slot<GenerationResult<T> | BatchGenerationResult<T>> = {};
    const written = this.#write(prompts, site, fn as Writes, generate);
    const saved = written.result as T;
    const { tokens, recorder } = written;
    written.settle = () => {
      const { outcome } = written.report;
      if (!outcome) return;
      const wasCut =
        'value' in outcome && outcome.value.generated?.some((invoke) => invoke.end === 'cut') === true;
      if ('error' in outcome) slot.outcome = outcome;
      else if (wasCut) slot.outcome = { error: { body: CUT, location: site.location } };
      else if (prompts !== 'invokes') slot.outcome = { value: toResult(saved, tokens, outcome) };
      else slot.outcome = { value: toBatchResult(saved, tokens, outcome, recorder.invokes) };
    };
    return { saved, result: new Saved(slot, 'The generation', site) };
  }

  #write(prompts: Prompts, site: CallSite, fn: Writes, generate?: Generate): Written {
    this.#mustWrite();
    const before = this.#traces.map(({ recorder }) => recorder);
    const session = { before, writing: () => this.#writing, isOver: () => this.#over };
    const { index, edits } = this.#tree;
    const recorder = new Recorder(index, { generate, edits, session, limits: this.#limits });
    const report: Slot<RunReport> = {};
    const written: Written = { recorder, report, site, tokens: [], result: undefined, settle() {} };
    this.#traces.push(written);
    this.#writing = recorder;
    try {
      // Feeds come first in the payload.
      if (typeof prompts === 'object' && 'literals' in prompts.input) recorder.invoke(prompts.input, site);
      written.result = fn(createRoot(recorder, this.#tree, report, prompts));
      if (isThenable(written.result)) {
        const message = refuseThenable(written.result, 'The trace’s function');
        recorder.fail([{ body: { code: 'misuse', message }, location: site.location }]);
      }
      if (recorder.invokes === 0) addPrompt(recorder, prompts, site);
    } finally {
      this.#writing = undefined;
      recorder.seal();
    }
    return written;
  }

  #mustWrite(): void {
    if (this.#over)
      throw localError('misuse', 'The session’s function has returned, so it takes no more traces.');
    if (!this.#writing) return;
    throw localError(
      'misuse',
      'A trace can’t stand inside another one of its session. Write them one after the other: what the first returns the second may use.',
    );
  }
}

/** The run was cancelled, or past its deadline, while the generation went. */
const CUT: ErrorBody = {
  code: 'cancelled',
  message: 'The generation was cut off: its session was cancelled.',
};

type Writes = (m: Trace & Batch & StepApi) => unknown;

/** Throws what refuses a session before it is sent. */
export function mustOfferSession(
  { capabilities, limits }: Welcome,
  traces: readonly RecordedTrace[],
  description: ModelDescription,
  site: CallSite,
): void {
  if (!capabilities.includes('sessions')) {
    const message = 'The server takes one trace a run. Use trace, and give what one saved to the next.';
    throw new TracewireError({ code: 'not_offered', message, wanted: 'sessions' });
  }
  const most = limits.traces ?? Number.POSITIVE_INFINITY;
  if (traces.length > most) {
    const message = `The session has ${traces.length} traces; the server takes at most ${most}. Split it.`;
    const facts = { wanted: `at most ${most}`, got: String(traces.length) };
    throw new TracewireError({ code: 'bad_input', message, ...facts });
  }
  for (const trace of traces) {
    mustOfferInvokes({ capabilities }, trace.recording.graph.invokes.length);
    if (trace.generate) mustGenerate({ capabilities }, description, trace, trace.generate, site);
  }
}
