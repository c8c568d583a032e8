/** Maps what a server says of a graph back to the user's lines. */
import type { ErrorBody } from '@tracewire/protocol';
import type { LocatedError } from './errors.ts';
import type { Site } from './location.ts';
import type { Recording } from './recorder.ts';

/** The line of the node that an error names, or else of `node`, or of the call. */
export function located(body: ErrorBody, { locate }: Recording, site: Site, node?: number): LocatedError {
  return { body, location: locate(nodeOf(body)) ?? locate(node) ?? site.location };
}

/** The innermost node that an error or its causes name. */
function nodeOf({ node, path, cause }: ErrorBody): number | undefined {
  const field = /^graph\.nodes\.(\d+)/.exec(path ?? '')?.[1];
  return (cause && nodeOf(cause)) ?? node ?? (field === undefined ? undefined : Number(field));
}
