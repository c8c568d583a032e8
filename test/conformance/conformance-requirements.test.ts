/** The page, the list of requirements and the cases agree. */
import { readFileSync } from 'node:fs';
import { OPERATORS } from '@tracewire/protocol';
import { describe, expect, it } from 'vitest';
import { RANDOM_SHOWN } from '../../server/src/conformance/cases/operator-results.ts';
import { OPERATORS_SHOWN } from '../../server/src/conformance/cases/operators.ts';
import { CLIENT_CASES } from '../../server/src/conformance/client/cases.ts';
import { REQUIREMENTS } from '../../server/src/conformance/requirements.ts';
import { SERVER_CASES } from '../../server/src/conformance/suite.ts';
import { PAGE, withRequirements } from '../tools/requirements.mjs';

const page = readFileSync(PAGE, 'utf8');
const cases = [...SERVER_CASES, ...CLIENT_CASES];
const tested = (list: readonly { requirements: readonly string[] }[], id: string): boolean =>
  list.some(({ requirements }) => requirements.includes(id));

describe('the requirements', () => {
  it('stand in the page, each once; if not, a sentence lost its number or a number its sentence', () => {
    const marks = [...page.matchAll(/\((R-\d{3})\)/g)].map(([, id]) => id);
    expect(marks.sort()).toEqual(REQUIREMENTS.map(({ id }) => id));
  });

  it('have the table that the cases would write; if not, run `npm run docs:tables`', () => {
    expect(page).toBe(withRequirements(page));
  });

  it('have a case on each side that they bind, or a reason', () => {
    const untested = REQUIREMENTS.filter(({ id, side, unobserved }) => {
      if (unobserved !== undefined) return tested(cases, id);
      const server = side === 'client' || tested(SERVER_CASES, id);
      return !server || (side !== 'server' && !tested(CLIENT_CASES, id));
    });
    expect(untested).toEqual([]);
  });

  it('that cases name are there', () => {
    const known = new Set(REQUIREMENTS.map(({ id }) => id));
    const foreign = cases.filter(({ requirements }) => requirements.some((id) => !known.has(id)));
    expect(foreign.map(({ id }) => id)).toEqual([]);
  });
});

describe('the cases', () => {
  it('have ids of their own', () => {
    const ids = cases.map(({ id }) => id);
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
  });

  it('show every operator', () => {
    expect([...OPERATORS_SHOWN, ...RANDOM_SHOWN].sort()).toEqual(Object.keys(OPERATORS).sort());
  });
});
