/**
 * The parts of docs/errors/ that follow from the table of errors: the index, and how each page opens. `npm run
 * docs:tables` writes them; a page's cause and fix are written by hand.
 */
import { existsSync, readFileSync } from 'node:fs';
import { ERROR_CODES, isRetryable } from '@tracewire/protocol';

export const FOLDER = new URL('../../docs/errors/', import.meta.url);
export const INDEX = new URL('README.md', FOLDER);

const CODES = /** @type {(keyof typeof ERROR_CODES)[]} */ (Object.keys(ERROR_CODES));

/** @param {string} code */
export const pageOf = (code) => new URL(`${code}.md`, FOLDER);

/** The index as it should be. */
export function errorIndex() {
  const rows = CODES.map((code) => `| [\`${code}\`](${code}.md) | ${ERROR_CODES[code].meaning} |`);
  return `# Errors

Every error has a code; its page says what causes it and what helps. An error of a trace also has the line of your program, the
location in the model, what was wanted and what came, and the nearest right name, where there is one. Away from the
repository \`npx tracewire explain CODE\` prints the page.
This list is generated from \`protocol/src/error-table.ts\` (\`npm run docs:tables\`).

| code | what it means |
|---|---|
${rows.join('\n')}
`;
}

/** Each page that is there, with the opening that it should have. */
export function withOpenings() {
  return CODES.filter((code) => existsSync(pageOf(code))).map((code) => {
    const text = readFileSync(pageOf(code), 'utf8');
    const { meaning } = ERROR_CODES[code];
    const retry = isRetryable(code) ? ' The same request may work later.' : '';
    const cause = text.indexOf('## Cause');
    return /** @type {const} */ ([
      code,
      `# ${code}\n\n${meaning}${retry}\n\n${text.slice(Math.max(cause, 0))}`,
    ]);
  });
}
