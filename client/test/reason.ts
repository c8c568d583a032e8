import { TracewireError } from '@tracewire/protocol';

/** Why a promise was rejected. Throws if it resolved, or was rejected with something else. */
export async function reason(promise: Promise<unknown>): Promise<TracewireError> {
  const error: unknown = await promise.then(
    () => new Error('it resolved'),
    (thrown) => thrown,
  );
  if (error instanceof TracewireError) return error;
  throw error;
}
