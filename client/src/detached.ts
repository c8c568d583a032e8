/** Runs that go on without their client: started here, followed from anywhere (PROTOCOL.md, section 2.4, `detach`). */
import { TracewireError, type Welcome } from '@tracewire/protocol';
import { localError } from './errors.ts';
import type { Execution } from './execute.ts';
import { describe } from './options.ts';

/** A run that outlives its connection, and the client that started it. */
export interface DetachedRun<T> {
  /** Give it to `attach`. On a server without keys, whoever knows it can follow and cancel the run. */
  readonly run: string;
  /** What the trace's function returned. Its handles are filled as values come. */
  readonly result: T;
  /** Resolves to the result when the run has completed. Rejects as `trace` would; the run may still go on then. */
  wait(): Promise<T>;
  /** Cancels the run, for all who follow it. */
  cancel(): void;
}

/** Resolves when the server has taken the run in. */
export async function detachedRun<T>(result: T, execution: Execution): Promise<DetachedRun<T>> {
  const { run, accepted, done } = execution;
  await accepted;
  return { run, result, wait: () => done.then(() => result), cancel: () => execution.cancel() };
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
