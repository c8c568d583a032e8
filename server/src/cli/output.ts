/** What commands print: JSON for programs, a table for people. */
import type { Command } from 'commander';

/** Ends a command that lacks these options; here, and not as Commander's own, which would pass over a misspelt one. */
export function mustHave(command: Command, ...names: readonly string[]): void {
  const missing = command.options.find(
    (option) =>
      names.includes(option.attributeName()) && command.getOptionValue(option.attributeName()) === undefined,
  );
  if (missing) command.error(`error: required option '${missing.flags}' not specified`);
}

export function writeJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** Columns as wide as they need to be, the first row being the heading. */
export function writeTable(rows: readonly (readonly string[])[]): void {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  process.stdout.write(rows.map((row) => `${line(row)}\n`).join(''));
}
