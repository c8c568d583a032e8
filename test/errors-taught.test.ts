/**
 * Every error code as a user meets it: provoked from a script with the public client against a real server. The whole
 * printed error is looked at: code, place, wanted and got, nearest name, the script's own line, and the page.
 */
import { fileURLToPath } from 'node:url';
import { ERROR_CODES, errorPage } from '@tracewire/protocol';
import { describe, expect, it } from 'vitest';
import { modelOn, served } from './support/served.ts';
import { COMMANDS, printedBy } from './taught/commands.ts';
import { ELSEWHERE } from './taught/elsewhere.ts';
import { INPUTS } from './taught/inputs.ts';
import { MODELS } from './taught/models.ts';
import { expectTaught, type Row, thrownBy } from './taught/row.ts';
import { RUNNING } from './taught/running.ts';
import { SERVERS } from './taught/servers.ts';
import { TRACES } from './taught/traces.ts';

const server = await served();
const model = modelOn(server);

const TABLES: Readonly<Record<string, readonly Row[]>> = {
  traces: TRACES,
  inputs: INPUTS,
  running: RUNNING,
  servers: SERVERS,
  models: MODELS,
};

describe.each(Object.entries(TABLES))('%s', (name, rows) => {
  const file = fileURLToPath(new URL(`taught/${name}.ts`, import.meta.url));

  it.each(rows.map((row) => [row.what, row.code, row] as const))('%s: %s', async (_what, _code, row) => {
    const error = await thrownBy(() => row.provoke({ model, url: server.url }));
    expectTaught(error, row, file);
  });
});

it.each(COMMANDS.map((row) => [row.what, row.code, row] as const))(
  'a program: %s: %s',
  async (_what, _code, row) => {
    const { code, text } = await printedBy(row.arguments(new URL(server.url).port));
    expect(text).toMatch(new RegExp(`^(tracewire|TraceError): ${row.code}: `, 'm'));
    expect(text).toMatch(
      new RegExp(`see ${errorPage(row.code)}, or: (npx )?tracewire explain ${row.code}$`, 'm'),
    );
    for (const part of row.says) expect(text).toMatch(part);
    expect(code).toBe(row.exit);
  },
);

it('each code is provoked here, or stands with the reason why a script can’t', () => {
  const rows = Object.values(TABLES).flat();
  const provoked = new Set<string>([
    ...rows.flatMap(({ code, cause }) => (cause ? [code, cause] : [code])),
    ...COMMANDS.map(({ code }) => code),
  ]);
  const codes = Object.keys(ERROR_CODES);
  expect(Object.keys(ELSEWHERE).filter((code) => provoked.has(code) || !codes.includes(code))).toEqual([]);
  expect(codes.filter((code) => !provoked.has(code) && !Object.hasOwn(ELSEWHERE, code))).toEqual([]);
});
