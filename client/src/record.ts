/** Runs a trace's function once, with placeholders, and gives the graph it wrote. Nothing is computed here. */
import type { ErrorBody, Input } from '@tracewire/protocol';
import { TraceError } from './errors.ts';
import type { CallSite } from './location.ts';
import { Operand } from './operand.ts';
import { Recorder, type Recording } from './recorder.ts';
import type { Slot } from './saved.ts';
import { createTrace, type RunReport, type Trace } from './trace-context.ts';
import type { ModelTree } from './tree.ts';

export interface Recorded<T> {
  readonly recording: Recording;
  /** What the function returned, to be handed over when the run has ended. */
  readonly result: T;
  readonly report: Slot<RunReport>;
}

/**
 * Throws one `TraceError` with all that is wrong with the trace, or what the function threw. `site` is the line
 * that called `trace`.
 */
export function record<T>(tree: ModelTree, input: Input, site: CallSite, fn: (m: Trace) => T): Recorded<T> {
  const recorder = new Recorder(tree.index);
  const report: Slot<RunReport> = {};
  const m = createTrace(recorder, tree, report);
  let result: T | undefined;
  let thrown: unknown;
  try {
    result = fn(m);
    checkResult(recorder, result, site);
    recorder.check(input, site);
  } catch (error) {
    thrown = error;
    if (error instanceof TraceError) recorder.fail(error.errors);
  }
  const recording = recorder.finish(input);
  const [first, ...rest] = recorder.errors;
  const failed = thrown !== undefined && !(thrown instanceof TraceError);
  if (!first && !failed) return { recording, result: result as T, report };
  failSaves(
    recording,
    report,
    { code: 'unset', message: 'The trace did not run.', cause: first?.body },
    site,
  );
  throw first ? new TraceError([first, ...rest], { cause: thrown }) : thrown;
}

/** Gives every handle that is still empty the reason why it stays so. */
export function failSaves(
  recording: Recording,
  report: Slot<RunReport>,
  body: ErrorBody,
  site: CallSite,
): void {
  for (const [node, { slot }] of recording.saves) {
    slot.outcome ??= { error: { body, location: recording.locate(node) ?? site.location } };
  }
  report.outcome ??= { error: { body, location: site.location } };
}

function checkResult(recorder: Recorder, result: unknown, site: CallSite): void {
  const report = (message: string): void =>
    recorder.fail([{ body: { code: 'misuse', message }, location: site.location }]);
  if (isThenable(result)) {
    // It may fail on its own, and nobody is going to look.
    Promise.resolve(result).catch(() => undefined);
    report('The trace’s function is async. It only writes the trace down, so nothing in it can be awaited.');
  }
  for (const [name, value] of entriesOf(result)) {
    if (!(value instanceof Operand)) continue;
    const what = name === '' ? 'The returned value' : `The returned ${name}`;
    report(`${what} is a placeholder, which has no value after the trace. Return what .save() gives.`);
  }
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !(value instanceof Operand) && 'then' in value;
}

/** What was returned, and the fields of a plain object or array. */
function entriesOf(result: unknown): [string, unknown][] {
  if (result instanceof Operand || typeof result !== 'object' || result === null) return [['', result]];
  const plain = Array.isArray(result) || Object.getPrototypeOf(result) === Object.prototype;
  return plain ? Object.entries(result) : [];
}
