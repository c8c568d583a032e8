/** Which cases run (`--only`), and which may fail (`--expected-failures`). */
import { nearest, TracewireError } from '@tracewire/protocol';
import type { CaseResult, Outcome } from './results.ts';

interface Selectable {
  readonly id: string;
  readonly requirements: readonly string[];
}

/** By case ids and requirement numbers; all where nothing is named. Throws for a name of neither. */
export function select<T extends Selectable>(cases: readonly T[], only: readonly string[]): readonly T[] {
  if (only.length === 0) return cases;
  const names = new Set(cases.flatMap(({ id, requirements }) => [id, ...requirements]));
  for (const name of only) {
    if (names.has(name)) continue;
    const near = nearest(name, names);
    throw new TracewireError({
      code: 'bad_configuration',
      message: `No case and no requirement is called ${JSON.stringify(name)}.${near ? ` Did you mean ${near}?` : ''}`,
    });
  }
  return cases.filter(({ id, requirements }) => [id, ...requirements].some((name) => only.includes(name)));
}

/** One case id a line; what follows `#` is a comment. */
export function parseExpectedFailures(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
}

/** Marks the failures that were expected, and finds the expectations that no longer hold. */
export function judge(
  subject: string,
  results: readonly CaseResult[],
  expected: readonly string[],
  known: readonly Selectable[],
): Outcome {
  const ids = new Set(known.map(({ id }) => id));
  const failed = (id: string): boolean =>
    results.some((result) => result.id === id && result.verdict === 'failed');
  const passed = (id: string): boolean =>
    results.some((result) => result.id === id && result.verdict === 'passed');
  return {
    subject,
    results: results.map((result) =>
      failed(result.id) && expected.includes(result.id) ? { ...result, expected: true as const } : result,
    ),
    stale: expected.filter(passed),
    unknown: expected.filter((id) => !ids.has(id)),
  };
}
