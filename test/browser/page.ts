/** A page in Debian's Chromium that has loaded the client, bundled as an application would. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { ROOT } from '../support/server.ts';

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
  /** Bytes of the minified bundle, plain and compressed. */
  readonly size: { readonly plain: number; readonly gzip: number };
  close(): Promise<void>;
}

export async function openClientPage(): Promise<ClientPage> {
  const bundle = await bundleClient();
  const site = createServer((request, response) => {
    const isScript = request.url === '/client.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? bundle : PAGE);
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
    size: { plain: bundle.byteLength, gzip: gzipSync(bundle).byteLength },
    async close() {
      await browser.close();
      site.close();
    },
  };
}

/** An ES module from a plain script tag: no bundler's runtime, no Node built-ins. */
const PAGE = `<!doctype html><title>Tracewire</title>
<script type="module">import * as tracewire from '/client.js'; globalThis.tracewire = tracewire;</script>`;

async function bundleClient(): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [path.join(ROOT, 'client/dist/index.js')],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    // The package for local runs is looked for on first use only; a page has none.
    external: ['tracewire'],
  });
  const [file] = outputFiles;
  if (!file) throw new Error('The bundle is empty.');
  return file.contents;
}
