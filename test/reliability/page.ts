/** Tables that commands write into docs/RELIABILITY.md, each between two comments that bear its name. */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { ROOT } from '../support/server.ts';

const PAGE = path.join(ROOT, 'docs/RELIABILITY.md');

export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Throws if the page has no such place. */
export function writeTable(name: string, text: string): void {
  const page = readFileSync(PAGE, 'utf8');
  const place = new RegExp(`(<!-- ${name}: made by the command -->\n)[^]*?(<!-- /${name} -->)`);
  if (!place.test(page)) throw new Error(`docs/RELIABILITY.md has no place for ${name}.`);
  writeFileSync(
    PAGE,
    page.replace(place, (_, begin: string, end: string) => `${begin}\n${text}\n\n${end}`),
  );
}

export function machine(): string {
  const [cpu] = cpus();
  return `${cpus().length} cores (${cpu?.model.trim() ?? 'unknown'}), Node ${process.version}`;
}
