/** Each wrong server is caught by the cases that are meant for it; the same proxy, doing nothing wrong, is not. */
import { describe, expect, it } from 'vitest';
import { runCases } from '../../server/src/conformance/runner.ts';
import { select } from '../../server/src/conformance/select.ts';
import { SERVER_CASES } from '../../server/src/conformance/suite.ts';
import { socketTarget } from '../../server/src/conformance/websocket.ts';
import { served } from '../support/served.ts';
import { WRONG_SERVERS } from './wrong-servers/index.ts';
import { startProxy, type WrongServer } from './wrong-servers/scaffold.ts';

const server = await served();

/** Ids of the cases that fail, of those given. */
async function failures(
  wrong: Pick<WrongServer, 'corrupt' | 'webSocket'>,
  only: readonly string[],
  timeoutMs: number,
): Promise<readonly string[]> {
  const proxy = await startProxy(server.url, wrong);
  try {
    const cases = select(SERVER_CASES, only);
    const results = await runCases({ target: socketTarget(proxy.url), cases, timeoutMs });
    return results.filter(({ verdict }) => verdict === 'failed').map(({ id }) => id);
  } finally {
    await proxy.stop();
  }
}

describe('a wrong server', () => {
  it('is caught for what is wrong, not for the proxy', async () => {
    const only = [...new Set(WRONG_SERVERS.flatMap(({ caughtBy }) => caughtBy))];
    expect(await failures({}, only, 5000)).toEqual([]);
  });

  it.each(WRONG_SERVERS.map((wrong) => [wrong.wrong, wrong] as const))(
    'that %s is caught',
    async (_, wrong) => {
      const failed = await failures(wrong, wrong.caughtBy, 1500);
      expect([...failed].sort()).toEqual([...wrong.caughtBy].sort());
    },
  );
});
