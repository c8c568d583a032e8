/** Each wrong client is caught by the cases that are meant for it; the same program without the fault is not. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CLIENT_CASES, runClientCases } from '../../server/src/conformance/client/runner.ts';
import { select } from '../../server/src/conformance/select.ts';
import { WRONG_CLIENTS } from './wrong-clients/index.ts';
import { bundleClient, type WrongClient } from './wrong-clients/patched.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-wrong-clients-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Ids of the cases that fail, of those given. */
async function failures(
  only: readonly string[],
  timeoutMs: number,
  wrong?: WrongClient,
): Promise<readonly string[]> {
  const file = path.join(folder, `${wrong ? WRONG_CLIENTS.indexOf(wrong) : 'right'}.mjs`);
  await bundleClient(file, wrong);
  const command = `"${process.execPath}" "${file}"`;
  const results = await runClientCases({ command, cases: select(CLIENT_CASES, only), timeoutMs });
  return results.filter(({ verdict }) => verdict === 'failed').map(({ id }) => id);
}

describe('a wrong client', () => {
  it('is caught for what is wrong, not for how it is started', { timeout: 60_000 }, async () => {
    const only = [...new Set(WRONG_CLIENTS.flatMap(({ caughtBy }) => caughtBy))];
    expect(await failures(only, 15_000)).toEqual([]);
  });

  it.concurrent.each(WRONG_CLIENTS.map((wrong) => [wrong.wrong, wrong] as const))(
    'that %s is caught',
    async (_, wrong) => {
      const failed = await failures(wrong.caughtBy, 3500, wrong);
      expect([...failed].sort()).toEqual([...wrong.caughtBy].sort());
    },
  );
});
