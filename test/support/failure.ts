/** What a test expects to go wrong. */
import { TraceError } from '@tracewire/client';

/** The `TraceError` that the promise rejects with. Throws where it doesn't, or what it rejects with instead. */
export async function failure(promise: PromiseLike<unknown>): Promise<TraceError> {
  const outcome: unknown = await promise.then(
    () => new Error('It did not fail.'),
    (error: unknown) => error,
  );
  if (outcome instanceof TraceError) return outcome;
  throw outcome;
}
