/**
 * Section 8 of docs/PROTOCOL.md: which side each requirement binds, and the conformance cases that test it.
 * `node test/tools/requirements.mjs` writes it; test/conformance/conformance-requirements.test.ts compares.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { CLIENT_CASES } from '../../server/dist/conformance/client/cases.js';
import { REQUIREMENTS } from '../../server/dist/conformance/requirements.js';
import { SERVER_CASES } from '../../server/dist/conformance/suite.js';

export const PAGE = new URL('../../docs/PROTOCOL.md', import.meta.url);
const BEGIN = '<!-- requirements:begin -->';
const END = '<!-- requirements:end -->';

/** More cases than these are counted, not named. */
const NAMED = 6;

/** The page with its table as it should be. @param {string} page */
export function withRequirements(page) {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`The page has no markers ${BEGIN} and ${END}.`);
  return `${page.slice(0, from + BEGIN.length)}\n\n${requirementTable()}\n\n${page.slice(to)}`;
}

/** Ids of the cases that test a requirement. @param {string} id */
export function casesOf(id) {
  return [...SERVER_CASES, ...CLIENT_CASES]
    .filter(({ requirements }) => requirements.includes(id))
    .map((one) => one.id);
}

function requirementTable() {
  const rows = REQUIREMENTS.map(({ id, side, profile, unobserved }) => [
    id,
    side,
    profile,
    evidence(id, unobserved),
  ]);
  const head = ['number', 'binds', 'profile', 'cases'];
  return [head, head.map((word) => '-'.repeat(word.length)), ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

/** @param {string} id @param {string | undefined} unobserved */
function evidence(id, unobserved) {
  const cases = casesOf(id);
  if (cases.length === 0) return unobserved === undefined ? '' : `none: ${unobserved}`;
  const named = cases.slice(0, NAMED).map((name) => `\`${name}\``);
  return cases.length > NAMED ? `${named.join(', ')} and ${cases.length - NAMED} more` : named.join(', ');
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(PAGE, withRequirements(readFileSync(PAGE, 'utf8')));
}
