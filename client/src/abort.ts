/** Waiting that an AbortSignal ends at once. */
import { TracewireError } from '@tracewire/protocol/core';

/** The promise's outcome, or a rejection with `cancelled` as soon as the signal is aborted. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(cancelled(signal.reason));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
  // It may still fail when nobody waits for it any more.
  promise.catch(() => undefined);
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** The error of a trace that was cancelled; the cause is the signal's reason. */
export function cancelled(reason?: unknown): TracewireError {
  return new TracewireError({ code: 'cancelled', message: 'The trace was cancelled.' }, { cause: reason });
}
