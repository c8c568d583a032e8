/** Where in the cache a prepared model lies. */
import path from 'node:path';

/** Raised when what `prepare.ts` writes changes, so that older folders are made anew. */
const PREPARATION = 'v11';

/** `id`: `sha256:…` of the model's files. */
export function preparedFolder(cache: string, id: string): string {
  return path.join(cache, PREPARATION, id.slice('sha256:'.length));
}
