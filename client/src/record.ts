/** Runs a trace's function once, with placeholders, and gives the graph it wrote. Nothing is computed here. */
import type { ErrorBody, Generate, Limits } from '@tracewire/protocol';
import { type Batch, createRoot } from './batch.ts';
import { type LocatedError, TraceError } from './errors.ts';
import type { StartInput } from './input.ts';
import { whatLeaves } from './leaving.ts';
import type { CallSite } from './location.ts';
import { Recorder } from './recorder.ts';
import type { Recording } from './recording.ts';
import type { Slot } from './saved.ts';
import type { StepApi } from './step-api.ts';
import { isThenable, refuseThenable } from './thenable.ts';
import type { RunReport, Trace } from './trace-context.ts';
import type { ModelTree } from './tree.ts';

export interface Recorded<T> {
  readonly recording: Recording;
  /** What the function returned, to be handed over when the run has ended. */
  readonly result: T;
  readonly report: Slot<RunReport>;
  /** Its prompts were added by `invoke`. */
  readonly invoked?: boolean;
}

/** Where a trace's prompts come from: one from `trace` itself, or each from an `invoke`; `either` for a run that began elsewhere. */
export type Prompts = { readonly input: StartInput } | 'invokes' | 'either';

/**
 * Throws one `TraceError` with all that is wrong with the trace, or what the function threw. `site` is the line
 * that called `trace`; `limits` are those of the server that is to run it.
 */
export function record<T>(
  tree: ModelTree,
  prompts: Prompts,
  site: CallSite,
  fn: (m: Trace & Batch & StepApi) => T,
  generate?: Generate,
  limits?: Limits,
): Recorded<T> {
  const recorder = new Recorder(tree.index, { generate, edits: tree.edits, limits });
  const report: Slot<RunReport> = {};
  const m = createRoot(recorder, tree, report, prompts);
  let result: T | undefined;
  let thrown: unknown;
  let invoked = false;
  try {
    // Feeds come first in the payload.
    if (typeof prompts === 'object' && 'literals' in prompts.input) recorder.invoke(prompts.input, site);
    result = fn(m);
    checkResult((error) => recorder.fail([error]), result, site, 'The trace’s function');
    invoked = typeof prompts !== 'object' && recorder.invokes > 0;
    if (recorder.invokes === 0) addPrompt(recorder, prompts, site);
    recorder.check(site);
  } catch (error) {
    thrown = error;
    if (error instanceof TraceError) recorder.fail(error.errors);
  }
  const recording = recorder.finish();
  const [first, ...rest] = recorder.errors;
  const failed = thrown !== undefined && !(thrown instanceof TraceError);
  if (!first && !failed) return { recording, result: result as T, report, invoked };
  failSaves(
    recording,
    report,
    { code: 'unset', message: 'The trace did not run.', cause: first?.body },
    site,
  );
  // What is listed needs no cause that says it again.
  throw first ? new TraceError([first, ...rest], failed ? { cause: thrown } : {}) : thrown;
}

/** Adds the trace's own prompt, or says that there is none. */
export function addPrompt(recorder: Recorder, prompts: Prompts, site: CallSite): void {
  if (typeof prompts === 'object') recorder.invoke(prompts.input, site);
  else if (prompts === 'either') recorder.invoke(undefined, site);
  else {
    const [what, how] = recorder.generate
      ? ['generation', 'model.generate(prompt, { maxNewTokens })']
      : ['trace', 'model.trace(prompt, (m) => …)'];
    const message = `The ${what} has no prompt. Give one: ${how}, or several: t.invoke(prompt, (m) => …) inside its function.`;
    recorder.fail([{ body: { code: 'misuse', message }, location: site.location }]);
  }
}

/** Gives every handle that is still empty the reason why it stays so. */
export function failSaves(
  recording: Recording,
  report: Slot<RunReport>,
  body: ErrorBody,
  site: CallSite,
): void {
  for (const [node, { slot }] of recording.saves) {
    // Of one with steps that have come, those that are left say for themselves how many there were.
    if (slot.steps?.began !== undefined && slot.steps.began.steps > 0) continue;
    slot.outcome ??= { error: { body, location: recording.locate(node) ?? site.location } };
  }
  report.outcome ??= { error: { body, location: site.location } };
}

/** What a function may not return: a promise, and what has no value when it has run. */
export function checkResult(
  fail: (error: LocatedError) => void,
  result: unknown,
  site: CallSite,
  who: string,
): void {
  const report = (message: string): void =>
    fail({ body: { code: 'misuse', message }, location: site.location });
  if (isThenable(result)) report(refuseThenable(result, who));
  else if (isGenerator(result)) {
    report(`${who} is a generator, so nothing in it has run. Leave the * out: it is called once.`);
  } else for (const message of whatLeaves(result)) report(message);
}

function isGenerator(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object Generator]';
}
