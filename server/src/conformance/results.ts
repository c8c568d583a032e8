/** What came of a run of the suite, whichever side was tested. */

export type Verdict = 'passed' | 'failed' | 'skipped';

export interface CaseResult {
  readonly id: string;
  readonly requirements: readonly string[];
  readonly shows: string;
  readonly verdict: Verdict;
  readonly milliseconds: number;
  /** Of a failure: what the page wants, and what came. */
  readonly wanted?: string;
  readonly got?: string;
  /** Why it was skipped. */
  readonly reason?: string;
  /** The failure was announced in the file of expected failures. */
  readonly expected?: true;
}

/** Begins a case's clock; what it gives makes the result. */
export function beginResult({ id, requirements, shows }: Pick<CaseResult, 'id' | 'requirements' | 'shows'>) {
  const begun = performance.now();
  return (rest: Pick<CaseResult, 'verdict' | 'wanted' | 'got' | 'reason'>): CaseResult => ({
    id,
    requirements,
    shows,
    milliseconds: Math.round(performance.now() - begun),
    ...rest,
  });
}

/** Problems with the file of expected failures, each of which fails the run. */
export interface Outcome {
  /** What was tested: an address, or a command. */
  readonly subject: string;
  readonly results: readonly CaseResult[];
  /** Expected failures that passed. */
  readonly stale: readonly string[];
  /** Ids of no case. */
  readonly unknown: readonly string[];
}

export const isGood = ({ results, stale, unknown }: Outcome): boolean =>
  stale.length === 0 &&
  unknown.length === 0 &&
  results.every(({ verdict, expected }) => verdict !== 'failed' || expected === true);
