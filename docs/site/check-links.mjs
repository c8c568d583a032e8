/** Fails when a page of the built site links to a page, a place in one, a picture or a file that isn't there. Others' sites aren't asked. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Every link of the site that leads nowhere, as `page: link`. @param {string} site */
export function brokenLinks(site) {
  const pages = readdirSync(site, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.html'),
  );
  const ids = new Map(pages.map((page) => [page, idsOf(readFileSync(path.join(site, page), 'utf8'))]));
  return pages.flatMap((page) =>
    linksOf(readFileSync(path.join(site, page), 'utf8'))
      .filter((link) => !leads(link, page))
      .map((link) => `${page}: ${link}`),
  );

  /** @param {string} link @param {string} page */
  function leads(link, page) {
    const [file = '', anchor = ''] = link.split('#').map(decodeURIComponent);
    const target = file === '' ? page : path.join(path.dirname(page), file);
    const full = path.join(site, target);
    if (!existsSync(full)) return false;
    if (statSync(full).isDirectory()) return existsSync(path.join(full, 'index.html'));
    return anchor === '' || !target.endsWith('.html') || (ids.get(target)?.has(anchor) ?? false);
  }
}

/** @param {string} html */
function linksOf(html) {
  const found = [...html.matchAll(/<(?:a|img|link|script)\b[^>]*?\s(?:href|src)="([^"]*)"/g)];
  const links = found.map(([, link = '']) => link.replaceAll('&amp;', '&').replaceAll('&#39;', "'"));
  return [...new Set(links)].filter((link) => !/^[a-z]+:/i.test(link));
}

/** @param {string} html */
function idsOf(html) {
  return new Set([...html.matchAll(/\sid="([^"]*)"/g)].map(([, id = '']) => id.replaceAll('&#39;', "'")));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const broken = brokenLinks(process.argv[2] ?? 'build/docs');
  for (const link of broken) console.error(link);
  console.log(broken.length === 0 ? 'Every link leads somewhere.' : `${broken.length} links lead nowhere.`);
  process.exitCode = broken.length === 0 ? 0 : 1;
}
