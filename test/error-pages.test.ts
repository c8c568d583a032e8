/** docs/errors/: one page a code, with a cause and a fix that say something, and none for a code that is gone. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { ERROR_CODES, errorPage, TracewireError } from '@tracewire/protocol';
import { describe, expect, it } from 'vitest';
import { ROOT, runCli } from './support/server.ts';
import { errorIndex, FOLDER, INDEX, pageOf, withOpenings } from './tools/error-pages.mjs';

const codes = Object.keys(ERROR_CODES);
const pages = readdirSync(FOLDER).filter((file) => file !== 'README.md');
const textOf = (code: string): string => readFileSync(pageOf(code), 'utf8');
/** What stands under a heading. */
const section = (code: string, heading: string): string =>
  (textOf(code).split(`\n## ${heading}\n`)[1] ?? '').split('\n## ')[0]?.trim() ?? '';

describe('docs/errors/', () => {
  it('has one page for each code: write docs/errors/CODE.md with a "## Cause" and a "## Fix"', () => {
    expect(pages.sort()).toEqual(codes.map((code) => `${code}.md`).sort());
  });

  it('is what the table says; if not, run `npm run docs:tables`', () => {
    expect(readFileSync(INDEX, 'utf8')).toBe(errorIndex());
    for (const [code, text] of withOpenings()) expect(textOf(code), code).toBe(text);
  });

  it.each(codes)('%s has a cause and a fix of its own', (code) => {
    const { meaning, advice } = ERROR_CODES[code as keyof typeof ERROR_CODES];
    for (const [heading, said] of [
      ['Cause', meaning],
      ['Fix', advice],
    ] as const) {
      const text = section(code, heading);
      expect(text.length, heading).toBeGreaterThan(said.length);
      expect(text.split(/\s+/).length, heading).toBeGreaterThan(10);
      const others = codes.filter((other) => other !== code && section(other, heading) === text);
      expect(others, heading).toEqual([]);
    }
  });

  it.each(codes)('%s links to what is there, and names codes and commands that are', async (code) => {
    const text = textOf(code);
    for (const [, link = ''] of text.matchAll(/\]\(([^)#]+)\)/g)) {
      expect(existsSync(new URL(link, FOLDER)), link).toBe(true);
    }
    const commands = [...text.matchAll(/`(?:npx )?tracewire ([a-z]+)/g)].map(([, command = '']) => command);
    for (const command of new Set(commands)) expect(await commandNames(), command).toContain(command);
  });
});

it('an error knows its page, and a code that only a peer knows has none', () => {
  for (const code of codes)
    expect(existsSync(new URL(errorPage(code) ?? '', `file://${ROOT}`)), code).toBe(true);
  expect(new TracewireError({ code: 'misuse', message: '' }).page).toBe('docs/errors/misuse.md');
  expect(errorPage('brand_new')).toBeUndefined();
  expect(errorPage('__proto__')).toBeUndefined();
});

let help: Promise<string[]> | undefined;
function commandNames(): Promise<string[]> {
  help ??= runCli('--help').then(({ stdout }) =>
    [...stdout.matchAll(/^ {2}([a-z]+)\b/gm)].map(([, name = '']) => name),
  );
  return help;
}
