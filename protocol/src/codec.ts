/** Decodes a message against a table of messages, and hands it to the handler of its type. */
import type * as z from 'zod/mini';
import { TracewireError } from './errors.ts';
import { decodeFrame, type Frame } from './frame.ts';
import type { Handlers, MessageOf, MessageTable } from './messages.ts';
import { nearest } from './nearest.ts';

/** A message that its table allows, and the tensors behind its header. */
export interface Decoded<T extends MessageTable> {
  readonly message: MessageOf<T>;
  readonly payload: Uint8Array;
}

/** Throws `bad_frame`, `unknown_message`, `not_offered` or `bad_message`, and nothing else. */
export function decodeMessage<T extends MessageTable>(
  table: T,
  bytes: Uint8Array,
  payload?: Uint8Array,
): Decoded<T> {
  return checkFrame(table, decodeFrame(bytes, payload));
}

export function checkFrame<T extends MessageTable>(table: T, { header, payload }: Frame): Decoded<T> {
  const schema = Object.hasOwn(table, header.type) ? table[header.type] : undefined;
  if (!schema) {
    const near = nearest(clip(header.type), Object.keys(table));
    throw new TracewireError({
      code: 'unknown_message',
      message: `There is no message of type ${quote(header.type)} in this direction.${near ? ` Did you mean ${quote(near)}?` : ''}`,
      path: 'type',
      got: clip(header.type),
      nearest: near,
    });
  }
  const result = schema.safeParse(header, FIRST_FAULT);
  if (!result.success) throw badMessage(header, deepestIssue(result.error.issues));
  if (payload.byteLength > 0 && !mayHavePayload(header)) throw strayPayload(header.type, payload.byteLength);
  return { message: result.data as MessageOf<T>, payload };
}

/**
 * A list ends at its first wrong member. Otherwise one hostile message would give 200 000 faults to describe, or,
 * spread into one call, more than the stack holds. zod passes the option on, and uses it itself in `validate`.
 */
const FIRST_FAULT = { reportInput: true, abortEarly: true };

/** Tensor bytes belong to messages that name tensors (PROTOCOL.md, 1.1). */
function mayHavePayload(header: Frame['header']): boolean {
  return header.type === 'log' ? header['value'] !== undefined : WITH_TENSORS.has(header.type);
}

/** `run_together` is between a gateway and its host. */
const WITH_TENSORS: ReadonlySet<string> = new Set([
  'run',
  'run_together',
  'explain',
  'value',
  'chunk',
  'blob_chunk',
]);

function strayPayload(type: string, bytes: number): TracewireError {
  return new TracewireError({
    code: 'bad_message',
    message: `The message ${quote(type)} names no tensors, and has ${bytes} bytes of payload.`,
    path: 'payload',
    wanted: 'none',
    got: `${bytes} bytes`,
  });
}

/** Calls the handler of the message's type; the table has one for every type, so none is missing. */
export function dispatch<T extends MessageTable>(
  handlers: Handlers<T>,
  { message, payload }: Decoded<T>,
): void {
  const { type } = message as { type: keyof T };
  handlers[type](message as MessageOf<T, typeof type>, payload);
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly wanted: string | undefined;
  /** Nothing stands there. */
  readonly missing?: boolean;
}

/** A union reports every branch's issues; the one that got deepest is the one that was meant. */
function deepestIssue(issues: readonly z.core.$ZodIssue[], base: readonly PropertyKey[] = []): Issue {
  const candidates = issues.map((issue): Issue => {
    const path = [...base, ...issue.path];
    if (issue.code === 'invalid_union' && issue.errors.length > 0) return meantBranch(issue.errors, path);
    if (issue.code === 'unrecognized_keys') {
      return { path: [...path, issue.keys[0] ?? ''], message: 'there is no such field', wanted: undefined };
    }
    return { path, ...describeIssue(issue), missing: issue.input === undefined };
  });
  return candidates.reduce((best, issue) => (issue.path.length > best.path.length ? issue : best));
}

/** Among branches that got equally deep, one that finds a field wrong rather than missing; then the first. */
function meantBranch(
  branches: readonly (readonly z.core.$ZodIssue[])[],
  path: readonly PropertyKey[],
): Issue {
  const rank = (issue: Issue): number => issue.path.length * 2 + (issue.missing ? 0 : 1);
  return branches
    .map((issues) => deepestIssue(issues, path))
    .reduce((best, issue) => (rank(issue) > rank(best) ? issue : best));
}

/** What the page calls the types that the validator names. */
const TYPE_NAMES: Readonly<Record<string, string>> = {
  int: 'an integer',
  number: 'a number',
  string: 'a string',
  array: 'a list',
  object: 'a map',
  record: 'a map',
};

function describeIssue(issue: z.core.$ZodIssue): { message: string; wanted: string | undefined } {
  const wanted = wantedBy(issue);
  return { message: wanted === undefined ? 'not allowed' : `wanted ${wanted}`, wanted };
}

function wantedBy(issue: z.core.$ZodIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return TYPE_NAMES[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return oneOf(issue.values);
    case 'too_big':
      return `at most ${sizeOf(issue.origin, Number(issue.maximum), issue.inclusive === false)}`;
    case 'too_small':
      return `at least ${sizeOf(issue.origin, Number(issue.minimum), false)}`;
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`;
    case 'invalid_format':
      return `a string of the form ${issue.pattern ?? issue.format}`;
    case 'invalid_union':
      return 'options' in issue && Array.isArray(issue.options) ? oneOf(issue.options) : undefined;
    case 'custom':
      return issue.message.replace(/^wanted /, '');
    default:
      return undefined;
  }
}

const oneOf = (values: readonly unknown[]): string =>
  values.length === 1 ? String(values[0]) : `one of ${clip(values.join(', '))}`;

/** A bound with its unit. A bound that is itself too much is one less. */
function sizeOf(origin: string, bound: number, exclusive: boolean): string {
  const size = exclusive ? bound - 1 : bound;
  if (origin === 'string') return `${size} characters`;
  return origin === 'array' ? `${size} members` : String(size);
}

function badMessage(header: Frame['header'], issue: Issue): TracewireError {
  const path = clip(issue.path.map(String).join('.'));
  const got = describeGot(header, issue.path);
  const fault = issue.wanted === undefined ? issue.message : `${issue.message}, got ${got}`;
  return new TracewireError({
    code: 'bad_message',
    message: `In the message ${quote(header.type)}, ${path ? `field ${path}` : 'the header'}: ${fault}.`,
    path,
    wanted: issue.wanted,
    got,
  });
}

/** What stands at a path of a header, in a few words. */
function describeGot(header: Frame['header'], path: readonly PropertyKey[]): string {
  let at: unknown = header;
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return 'nothing';
    at = (at as Readonly<Record<PropertyKey, unknown>>)[key];
  }
  if (Array.isArray(at)) return `a list of ${at.length}`;
  if (typeof at === 'object' && at !== null) return 'a map';
  return at === null ? 'nil' : quote(String(at), typeof at === 'string');
}

const clip = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text);
const quote = (text: string, quoted = true): string => (quoted ? JSON.stringify(clip(text)) : clip(text));
