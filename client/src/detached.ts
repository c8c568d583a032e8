/** Runs that go on without their client: started here, followed from anywhere (PROTOCOL.md, section 2.4, `detach`). */
import type { Welcome } from '@tracewire/protocol';
import { TracewireError } from '@tracewire/protocol/core';
import { localError } from './errors.ts';
import type { Execution } from './execute.ts';
import { GENERATION_OPTIONS, type Generation, type GenerationResult } from './generation.ts';
import { describe } from './options.ts';
import type { GeneratedToken } from './run.ts';

/** A run that outlives its connection, and the client that started it. `R` is what it comes to. */
export interface DetachedRun<T, R = T> {
  /** Give it to `attach`. On a server without keys, whoever knows it can follow and cancel the run. */
  readonly run: string;
  /** What the function returned. Its handles are filled as values come. */
  readonly result: T;
  /**
   * Resolves when the run has completed: to the result, or for a generation to what `generate` gives. Rejects as
   * `trace` would; the run may still go on then.
   */
  wait(): Promise<R>;
  /** Cancels the run, for all who follow it. */
  cancel(): void;
}

/** A generation that outlives its client. `for await` gives its tokens, from the first on. */
export interface DetachedGeneration<T, R = GenerationResult<T>>
  extends DetachedRun<T, R>,
    AsyncIterable<GeneratedToken> {}

/** Resolves when the server has taken the run in. */
export async function detachedRun<T>(result: T, execution: Execution): Promise<DetachedRun<T>> {
  const { run, accepted, done } = execution;
  await accepted;
  return { run, result, wait: () => done.then(() => result), cancel: () => execution.cancel() };
}

/** The same for a generation. It is no promise of its result itself, for then nobody could wait for its start alone. */
export async function detachedGeneration<T, R>(
  result: T,
  execution: Execution,
  generation: Generation<T, R>,
): Promise<DetachedGeneration<T, R>> {
  const run = await detachedRun(result, execution);
  const tokens = () => generation[Symbol.asyncIterator]();
  return { ...run, wait: async () => generation, [Symbol.asyncIterator]: tokens };
}

/** Whether these options, if they are any, are of a generation. */
export function generates(options: unknown): options is object {
  return (
    typeof options === 'object' &&
    options !== null &&
    Object.keys(options).some((option) => Object.hasOwn(GENERATION_OPTIONS, option))
  );
}

/** Throws `not_offered`. */
export function mustOfferDetach({ capabilities }: Welcome): void {
  if (capabilities.includes('detach')) return;
  const message = 'The server keeps no detached runs. Use trace.';
  throw new TracewireError({ code: 'not_offered', message, wanted: 'detach' });
}

/** Throws `bad_input` for what is no run id. */
export function checkRunId(run: unknown): void {
  if (typeof run === 'string' && /^[A-Za-z0-9._~-]{1,64}$/.test(run)) return;
  const got = typeof run === 'string' ? JSON.stringify(run) : describe(run);
  throw localError('bad_input', `attach wants the id of a run, as start gives it, not ${got}.`, { got });
}
