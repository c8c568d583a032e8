/** What a model's methods do with a function that writes: write it down and send it, or follow the run that is one of it. */
import type { Generate } from '@tracewire/protocol';
import type { Batch } from './batch.ts';
import { mustOfferDetach } from './detached.ts';
import { fromCall } from './errors.ts';
import type { Execution, How } from './execute.ts';
import type { ExecuteOptions } from './filler.ts';
import {
  type BatchGenerationResult,
  type Generating,
  Generation,
  type GenerationResult,
  toBatchResult,
  toGenerate,
  toResult,
} from './generation.ts';
import type { CallSite } from './location.ts';
import type { ModelAccess, Open } from './model-access.ts';
import { FOLLOW_OPTIONS, GENERATE_OPTIONS, type SessionOptions } from './model-options.ts';
import type { Prompts, Recorded } from './record.ts';
import type { GeneratedToken } from './run.ts';
import type { Session } from './session.ts';
import type { StepApi } from './step-api.ts';
import type { WhereOptions } from './tokenizer.ts';
import type { Trace } from './trace-context.ts';

/** The function of a trace, whatever its kind: `model-types.ts` says what of it is the user's to see. */
export type Writes<T> = (m: Trace & Batch & StepApi) => T;

/** A trace to be written down, or in several passes with `generate`. */
export interface Work<T> {
  readonly prompts: Prompts;
  readonly options: WhereOptions & ExecuteOptions;
  readonly fn: Writes<T>;
  readonly generate?: Generate | undefined;
}

export type AnyResult<T> = GenerationResult<T> | BatchGenerationResult<T>;

/** Resolves when the trace is written down and sent. A run that is followed has its input already, and limits behind it. */
export async function runTrace<T>(
  access: ModelAccess,
  work: Work<T>,
  site: CallSite,
  how: How = {},
): Promise<Recorded<T> & { readonly execution: Execution }> {
  return traceOn(await openFor(access, work.options, how), work, site, how);
}

async function traceOn<T>(
  { link, tree, writing }: Open,
  { prompts, options, fn, generate }: Work<T>,
  site: CallSite,
  how: How,
): Promise<Recorded<T> & { readonly execution: Execution }> {
  const { welcome } = link.conversation;
  const follows = how.follow !== undefined;
  const limits = follows ? undefined : welcome.limits;
  const recorded = writing.record(tree, follows ? 'either' : prompts, site, fn, generate, limits);
  writing.mustOfferInvokes(welcome, recorded.recording.graph.invokes.length);
  if (generate && !follows) writing.mustGenerate(welcome, tree.index.description, recorded, generate, site);
  const execution = await writing.send(link, [{ ...recorded, generate }], options, site, how);
  return { ...recorded, execution };
}

/** The same for a session; as the prompts of one pass, it is one trace. */
export async function runSession<T>(
  access: ModelAccess,
  work: { readonly options: SessionOptions; readonly fn: (s: Session) => T },
  site: CallSite,
  how: How = {},
): Promise<{ readonly result: T; readonly execution: Execution }> {
  const { fn } = work;
  const { batch = false, ...options } = work.options;
  const open = await openFor(access, options, how);
  const { link, tree, writing } = open;
  if (batch) return traceOn(open, { prompts: 'invokes', options, fn: writing.inOnePass(fn) }, site, how);
  const { welcome } = link.conversation;
  const limits = how.follow === undefined ? welcome.limits : undefined;
  const { result, traces } = writing.recordSession(tree, site, fn, limits);
  writing.mustOfferSession(welcome, traces, tree.index.description, site);
  const onToken = (token: GeneratedToken): void => {
    traces[token.trace ?? 0]?.tokens.push(token);
    options.onToken?.(token);
  };
  const execution = await writing.send(link, traces, { ...options, onToken }, site, {
    ...how,
    isSession: true,
  });
  const done = execution.done.finally(() => {
    for (const trace of traces) trace.settle();
  });
  // Of a detached one nobody need wait for the end.
  done.catch(() => undefined);
  return { result, execution: { ...execution, done } };
}

/** Begins a generation, or follows one; `begun` is called when it is sent. */
export function runGeneration<T>(
  access: ModelAccess,
  { prompts, options, fn }: Generating<T>,
  site: CallSite,
  how: How = {},
  begun: (result: T, execution: Execution) => void = () => undefined,
): Generation<T, AnyResult<T>> {
  const run = async (
    take: (token: GeneratedToken) => void,
    tokens: readonly GeneratedToken[],
  ): Promise<AnyResult<T>> => {
    const generate = toGenerate(options, how.follow === undefined ? GENERATE_OPTIONS : FOLLOW_OPTIONS);
    const onToken = (token: GeneratedToken): void => {
      take(token);
      options.onToken?.(token);
    };
    const work = { prompts, options: { ...options, onToken }, fn: fn as Writes<T>, generate };
    const { result, execution, report, recording, invoked } = await runTrace(access, work, site, how);
    begun(result, execution);
    await execution.done;
    if (!invoked) return toResult(result, tokens, report.outcome);
    return toBatchResult(result, tokens, report.outcome, recording.graph.invokes.length);
  };
  return new Generation((take, tokens) => fromCall(() => run(take, tokens), site));
}

async function openFor(
  access: ModelAccess,
  options: WhereOptions & ExecuteOptions,
  { detach, follow }: How,
): Promise<Open> {
  const open = await access.edited(options);
  if (detach || follow !== undefined) mustOfferDetach(open.link.conversation.welcome);
  return open;
}
