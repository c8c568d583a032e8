import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Explorer } from './explorer.ts';
import { Listener } from './listener.ts';
import { originFault, originRules } from './origin.ts';

const PAGE = '<!doctype html><title>x</title>';
const folder = mkdtempSync(join(tmpdir(), 'tracewire-page-'));
let listener: Listener;

beforeAll(async () => {
  mkdirSync(join(folder, 'page/assets'), { recursive: true });
  writeFileSync(join(folder, 'secret.html'), 'secret');
  writeFileSync(join(folder, 'page/index.html'), PAGE);
  writeFileSync(join(folder, 'page/assets/index-a1b2.js'), 'export {};');
  writeFileSync(join(folder, 'page/notes.txt'), 'not of the page');
  listener = await Listener.bind({
    host: '127.0.0.1',
    port: 0,
    explorer: Explorer.read(join(folder, 'page')),
  });
});
afterAll(() => {
  listener.close();
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The path goes out as it is written, which `fetch` and `URL` would tidy up. */
const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  new Promise<Answer>((resolve, reject) => {
    const { hostname, port } = new URL(listener.url);
    const asked = request({ hostname, port, path, method, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () =>
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }),
      );
    });
    asked.on('error', reject).end();
  });

const BROWSER = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

describe('the explorer', () => {
  it('is a page for browsers, before the models are loaded too, and a line of text for programs', async () => {
    const page = await ask('/', BROWSER);
    expect([page.status, page.headers['content-type'], page.body.toString()]).toEqual([
      200,
      'text/html; charset=utf-8',
      PAGE,
    ]);
    expect((await ask('/', { accept: '*/*' })).body.toString()).toMatch(/^This is a Tracewire server/);
    expect((await ask('/', BROWSER, 'POST')).body.toString()).toMatch(/^This is a Tracewire server/);
  });

  it('may load and reach nothing but its server, and run no inline script', async () => {
    const { headers } = await ask('/', BROWSER);
    const policy = String(headers['content-security-policy']);
    expect(policy).toMatch(/^default-src 'none'; script-src 'self';/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|data:|blob:|\*/);
    expect(headers['x-content-type-options']).toBe('nosniff');
  });

  it('lets files with a hash be kept for good, and the page be asked for again', async () => {
    const script = await ask('/assets/index-a1b2.js', { 'accept-encoding': 'gzip, br' });
    expect(script.headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'content-encoding': 'gzip',
      'cache-control': 'public, max-age=31536000, immutable',
    });
    expect(gunzipSync(script.body).toString()).toBe('export {};');
    const page = await ask('/', BROWSER);
    expect(page.headers['cache-control']).toBe('no-cache');
    const again = await ask('/', { ...BROWSER, 'if-none-match': String(page.headers.etag) });
    expect([again.status, again.body.length]).toEqual([304, 0]);
  });

  it('answers HEAD without a body', async () => {
    const { status, headers, body } = await ask('/', BROWSER, 'HEAD');
    expect([status, headers['content-length'], body.length]).toEqual([200, String(PAGE.length), 0]);
  });

  it.each([
    '/../secret.html',
    '/assets/../../secret.html',
    '/%2e%2e/secret.html',
    '/assets/..%2f..%2fsecret.html',
    '/..\\secret.html',
    '//secret.html',
    '/assets/',
    '/assets',
    '/notes.txt',
    '/index.html',
    '/assets/index-a1b2.js/',
    '/__proto__',
    '/assets/index-a1b2.js%00.html',
  ])('has nothing at %s', async (path) => {
    const { status, body } = await ask(path, BROWSER);
    expect([status, body.toString()]).toEqual([404, expect.stringMatching(/^This is a Tracewire server/)]);
  });

  it('is refused under a name that is not the server’s, with what to do', async () => {
    const { status, body } = await ask('/', { ...BROWSER, host: 'rebound.example:80' });
    expect([status, body.toString()]).toEqual([403, expect.stringContaining('--allow-host rebound.example')]);
  });

  it('isn’t there where it wasn’t built', () => {
    expect(Explorer.read(join(folder, 'nowhere'))).toBeUndefined();
    expect(Explorer.read(join(folder, 'page/assets'))).toBeUndefined();
  });
});

describe('the page’s own origin', () => {
  const rules = originRules('0.0.0.0', { hosts: ['trace.example.org'], ownPage: true });
  const fault = (host: string, origin: string, of = rules) => originFault({ host, origin }, of);

  it('may use the server that gave it the page', () => {
    expect(fault('192.0.2.1:7331', 'http://192.0.2.1:7331')).toBeUndefined();
    expect(fault('Trace.Example.org', 'https://trace.example.org')).toBeUndefined();
  });

  it('is that name and port alone, and a name of the server', () => {
    expect(fault('192.0.2.1:7331', 'http://192.0.2.1:8080')).toMatch(/other hosts/);
    expect(fault('192.0.2.1:7331', 'http://192.0.2.2:7331')).toMatch(/other hosts/);
    expect(fault('rebound.example:7331', 'http://rebound.example:7331')).toMatch(
      /does not answer to that name/,
    );
    expect(fault('192.0.2.1:7331', 'null')).toMatch(/other hosts/);
    expect(fault('192.0.2.1:7331', 'chrome-extension://192.0.2.1:7331')).toMatch(/other hosts/);
  });

  it('may not where the server gives no page', () => {
    const without = originRules('0.0.0.0');
    expect(fault('192.0.2.1:7331', 'http://192.0.2.1:7331', without)).toMatch(/other hosts/);
  });
});
