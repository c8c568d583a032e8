/** The package's version, for the welcome and the command line. */
import { readFileSync } from 'node:fs';

export const VERSION = readVersion();

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return version;
}
