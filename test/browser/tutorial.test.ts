/** The page and the program of docs/tutorials/browser.md, as they are printed, in Chromium against a real server. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROOT, startServer, type TestServer } from '../support/server.ts';
import { blocksOf, readPage } from '../tutorials/page.ts';
import { EXECUTABLE, QUIET } from './page.ts';

const [html, script] = ['html', 'js'].map(
  (language) => blocksOf(readPage('tutorials/browser.md'), language)[0]?.code ?? '',
);

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

it('the tutorial’s page shows what the model would say after each block', async () => {
  const { outputFiles } = await build({
    stdin: { contents: (script ?? '').replace('ws://127.0.0.1:7331', server.url), resolveDir: ROOT },
    bundle: true,
    format: 'esm',
    splitting: true,
    outdir: ROOT,
    entryNames: 'lens',
    write: false,
    external: ['tracewire'],
  });
  const scripts = new Map(outputFiles.map(({ path, text }) => [`/${path.slice(ROOT.length)}`, text]));
  const site = createServer((request, response) => {
    const text = scripts.get(request.url ?? '');
    response.setHeader('content-type', text === undefined ? 'text/html' : 'text/javascript');
    response.end(text ?? html);
  });
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: QUIET });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
    await page.click('#ask');
    await page.waitForSelector('#lens li:nth-child(6)');
    expect(await page.locator('#lens li').allTextContents()).toContain(' Paris');
    expect(await page.locator('#lens li').last().textContent()).toBe(' Paris');
  } finally {
    await browser.close();
    site.close();
  }
});
