import { readFileSync } from 'node:fs';
import {
  ACCESS_CODES,
  clientMessages,
  DTYPE_NAMES,
  RUN_STATES,
  SUBPROTOCOL,
  serverMessages,
} from '@tracewire/protocol';
import { describe, expect, it } from 'vitest';
import { PAGE, withTables } from './tools/protocol-tables.mjs';

const page = readFileSync(PAGE, 'utf8');

describe('docs/PROTOCOL.md', () => {
  it('has the tables that the code would write; if not, run `npm run docs:tables`', () => {
    expect(page).toBe(withTables(page));
  });

  it.each([
    ['every client message', Object.keys(clientMessages).map((type) => `**\`${type}\`**`)],
    ['every server message', Object.keys(serverMessages).map((type) => `**\`${type}\`**`)],
    [
      'every dtype, run state and access code',
      [...DTYPE_NAMES, ...RUN_STATES, ...ACCESS_CODES].map((word) => `\`${word}\``),
    ],
    ['the subprotocol', [SUBPROTOCOL]],
  ])('names %s', (_, words) => {
    expect(words.filter((word) => !page.includes(word))).toEqual([]);
  });

  it('names every field of every message', () => {
    const fields = [...Object.values(clientMessages), ...Object.values(serverMessages)].flatMap((schema) =>
      Object.keys(schema.shape),
    );
    const missing = new Set(
      fields.filter((field) => field !== 'type' && !new RegExp(`\`(${field})\\??\``).test(page)),
    );
    expect([...missing]).toEqual([]);
  });
});
