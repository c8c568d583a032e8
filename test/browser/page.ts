/** A page in Debian's Chromium that has loaded the client, bundled as an application would. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { bundleClient } from '../support/client-bundle.ts';

export const EXECUTABLE = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** Without these, Chromium asks its maker's servers for updates at every start. */
export const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

export interface ClientPage {
  /** `globalThis.tracewire` in it is the client's module. */
  readonly page: Page;
  readonly context: BrowserContext;
  /** Scripts that the page has asked for, in order. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

/** `missing`: scripts that the page's server doesn't have. */
export async function openClientPage(missing: (name: string) => boolean = () => false): Promise<ClientPage> {
  const { core, connecting, writing } = await bundleClient();
  const scripts = new Map(
    [...core, ...connecting, ...writing].map(({ name, contents }) => [`/${name}`, contents]),
  );
  const asked: string[] = [];
  const site = createServer((request, response) => {
    const { url = '/' } = request;
    const script = missing(url) ? undefined : scripts.get(url);
    if (url.endsWith('.js')) asked.push(url);
    if (url.endsWith('.js') && !script) response.statusCode = 404;
    response.setHeader('content-type', script ? 'text/javascript' : 'text/html');
    response.end(script ?? PAGE);
  });
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: QUIET });
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
  await page.waitForFunction('globalThis.tracewire !== undefined');
  return {
    page,
    context,
    asked,
    async close() {
      await browser.close();
      site.close();
    },
  };
}

/** An ES module from a plain script tag: no bundler's runtime, no Node built-ins. */
const PAGE = `<!doctype html><title>Tracewire</title>
<script type="module">import * as tracewire from '/index.js'; globalThis.tracewire = tracewire;</script>`;
