/** The built page is served by `tracewire serve`, unless it is told not to, and is in the package. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { ROOT, runCli, startServer } from '../support/server.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-served-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SLOW = { timeout: 60_000 };

async function page(url: string, file = '/'): Promise<Response> {
  return fetch(url.replace(/^ws/, 'http') + file, { headers: { accept: 'text/html' } });
}

it('gives the page and all that it names', SLOW, async () => {
  const server = await startServer();
  const html = await (await page(server.url)).text();
  const files = [...html.matchAll(/(?:src|href)="\.(\/[^"]+)"/g)].map(([, file = '']) => file);
  expect(files.map((file) => path.extname(file)).sort()).toEqual(['.css', '.js', '.svg']);
  for (const file of files) {
    const response = await page(server.url, file);
    expect([file, response.status, (await response.text()).length > 0]).toEqual([file, 200, true]);
  }
  expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/);
  await server.stop();
});

it('gives none where that is wanted', SLOW, async () => {
  const server = await startServer('--no-explorer');
  expect(await (await page(server.url)).text()).toMatch(/^This is a Tracewire server/);
  await server.stop();
});

it('is an option of the configuration file and the environment too', SLOW, async () => {
  const file = path.join(folder, 'tracewire.json');
  writeFileSync(file, JSON.stringify({ explorer: false }));
  const explorer = async (...args: string[]): Promise<unknown> => {
    const { stdout } = await runCli('config', '--json', ...args);
    return (JSON.parse(stdout) as { name: string; value: unknown }[]).find(({ name }) => name === 'explorer')
      ?.value;
  };
  expect(await explorer()).toBe(true);
  expect(await explorer('--no-explorer')).toBe(false);
  expect(await explorer('--config', file)).toBe(false);
  expect(await explorer('--config', file, '--explorer')).toBe(true);
});

it('is in the package', SLOW, () => {
  const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '-w', 'tracewire'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  for (const file of ['index\\.html', 'assets/index-[\\w-]+\\.js', 'licences\\.md']) {
    expect(packed).toMatch(new RegExp(`"dist/explorer/${file}"`));
  }
});
