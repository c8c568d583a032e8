/**
 * Writes the parts of docs/PROTOCOL.md that the code knows best: the operators, the errors, and a trace byte
 * by byte. `npm run docs:tables` runs it; test/protocol-page.test.ts fails when the page is behind the code.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { DTYPE_NAMES, DTYPES, ERROR_CODES, inputDtypes, isRetryable, OPERATORS } from '@tracewire/protocol';
import { errorIndex, INDEX, pageOf, withOpenings } from './error-pages.mjs';
import { walkthrough } from './walkthrough.mjs';

export const PAGE = new URL('../../docs/PROTOCOL.md', import.meta.url);

/** @typedef {import('@tracewire/protocol').OperatorFacts} OperatorFacts */

/** The page with its generated parts as they should be. @param {string} page */
export function withTables(page) {
  const parts = { operators: operatorTable(), errors: errorTable(), walkthrough: walkthrough() };
  return Object.entries(parts).reduce((text, [name, part]) => replacePart(text, name, part), page);
}

/** @param {string} page @param {string} name @param {string} part */
export function replacePart(page, name, part) {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`The page has no markers ${begin} and ${end}.`);
  return `${page.slice(0, from + begin.length)}\n\n${part}\n\n${page.slice(to)}`;
}

/** A Markdown table with its columns aligned. @param {string[][]} rows the first is the head */
export function table(rows) {
  const [head = [], ...body] = rows;
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  /** @param {string[]} row */
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

function operatorTable() {
  const rows = Object.entries(OPERATORS).map(([name, facts]) => [
    `\`${name}\``,
    inputsOf(facts),
    facts.inputs.includes('T') ? facts.T : '',
    outputsOf(facts),
    attributesOf(facts),
    facts.about,
  ]);
  return [
    table([['operator', 'inputs', '`T`', 'outputs', 'attributes', 'meaning'], ...rows]),
    '',
    'A `?` marks what may be left off, `…` an input or output that may come up to 64 times. Several outputs make a tuple, and',
    'so does `Split`, of `num_outputs`. `T` is one dtype in all places of an operator, `U` any; `index` is `int32` or `int64`.',
    'Outputs `to` and `dtype` are what the attribute of that name says; without `dtype` they are `T`, `float32` where there is',
    'no input, `int32` of `Multinomial`. `seed` is a uint, `sample_size` at least 1, `p` 1 or 2. Attributes and inputs that ONNX',
    'has and this table hasn’t are refused. `T` may be',
    '',
    ...typeLegend(),
    '',
    `\`to\` and \`dtype\` are numbers of ONNX’s: ${DTYPE_NAMES.map((dtype) => `\`${dtype}\` ${DTYPES[dtype].onnx}`).join(', ')}.`,
  ].join('\n');
}

/** @param {OperatorFacts} facts */
function inputsOf({ inputs, needs, variadic }) {
  const names = inputs.map((input, position) => (position >= (needs ?? inputs.length) ? `${input}?` : input));
  return variadic ? `${names.join(', ')} …` : names.join(', ');
}

/** @param {OperatorFacts} facts */
function outputsOf({ outputs, made, outputCount }) {
  const names = outputs.map((output) => (output === 'made' ? (made?.attribute ?? output) : output));
  return outputCount === undefined ? names.join(', ') : `${names.join(', ')} …`;
}

/** @param {OperatorFacts} facts */
function attributesOf({ attributes = {}, required = [] }) {
  return Object.entries(attributes)
    .map(
      ([name, type]) =>
        `\`${name}${required.includes(name) ? '' : '?'}\`: ${typeof type === 'object' ? type.map((choice) => `'${choice}'`).join(', ') : type}`,
    )
    .join(', ');
}

/** What each name in the column `T` stands for. */
function typeLegend() {
  const legend = new Map(
    Object.values(OPERATORS)
      .filter(({ inputs }) => inputs.includes('T'))
      .map((facts) => [facts.T, inputDtypes(facts, facts.inputs.indexOf('T'), undefined)]),
  );
  return [...legend].map(([name, dtypes]) => {
    const missing = DTYPE_NAMES.filter((dtype) => !dtypes.includes(dtype));
    const listed = (/** @type {readonly string[]} */ names) =>
      names.map((dtype) => `\`${dtype}\``).join(', ');
    if (missing.length === 0) return `- ${name}: every dtype of 1.3`;
    return `- ${name}: ${missing.length < dtypes.length ? `all but ${listed(missing)}` : listed(dtypes)}`;
  });
}

function errorTable() {
  const codes = /** @type {(keyof typeof ERROR_CODES)[]} */ (Object.keys(ERROR_CODES));
  return table([
    ['code', 'meaning', 'what helps', 'retry'],
    ...codes.map((code) => [
      `\`${code}\``,
      ERROR_CODES[code].meaning,
      ERROR_CODES[code].advice,
      isRetryable(code) ? 'yes' : '',
    ]),
  ]);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(PAGE, withTables(readFileSync(PAGE, 'utf8')));
  writeFileSync(INDEX, errorIndex());
  for (const [code, text] of withOpenings()) writeFileSync(pageOf(code), text);
}
