/**
 * Several prompts in one pass: each `invoke` has a prompt and interventions of its own, and its `m` acts on that prompt
 * wherever it is used. Values may go from one to another.
 */
import { type Steps, TracewireError, type Welcome } from '@tracewire/protocol';
import { localError } from './errors.ts';
import { type TraceInput, toInput } from './input.ts';
import { CallSite } from './location.ts';
import { describe } from './options.ts';
import type { Prompts } from './record.ts';
import type { Recorder } from './recorder.ts';
import type { Slot } from './saved.ts';
import { noSteps, type StepApi, type StepTrace, stepApi } from './step-api.ts';
import { INSPECT } from './tensor.ts';
import { isThenable, refuseThenable } from './thenable.ts';
import { createTrace, type RunReport, type Trace, type TraceApi, traceApi } from './trace-context.ts';
import type { ModelTree } from './tree.ts';

/** What the function of a trace without a prompt of its own gets. */
export interface Batch extends TraceApi {
  /**
   * Adds a prompt to the pass, and calls `fn` with the model as this prompt goes through it: its rows alone, without
   * padding. Gives what `fn` returns, placeholders too: what one invoke read another may write.
   */
  invoke<T>(prompt: TraceInput, fn: (m: Trace) => T): T;
}

/** What the function of a generation without a prompt of its own gets. */
export interface GenerationBatch extends TraceApi {
  /** As in a trace; `fn` may hook any step, and be left out. */
  invoke<T = undefined>(prompt: TraceInput, fn?: (m: StepTrace) => T): T;
}

/** What the trace's function gets. */
export function createRoot(
  recorder: Recorder,
  tree: ModelTree,
  report: Slot<RunReport>,
  prompts: Prompts,
): Trace & Batch & StepApi {
  const own = { ...traceApi(recorder, report), ...(recorder.generate ? {} : noSteps()) };
  const invoke = invoker(recorder, tree, report);
  if (prompts === 'invokes') return batchOnly({ ...own, invoke }) as object as Trace & Batch & StepApi;
  const how = recorder.generate
    ? 'This generation has a prompt of its own. Leave that out: model.generate({ maxNewTokens }, (t) => …).'
    : 'This trace has a prompt of its own. Leave that out: model.trace((t) => …).';
  const refused = (): never => refuse(how);
  const members = { ...own, invoke: prompts === 'either' ? invoke : refused };
  if (recorder.generate) return createSteps(recorder, tree, members, undefined) as Trace & Batch & StepApi;
  return createTrace(recorder, tree, members) as Trace & Batch & StepApi;
}

/** The root of a generation in some of its steps. */
function createSteps(
  recorder: Recorder,
  tree: ModelTree,
  own: object,
  steps: Steps | undefined,
  invoke = 0,
): StepTrace {
  const api = stepApi(recorder, steps ?? 0, (others) => createSteps(recorder, tree, own, others, invoke));
  return createTrace(recorder, tree, { ...own, ...api }, invoke, steps) as StepTrace;
}

function invoker(
  recorder: Recorder,
  tree: ModelTree,
  report: Slot<RunReport>,
): <T>(prompt: TraceInput, fn?: (m: StepTrace) => T) => T | undefined {
  let inside = false;
  const nested = (): never =>
    refuse('An invoke can’t stand inside another one. Write them one after the other.');
  return (prompt, fn) => {
    recorder.assertOpen();
    if (inside) nested();
    const mayBeLeftOut = recorder.generate !== undefined && fn === undefined;
    if (typeof fn !== 'function' && !mayBeLeftOut) {
      refuse(`invoke wants a prompt and a function, not ${describe(fn)}: t.invoke(prompt, (m) => …).`);
    }
    const invoke = recorder.invoke(toInput(prompt), new CallSite());
    if (!fn) return undefined;
    const own = { ...traceApi(recorder, report), invoke: nested };
    const m = recorder.generate
      ? createSteps(recorder, tree, own, undefined, invoke)
      : (createTrace(recorder, tree, { ...own, ...noSteps() }, invoke) as StepTrace);
    inside = true;
    try {
      const result = fn(m);
      if (isThenable(result)) recorder.report('misuse', refuseThenable(result, 'The invoke’s function'));
      return result;
    } finally {
      inside = false;
    }
  };
}

/** Without a prompt there is nothing to read: what isn't the trace's own is refused with what to write. */
function batchOnly<T extends object>(own: T): T {
  return new Proxy(own, {
    get(target, key) {
      if (key === INSPECT) return () => 'Batch';
      if (typeof key === 'symbol' || key === 'then') return undefined;
      if (Object.hasOwn(target, key)) return Reflect.get(target, key) as unknown;
      return refuse(
        `This trace has no prompt of its own, so ${key} of which? Write t.invoke(prompt, (m) => m.${key}…).`,
      );
    },
    set: (_, key) => refuse(`Assigning to ${String(key)} changes nothing in a trace.`),
  });
}

/** Throws `not_offered` for several prompts where the server takes one. */
export function mustOfferInvokes({ capabilities }: Pick<Welcome, 'capabilities'>, invokes: number): void {
  if (invokes < 2 || capabilities.includes('invokes')) return;
  const message = 'The server takes one prompt a pass. Trace them one after the other.';
  throw new TracewireError({ code: 'not_offered', message, wanted: 'invokes' });
}

function refuse(message: string): never {
  throw localError('misuse', message);
}
