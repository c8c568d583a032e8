/** Our client conforms, and clients that don't are caught. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CLIENT_CASES, runClientCases } from '../../server/src/conformance/client/runner.ts';
import { select } from '../../server/src/conformance/select.ts';
import { bundleClient } from './wrong-clients/patched.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-conformance-client-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function failures(command: string, only: readonly string[], timeoutMs: number) {
  const results = await runClientCases({ command, cases: select(CLIENT_CASES, only), timeoutMs });
  return results.filter(({ verdict }) => verdict === 'failed');
}

describe('our client', () => {
  it('conforms', { timeout: 180_000 }, async () => {
    // In one file: it is started some two hundred times, and its imports would take most of that time.
    const file = path.join(folder, 'our-client.mjs');
    await bundleClient(file);
    expect(await failures(`"${process.execPath}" "${file}"`, [], 15_000)).toEqual([]);
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
