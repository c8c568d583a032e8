/** `tracewire explain`: the page of an error, with its cause and its fix, where the repository isn't at hand. */
import { readFileSync } from 'node:fs';
import { ERROR_CODES, type ErrorCode, isRetryable, nearest } from '@tracewire/protocol';
import type { Command } from 'commander';
import { writeJson, writeTable } from './output.ts';

/** The build's copy of docs/errors/. */
const PAGES = new URL('../errors/', import.meta.url);
const CODES = Object.keys(ERROR_CODES) as ErrorCode[];

export function addExplain(parent: Command): void {
  parent
    .command('explain')
    .description('Says of an error what causes it and what helps; without a code lists all of them.')
    .argument('[code...]', 'codes, as they stand before an error’s text')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  $ tracewire explain unknown_module')
    .action((written: string[], { json }: { json?: boolean }, command: Command) => {
      const codes = written.map((code) => mustBeCode(code, command));
      if (json) return writeJson((codes.length > 0 ? codes : CODES).map(factsOf));
      if (codes.length > 0) process.stdout.write(`${codes.map(pageOf).join('\n')}`);
      else writeTable([['code', 'what it means'], ...CODES.map((code) => [code, ERROR_CODES[code].meaning])]);
    });
}

function mustBeCode(written: string, command: Command): ErrorCode {
  // People copy it with what stands behind.
  const code = written.trim().replace(/[:.,]$/, '');
  const known = CODES.find((candidate) => candidate === code);
  if (known) return known;
  const near = nearest(code, CODES);
  const hint = near ? `Did you mean ${near}?` : 'Without a code, explain lists them.';
  return command.error(`error: there is no error code '${code}'. ${hint}`);
}

function factsOf(code: ErrorCode): object {
  const { meaning, advice } = ERROR_CODES[code];
  return { code, meaning, advice, retry: isRetryable(code), page: pageOf(code) };
}

/** With links as paths in the repository, for they lead nowhere in a terminal. */
function pageOf(code: ErrorCode): string {
  const text = readFileSync(new URL(`${code}.md`, PAGES), 'utf8');
  return text.replace(/\[[^\]]+\]\(\.\.\/([^)]+)\)/g, 'docs/$1');
}
