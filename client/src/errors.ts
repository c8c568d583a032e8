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
} from '@tracewire/protocol/core';
import { CallSite, formatLocation, type SourceLocation } from './location.ts';

/** An error and the line of the user's program that made it. */
export interface LocatedError {
  readonly body: ErrorBody;
  readonly location: SourceLocation | undefined;
}

/** One error or several found at once; `code` and `body` are the first's. The message lists them all. */
export class TraceError extends TracewireError {
  override readonly name = 'TraceError';
  readonly #errors: readonly LocatedError[];

  constructor(errors: readonly [LocatedError, ...LocatedError[]], options?: ErrorOptions) {
    super(errors[0].body, options);
    this.#errors = errors;
    this.message = `${describeAll(errors)}${seePages(errors.map(({ body }) => body))}`;
  }

  /** Not a field of its own, so that a console that prints the error does not print all of it twice. */
  get errors(): readonly LocatedError[] {
    return this.#errors;
  }
}

/**
 * Thrown by `Saved.value` where there is none. `body` is the access error: `not_reached`, `unset`, `failed`,
 * `too_large` or `cancelled`; its message is one line, `message` adds the line that saved the value.
 */
export class ValueNotSetError extends TracewireError {
  override readonly name = 'ValueNotSetError';
  readonly #location: SourceLocation | undefined;

  constructor({ body, location }: LocatedError) {
    const full = { ...body, message: accessMessage(body) };
    super(full);
    this.#location = location;
    const at = location ? ` at ${formatLocation(location)}` : '';
    this.message = `${full.message}${missingFacts(full)}\n    ${codesOf(body).join(', ')}${at}${seePages([body])}`;
  }

  /** The line that saved the value, or the one that made what failed. */
  get location(): SourceLocation | undefined {
    return this.#location;
  }
}

/** Its own, and its causes'. */
function codesOf({ code, cause }: ErrorBody): ErrorCode[] {
  return cause ? [code, ...codesOf(cause)] : [code];
}

/** A line with the pages about these errors, each once, and the command that prints them where there is no repository. */
function seePages(bodies: readonly ErrorBody[]): string {
  const codes = [...new Set(bodies.flatMap(codesOf))].filter((code) => errorPage(code));
  if (codes.length === 0) return '';
  return `\n    see ${codes.map(errorPage).join(', ')}, or: npx tracewire explain ${codes.join(' ')}`;
}

function accessMessage(body: ErrorBody): string {
  const text = withCause(body);
  if (body.code === 'too_large' || text.startsWith(NEVER_SET)) return text;
  return `${NEVER_SET} ${text}`;
}

/** Gives whatever a public call failed with, and has no line yet, the line that made the call. Foreign errors stay as they are. */
function atCall(thrown: unknown, site: CallSite): unknown {
  // What reading a value throws has the value's line.
  if (!(thrown instanceof TracewireError) || thrown instanceof ValueNotSetError) return thrown;
  // A console would print the same error twice; what it came of stays.
  const options = 'cause' in thrown ? { cause: thrown.cause } : {};
  if (!(thrown instanceof TraceError))
    return new TraceError([{ body: thrown.body, location: site.location }], options);
  const [first, ...rest] = thrown.errors.map(({ body, location = site.location }) => ({ body, location }));
  if (!first || thrown.errors.every(({ location }) => location)) return thrown;
  return new TraceError([first, ...rest], options);
}

/** Does what a method was called for; `site` is the line that called it, where errors without one belong. */
export async function fromCall<T>(
  run: (site: CallSite) => T | PromiseLike<T>,
  site = new CallSite(),
): Promise<T> {
  try {
    return await run(site);
  } catch (error) {
    throw atCall(error, site);
  }
}

/** An error of the client's own, thrown where the user's frame is still on the stack. */
export function localError(
  code: ErrorCode,
  message: string,
  facts: Omit<ErrorBody, 'code' | 'message'> = {},
): TraceError {
  return new TraceError([{ body: { code, message, ...facts }, location: new CallSite().location }]);
}

/** `code: message` with its causes, what the message doesn't say of its facts, and the line. */
export function describeError({ body, location }: LocatedError): string {
  const where = location ? `\n    at ${formatLocation(location)}` : '';
  return `${body.code}: ${withCause(body)}${missingFacts(body)}${where}`;
}

/** Of wanted, got and the nearest name, what the message doesn't say. */
function missingFacts({ message, path, wanted, got, nearest, retryAfterMs }: ErrorBody): string {
  const says = (fact: string | undefined): boolean => fact === undefined || message.includes(fact);
  const facts = [
    says(path) || isField(path) ? '' : `at ${path}`,
    says(wanted) ? '' : `wanted ${wanted}`,
    says(got) ? '' : `got ${got}`,
  ].filter(Boolean);
  const more = facts.length > 0 ? ` (${facts.join(', ')})` : '';
  const wait = retryAfterMs === undefined ? '' : ` Try again in ${retryAfterMs} ms.`;
  return `${more}${says(nearest) ? '' : ` Did you mean ${nearest}?`}${wait}`;
}

/** A field of a message, which users of this package don't write. */
function isField(path = ''): boolean {
  return /^(graph|options|traces|input)\b/.test(path);
}

function withCause({ message, cause }: ErrorBody): string {
  return cause && !message.includes(cause.message) ? `${message} ${withCause(cause)}` : message;
}

/** A loop makes one mistake many times. */
const LISTED = 20;

function describeAll(errors: readonly LocatedError[]): string {
  const [only] = errors;
  if (errors.length === 1 && only) return describeError(only);
  const listed = errors
    .slice(0, LISTED)
    .map((error, index) => `  ${index + 1}. ${describeError(error).replaceAll('\n', '\n  ')}`);
  const more = errors.length > LISTED ? `\n  … and ${errors.length - LISTED} more, in error.errors` : '';
  return `${errors.length} errors in the trace:\n${listed.join('\n')}${more}`;
}
