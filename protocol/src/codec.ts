/** Decodes a message against a table of messages, and hands it to the handler of its type. */
import type * as z from 'zod/mini';
import { TracewireError } from './errors.ts';
import { decodeFrame, type Frame } from './frame.ts';
import type { Handlers, MessageOf, MessageTable } from './messages.ts';
import { nearest } from './nearest.ts';

export interface Decoded<T extends MessageTable> {
  readonly message: MessageOf<T>;
  readonly payload: Uint8Array;
}

/** Throws `bad_frame`, `unknown_message` or `bad_message`, and nothing else. */
export function decodeMessage<T extends MessageTable>(table: T, bytes: Uint8Array): Decoded<T> {
  return checkFrame(table, decodeFrame(bytes));
}

export function checkFrame<T extends MessageTable>(table: T, { header, payload }: Frame): Decoded<T> {
  const schema = Object.hasOwn(table, header.type) ? table[header.type] : undefined;
  if (!schema) {
    const near = nearest(header.type, Object.keys(table));
    throw new TracewireError({
      code: 'unknown_message',
      message: `There is no message of type ${quote(header.type)} in this direction.${near ? ` Did you mean ${quote(near)}?` : ''}`,
      path: 'type',
      got: clip(header.type),
      nearest: near,
    });
  }
  const result = schema.safeParse(header);
  if (!result.success) throw badMessage(header.type, deepestIssue(result.error.issues));
  return { message: result.data as MessageOf<T>, payload };
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
}

/** A union reports every branch's issues; the one that got deepest is the one that was meant. */
function deepestIssue(issues: readonly z.core.$ZodIssue[], base: readonly PropertyKey[] = []): Issue {
  const candidates = issues.map((issue): Issue => {
    const path = [...base, ...issue.path];
    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      const branches = issue.errors.map((branch) => deepestIssue(branch, path));
      return branches.reduce((best, branch) => (branch.path.length > best.path.length ? branch : best));
    }
    if (issue.code === 'unrecognized_keys') {
      return { path: [...path, issue.keys[0] ?? ''], message: 'there is no such field', wanted: undefined };
    }
    return { path, ...describeIssue(issue) };
  });
  return candidates.reduce((best, issue) => (issue.path.length > best.path.length ? issue : best));
}

function describeIssue(issue: z.core.$ZodIssue): { message: string; wanted: string | undefined } {
  switch (issue.code) {
    case 'invalid_type':
      return { message: `wanted ${issue.expected}`, wanted: issue.expected };
    case 'invalid_value':
      return {
        message: `wanted one of ${clip(issue.values.map(String).join(', '))}`,
        wanted: clip(issue.values.join(', ')),
      };
    case 'too_big':
      return { message: `wanted at most ${issue.maximum}`, wanted: `at most ${issue.maximum}` };
    case 'too_small':
      return { message: `wanted at least ${issue.minimum}`, wanted: `at least ${issue.minimum}` };
    case 'not_multiple_of':
      return { message: `wanted a multiple of ${issue.divisor}`, wanted: `a multiple of ${issue.divisor}` };
    case 'invalid_format':
      return {
        message: 'the string has the wrong form',
        wanted: clip(String(issue.pattern ?? issue.format)),
      };
    case 'invalid_union':
      return { message: 'none of the allowed forms', wanted: undefined };
    default:
      return { message: 'not allowed', wanted: undefined };
  }
}

function badMessage(type: string, issue: Issue): TracewireError {
  const path = issue.path.map(String).join('.');
  return new TracewireError({
    code: 'bad_message',
    message: `In a ${quote(type)} message, ${path ? `field ${clip(path)}` : 'the header'}: ${issue.message}.`,
    path: clip(path),
    wanted: issue.wanted,
  });
}

const clip = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text);
const quote = (text: string): string => JSON.stringify(clip(text));
