/** Our client conforms, and clients that don't are caught. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { CLIENT_CASES, runClientCases } from '../../server/src/conformance/client/runner.ts';
import { select } from '../../server/src/conformance/select.ts';
import { ROOT } from '../support/server.ts';

/** Where bare imports resolve, and git doesn't look. */
const COMPILED = path.join(ROOT, 'node_modules/.cache/tracewire/our-client.mjs');

/** The example as plain JavaScript: it is started some fifty times, and tsx takes a second each time. */
function compileOurs(): string {
  const source = readFileSync(path.join(ROOT, 'test/conformance/our-client.ts'), 'utf8');
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
  mkdirSync(path.dirname(COMPILED), { recursive: true });
  writeFileSync(COMPILED, ts.transpileModule(source, { compilerOptions }).outputText);
  return `"${process.execPath}" "${COMPILED}"`;
}

async function failures(command: string, only: readonly string[], timeoutMs: number) {
  const results = await runClientCases({ command, cases: select(CLIENT_CASES, only), timeoutMs });
  return results.filter(({ verdict }) => verdict === 'failed');
}

describe('our client', () => {
  it('conforms', { timeout: 180_000 }, async () => {
    expect(await failures(compileOurs(), [], 15_000)).toEqual([]);
  });
});

describe('a client program', () => {
  it.each([
    ['that never connects', 'true', 'a connection'],
    ['that hangs', 'sleep 5', 'a connection'],
    ['that fails', `"${process.execPath}" -e "throw new Error('no')"`, 'a connection'],
  ])('%s is caught', async (_, command, wanted) => {
    const [failure] = await failures(command, ['client-tutorial'], 500);
    expect(failure).toMatchObject({ wanted });
  });
});
