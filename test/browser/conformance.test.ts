/**
 * Our client in a real browser against the client half of the conformance suite. The suite starts a small program a case,
 * which asks this test's page to run the trace and prints its lines. Run by `npm run test:browser`.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CLIENT_CASES, runClientCases } from '../../server/src/conformance/client/runner.ts';
import { ROOT } from '../support/server.ts';
import { type ClientPage, openClientPage } from './page.ts';

declare const tracewire: typeof import('@tracewire/client');
declare const traces: typeof import('../conformance/our-traces.ts');

let client: ClientPage;
let relay: Server;
beforeAll(async () => {
  client = await openClientPage();
  await client.page.addScriptTag({ content: await bundleTraces() });
  relay = createServer(async (request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://relay');
    const trace = [searchParams.get('url') ?? '', searchParams.get('scenario') ?? ''] as const;
    const lines = await client.page.evaluate(([url, name]) => traces.linesOf(tracewire, url, name), trace);
    response.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
});
afterAll(async () => {
  relay.close();
  await client.close();
});

it('conforms', { timeout: 240_000 }, async () => {
  const { port } = relay.address() as AddressInfo;
  const results = await runClientCases({
    command: `"${process.execPath}" "${path.join(ROOT, 'test/browser/ask-page.mjs')}" ${port}`,
    cases: CLIENT_CASES,
    timeoutMs: 20_000,
  });
  expect(results.filter(({ verdict }) => verdict !== 'passed')).toEqual([]);
});

/** The traces as a script that sets `traces`; the client is the page's own. */
async function bundleTraces(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [path.join(ROOT, 'test/conformance/our-traces.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'traces',
    platform: 'browser',
  });
  return outputFiles[0]?.text ?? '';
}
