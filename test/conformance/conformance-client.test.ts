/** Our client conforms, and clients that don't are caught. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { CLIENT_CASES, runClientCases } from '../../server/src/conformance/client/runner.ts';
import { select } from '../../server/src/conformance/select.ts';
import { ROOT } from '../support/server.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-conformance-client-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The example in one file: it is started some fifty times, and its imports would take most of that time. */
async function bundleOurs(): Promise<string> {
  const outfile = path.join(folder, 'our-client.mjs');
  await build({
    entryPoints: [path.join(ROOT, 'test/conformance/our-client.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    // `remote: false` alone would load it.
    external: ['tracewire'],
    // ws is CommonJS, and requires Node's own modules.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  return `"${process.execPath}" "${outfile}"`;
}

async function failures(command: string, only: readonly string[], timeoutMs: number) {
  const results = await runClientCases({ command, cases: select(CLIENT_CASES, only), timeoutMs });
  return results.filter(({ verdict }) => verdict === 'failed');
}

describe('our client', () => {
  it('conforms', { timeout: 180_000 }, async () => {
    expect(await failures(await bundleOurs(), [], 15_000)).toEqual([]);
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
