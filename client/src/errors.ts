/**
 * The errors users meet. All are `TracewireError`s with a code of the protocol's table; a `TraceError` adds the
 * user's source lines, a `ValueNotSetError` is thrown by reading a saved value that never came to be.
 */
import {
  type ErrorBody,
  type ErrorCode,
  errorPage,
  NEVER_SET,
  TracewireError,
} from '@tracewire/protocol/wire';
import { CallSite, formatLocation, type SourceLocation } from './location.ts';

/** An error and the line of the user's program that made it. */
export interface LocatedError {
  readonly body: ErrorBody;
  readonly location: SourceLocation | undefined;
}

/** One error or several found at once; `code` and `body` are the first's. The message lists them all. */
export class TraceError extends TracewireError {
  override readonly name = 'TraceError';
  readonly errors: readonly LocatedError[];

  constructor(errors: readonly [LocatedError, ...LocatedError[]], options?: ErrorOptions) {
    super(errors[0].body, options);
    this.errors = errors;
    this.message = `${describeAll(errors)}${seePages(errors.map(({ body }) => body))}`;
  }
}

/**
 * Thrown by `Saved.value` where there is none. `body` is the access error: `not_reached`, `unset`, `failed`,
 * `too_large` or `cancelled`; its message is one line, `message` adds the line that saved the value.
 */
export class ValueNotSetError extends TracewireError {
  override readonly name = 'ValueNotSetError';
  readonly location: SourceLocation | undefined;

  constructor({ body, location }: LocatedError) {
    const full = { ...body, message: accessMessage(body) };
    super(full);
    this.location = location;
    const saved = location ? `\n    saved at ${formatLocation(location)}` : '';
    this.message = `${full.message}${saved}${seePages([body])}`;
  }
}

/** A line with the pages about these errors, each once. */
function seePages(bodies: readonly ErrorBody[]): string {
  const pages = new Set(bodies.flatMap(({ code }) => errorPage(code) ?? []));
  return pages.size === 0 ? '' : `\n    see ${[...pages].join(', ')}`;
}

function accessMessage(body: ErrorBody): string {
  const text = withCause(body);
  if (body.code === 'too_large' || text.startsWith(NEVER_SET)) return text;
  return `${NEVER_SET} ${text}`;
}

/** Gives whatever a public call failed with the line that made the call. Foreign errors stay as they are. */
export function atCall(thrown: unknown, site: CallSite): unknown {
  if (!(thrown instanceof TracewireError) || thrown instanceof TraceError) return thrown;
  return new TraceError([{ body: thrown.body, location: site.location }], { cause: thrown });
}

/** An error of the client's own, thrown where the user's frame is still on the stack. */
export function localError(
  code: ErrorCode,
  message: string,
  facts: Omit<ErrorBody, 'code' | 'message'> = {},
): TraceError {
  return new TraceError([{ body: { code, message, ...facts }, location: new CallSite().location }]);
}

/** `code: message` with its causes, the nearest name if the message doesn't say it, and the line. */
export function describeError({ body, location }: LocatedError): string {
  const hint = body.nearest && !body.message.includes(body.nearest) ? ` Did you mean ${body.nearest}?` : '';
  const where = location ? `\n    at ${formatLocation(location)}` : '';
  return `${body.code}: ${withCause(body)}${hint}${where}`;
}

function withCause({ message, cause }: ErrorBody): string {
  return cause && !message.includes(cause.message) ? `${message} ${withCause(cause)}` : message;
}

function describeAll(errors: readonly LocatedError[]): string {
  const [only] = errors;
  if (errors.length === 1 && only) return describeError(only);
  const listed = errors.map(
    (error, index) => `  ${index + 1}. ${describeError(error).replaceAll('\n', '\n  ')}`,
  );
  return `${errors.length} errors in the trace:\n${listed.join('\n')}`;
}
