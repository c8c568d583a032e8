/** The early stop, shown by a model whose second block fails when it runs; and a server that runs everything, caught by it. */
import { expect, test } from 'vitest';
import { TRIPWIRE as CASES } from '../../server/src/conformance/cases/tripwire.ts';
import { runCases } from '../../server/src/conformance/runner.ts';
import { socketTarget } from '../../server/src/conformance/websocket.ts';
import { served } from '../support/served.ts';
import { TRIPWIRE } from '../support/server.ts';
import { type Corruption, type Header, startProxy } from './wrong-servers/scaffold.ts';

const server = await served('--model', TRIPWIRE);

async function verdicts(url: string): Promise<readonly string[]> {
  const results = await runCases({ target: socketTarget(url), cases: CASES, timeoutMs: 5000 });
  return results.map(({ id, verdict }) => `${id} ${verdict}`);
}

test('our server runs nothing behind a stop, and nothing that is not needed', async () => {
  expect(await verdicts(server.url)).toEqual([
    'tripwire-armed passed',
    'tripwire-stop passed',
    'tripwire-automatic passed',
  ]);
});

test('a server that runs everything, and reports what it likes, is caught', async () => {
  /** Needs the last module in every graph, whatever stops there are. */
  const corrupt = (): Corruption => ({
    toServer(header, payload, pass) {
      const graph = header['graph'] as { readonly nodes: readonly Header[] } | undefined;
      if (header.type !== 'run' || !graph) return pass(header, payload);
      const read = { kind: 'read', place: { module: 'lm_head', port: 'output' } };
      const nodes = graph.nodes.map((node) =>
        node['kind'] === 'stop' ? { kind: 'log', text: 'stopped' } : node,
      );
      pass(
        { ...header, graph: { ...graph, nodes: [...nodes, read, { kind: 'save', value: nodes.length }] } },
        payload,
      );
    },
  });
  const proxy = await startProxy(server.url, { corrupt });
  expect(await verdicts(proxy.url)).toEqual([
    'tripwire-armed passed',
    'tripwire-stop failed',
    'tripwire-automatic failed',
  ]);
  await proxy.stop();
});
