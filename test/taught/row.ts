/** One error as a user meets it: what they did, and all that the printed text must then say. */
import { readFileSync } from 'node:fs';
import { type LanguageModel, TraceError, TracewireError, ValueNotSetError } from '@tracewire/client';
import { type ErrorBody, type ErrorCode, errorPage } from '@tracewire/protocol';
import { expect } from 'vitest';

/** What an error says beside its sentence; each of these stands in the printed text too. */
export interface Facts {
  /** Where in the model, or which option, operator, feed or field. */
  readonly path?: string;
  readonly wanted?: string;
  readonly got?: string;
  readonly nearest?: string;
}

/** What rows are about: the embedded model on a server of its own. */
export interface World {
  readonly model: LanguageModel;
  readonly url: string;
}

export interface Row {
  readonly what: string;
  readonly code: ErrorCode;
  /** Of what stopped it from coming to be. */
  readonly cause?: ErrorCode;
  /** Throws or rejects. The statement that is to blame stands on a line that ends with `// ✗`. */
  provoke(world: World): unknown;
  /** All that there are, so that none gets lost. */
  readonly facts: Facts;
  /** What to do about it, beside the facts. */
  readonly says?: RegExp;
}

export async function thrownBy(provoke: () => unknown): Promise<TracewireError> {
  try {
    await provoke();
  } catch (error) {
    if (error instanceof TracewireError) return error;
    throw error;
  }
  throw new Error('Nothing was thrown.');
}

/** Fails with the part that the error lacks. */
export function expectTaught(error: TracewireError, row: Row, file: string): void {
  const printed = String(error.stack ?? error);
  expect(error.code, printed).toBe(row.code);
  expect(factsOf(error.body), printed).toEqual(row.facts);
  const { path, ...others } = row.facts;
  const codes = [row.code, ...(row.cause ? [row.cause] : [])];
  expect(codesOf(error.body), printed).toEqual(codes);
  const pages = codes.map((code) => `${errorPage(code)}`).join(', ');
  const parts = [
    ...codes,
    `see ${pages}, or: npx tracewire explain ${codes.join(' ')}`,
    ...Object.values(others),
  ];
  // A message's field is told in the user's words.
  if (path !== undefined && !/^(graph|options)\b/.test(path)) parts.push(path);
  for (const part of parts) expect(printed).toContain(part);
  if (row.says) expect(printed).toMatch(row.says);
  const location = locationOf(error);
  expect(location?.file, printed).toBe(file);
  expect(lineAt(file, location?.line ?? 0), printed).toMatch(/\/\/ ✗$/);
  expect(printed).toContain(`${file}:${location?.line}:`);
}

/** An access error's facts may be its cause's, which the text tells too. */
function factsOf(body: ErrorBody): Facts {
  const { path, wanted, got, nearest, cause } = body;
  const own = { path, wanted, got, nearest };
  const given = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...(cause ? factsOf(cause) : {}), ...Object.fromEntries(given) };
}

function codesOf({ code, cause }: ErrorBody): ErrorCode[] {
  return cause ? [code, ...codesOf(cause)] : [code];
}

function locationOf(error: TracewireError) {
  if (error instanceof TraceError) return error.errors[0]?.location;
  return error instanceof ValueNotSetError ? error.location : undefined;
}

const lineAt = (file: string, line: number): string =>
  readFileSync(file, 'utf8').split('\n')[line - 1]?.trimEnd() ?? '';
