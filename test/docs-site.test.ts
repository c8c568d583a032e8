/** The site of `npm run docs`: every page is in it under its heading, and every link leads somewhere. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { brokenLinks } from '../docs/site/check-links.mjs';
import { ROOT } from './support/server.ts';

const site = mkdtempSync(path.join(tmpdir(), 'tracewire-site-'));
afterAll(() => rmSync(site, { recursive: true }));

describe('the site', () => {
  beforeAll(() => {
    const typedoc = path.join(ROOT, 'node_modules/typedoc/bin/typedoc');
    const { status, stderr } = spawnSync(process.execPath, [typedoc, '--out', site], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stderr);
  }, 180_000);

  it('has no link that leads nowhere', () => {
    expect(brokenLinks(site)).toEqual([]);
  });

  it('has the pages and the API, each under its name', () => {
    const titles = [
      ['PROTOCOL', 'The Tracewire protocol, version 1'],
      ['tutorials/logit-lens', 'Logit lens'],
      ['decisions/0001-offsets-from-the-payload', 'Offsets count'],
      ['classes/_tracewire_client.LanguageModel', 'Class LanguageModel'],
    ] as const;
    for (const [page, title] of titles)
      expect(readFileSync(path.join(site, `${page}.html`), 'utf8')).toContain(title);
  });
});

it('a link to a page, a place in it or a file that isn’t there is found', () => {
  const small = mkdtempSync(path.join(tmpdir(), 'tracewire-links-'));
  writeFileSync(path.join(small, 'b.html'), '<h1 id="there">b</h1>');
  writeFileSync(
    path.join(small, 'a.html'),
    '<a href="b.html#there">1</a> <a href="https://example.org/">2</a> <a href="b.html#gone">3</a> <a class="x" href="c.html">4</a> <img src="d.svg">',
  );
  expect(brokenLinks(small)).toEqual(['a.html: b.html#gone', 'a.html: c.html', 'a.html: d.svg']);
  rmSync(small, { recursive: true });
});
