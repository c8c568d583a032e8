/**
 * Writes the table of docs/LICENSES.md from package-lock.json: every package that installing ours installs, and under which
 * licence. `npm run docs:tables` runs it; test/packages.test.ts fails when the page is behind.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { replacePart, table } from './protocol-tables.mjs';

const PAGE = new URL('../../docs/LICENSES.md', import.meta.url);
const LOCK = new URL('../../package-lock.json', import.meta.url);

/** @typedef {{ version?: string, license?: string, dev?: boolean, link?: boolean }} Locked */

/** What users install, by name: tools that only build and test are left out. */
export function installed() {
  /** @type {{ packages: Record<string, Locked> }} */
  const lock = JSON.parse(readFileSync(LOCK, 'utf8'));
  return Object.entries(lock.packages)
    .filter(([place, { dev, link }]) => place.startsWith('node_modules/') && !dev && !link)
    .map(([place, { version = '', license = '' }]) => ({
      name: place.replace(/^.*node_modules\//, ''),
      version,
      license,
    }));
}

/** The page as it is, and as it should be. */
export function licencesPage() {
  const page = readFileSync(PAGE, 'utf8');
  const rows = installed().map(({ name, version, license }) => [name, version, license]);
  return { page, wanted: replacePart(page, 'packages', table([['package', 'version', 'licence'], ...rows])) };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) writeFileSync(PAGE, licencesPage().wanted);
