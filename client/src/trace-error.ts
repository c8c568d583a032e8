/** Maps what a server says of a run's graphs back to the user's lines. */
import type { ErrorBody } from '@tracewire/protocol';
import type { LocatedError } from './errors.ts';
import type { Site, SourceLocation } from './location.ts';
import type { Recording } from './recording.ts';

/** A node of a session's trace, or of the one trace. */
export interface NodeOf {
  readonly trace?: number | undefined;
  readonly node?: number | undefined;
}

/** The line of the node that an error names, or else of `of`, or of the call. */
export function located(
  body: ErrorBody,
  recordings: readonly Recording[],
  site: Site,
  of: NodeOf = {},
): LocatedError {
  const locate = ({ trace = 0, node }: NodeOf): SourceLocation | undefined => recordings[trace]?.locate(node);
  return { body, location: locate(nodeOf(body, of.trace)) ?? locate(of) ?? site.location };
}

/** The innermost node that an error or its causes name, and its trace. */
function nodeOf({ trace, node, path, cause }: ErrorBody, within?: number): NodeOf {
  const own = trace ?? within;
  const inner = cause && nodeOf(cause, own);
  if (inner?.node !== undefined) return inner;
  if (node !== undefined) return { trace: own, node };
  const field = /^(?:traces\.(\d+)\.)?graph\.nodes\.(\d+)/.exec(path ?? '');
  if (!field) return {};
  return { trace: field[1] === undefined ? own : Number(field[1]), node: Number(field[2]) };
}
