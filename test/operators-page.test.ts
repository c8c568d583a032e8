/** docs/OPERATORS.md: each operator has a use, each name in the client exists. */
import { readFileSync } from 'node:fs';
import * as client from '@tracewire/client';
import { OPERATORS } from '@tracewire/protocol';
import { expect, it } from 'vitest';
import { Shape } from '../client/src/shape.ts';
import { TracedValue } from '../client/src/traced.ts';

const page = readFileSync(new URL('../docs/OPERATORS.md', import.meta.url), 'utf8');
const rows = page.split('\n').filter((line) => line.startsWith('| `'));
const cells = rows.map((row) => row.split('|').map((cell) => cell.trim()));
const codes = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);

it('names each operator of the table, once', () => {
  const named = cells.flatMap(([, operators]) => codes(operators));
  expect(named.toSorted()).toEqual(Object.keys(OPERATORS).toSorted());
});

it('says of each what it is for', () => {
  for (const [, operators = '', , use = ''] of cells) expect(use.length, operators).toBeGreaterThan(2);
});

it('names what the client has', () => {
  const missing = cells
    .flatMap(([, , names]) => codes(names))
    .filter(
      (name) =>
        !(name.startsWith('.')
          ? name.slice(1) in TracedValue.prototype
          : name === 'm.op' || name === 'p' || name in client),
    );
  expect(missing).toEqual([]);
  expect('op' in Shape.prototype).toBe(true);
});
