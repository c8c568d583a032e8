/** The report for people: failures with what was wanted and what came, skips with their reasons, and the counts. */
import { type CaseResult, isGood, type Outcome } from './results.ts';

export function textReport(outcome: Outcome): string {
  const { subject, results, stale, unknown } = outcome;
  const count = (verdict: string): number => results.filter((result) => result.verdict === verdict).length;
  const expected = results.filter((result) => result.expected).length;
  const lines = [
    `Tracewire conformance of ${subject}`,
    '',
    ...results.filter(({ verdict }) => verdict === 'failed').flatMap(failure),
    ...skips(results),
    ...stale.map((id) => `STALE    ${id} passes, though a failure was expected: take it out of the file.`),
    ...unknown.map((id) => `UNKNOWN  ${id} in the file of expected failures is no case.`),
    ...(stale.length + unknown.length > 0 ? [''] : []),
    `${count('passed')} passed, ${count('failed')} failed${expected > 0 ? ` (${expected} expected)` : ''}, ${count('skipped')} skipped, of ${results.length} cases: ${isGood(outcome) ? 'conforms' : 'does not conform'}.`,
    '',
  ];
  return lines.join('\n');
}

function failure({ id, requirements, shows, wanted, got, expected }: CaseResult): string[] {
  return [
    `${expected ? 'expected' : 'FAILED'}   ${id}  ${requirements.join(' ')}`,
    `         ${shows}`,
    `         wanted ${wanted}`,
    `         got    ${got}`,
    '',
  ];
}

/** By reason, for most are skipped for one. */
function skips(results: readonly CaseResult[]): string[] {
  const byReason = new Map<string, string[]>();
  for (const { id, verdict, reason = '' } of results) {
    if (verdict === 'skipped') byReason.set(reason, [...(byReason.get(reason) ?? []), id]);
  }
  const lines = [...byReason].map(([reason, ids]) => `skipped  ${reason}: ${ids.join(', ')}`);
  return lines.length > 0 ? [...lines, ''] : [];
}

/** The outcome as data; `docs/CONFORMANCE.md` documents it. */
export function jsonReport(outcome: Outcome): string {
  return `${JSON.stringify({ version: 1, good: isGood(outcome), ...outcome }, undefined, 2)}\n`;
}

/** JUnit's XML, as CI systems read it: an expected failure counts as skipped, a stale one as a failure. */
export function junitReport(outcome: Outcome): string {
  const { subject, results, stale, unknown } = outcome;
  const cases = [
    ...results.map((result) => junitCase(result, stale)),
    ...unknown.map((id) => `  <testcase name="${xml(id)}"><failure message="no such case"/></testcase>`),
  ];
  const failures =
    results.filter(({ verdict, expected }) => verdict === 'failed' && !expected).length +
    stale.length +
    unknown.length;
  const skipped = results.filter(({ verdict, expected }) => verdict === 'skipped' || expected).length;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="${xml(subject)}" tests="${cases.length}" failures="${failures}" skipped="${skipped}">`,
    ...cases,
    '</testsuite>',
    '',
  ].join('\n');
}

function junitCase(result: CaseResult, stale: readonly string[]): string {
  const { id, requirements, shows, verdict, milliseconds, wanted, got, reason, expected } = result;
  const open = `  <testcase classname="${requirements.join(' ')}" name="${xml(id)}: ${xml(shows)}" time="${milliseconds / 1000}">`;
  const inner = (() => {
    if (stale.includes(id)) return '<failure message="an expected failure passes"/>';
    if (expected) return '<skipped message="expected failure"/>';
    if (verdict === 'skipped') return `<skipped message="${xml(reason ?? '')}"/>`;
    if (verdict === 'failed') return `<failure message="${xml(`wanted ${wanted}; got ${got}`)}"/>`;
    return '';
  })();
  return `${open}${inner}</testcase>`;
}

/** Escaped, and without the characters that XML has no way to write. */
function xml(text: string): string {
  return Array.from(text, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 32 && !'\t\n\r'.includes(character)) return ' ';
    return XML_ESCAPES[character] ?? character;
  }).join('');
}

const XML_ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
};
