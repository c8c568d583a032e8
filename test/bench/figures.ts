/** What the bench finds: figures with their aims, printed as a table and written as JSON. */
import { writeFileSync } from 'node:fs';

export interface Figure {
  readonly name: string;
  readonly measured: number;
  readonly unit: '×' | 'µs' | '';
  /** The most it should be, or with `atLeast` the least; without an aim it is only reported. */
  readonly aim?: number;
  readonly atLeast?: boolean;
  /** What it was computed from, or why it misses. */
  readonly note?: string;
}

export type Verdict = 'met' | 'missed' | '';

export function verdictOf({ measured, aim, atLeast = false }: Figure): Verdict {
  if (aim === undefined) return '';
  return (atLeast ? measured >= aim : measured <= aim) ? 'met' : 'missed';
}

/** Prints one group of figures as it comes. */
export function printFigures(title: string, figures: readonly Figure[]): void {
  console.log(`\n${title.padEnd(70)} measured        aim  verdict`);
  for (const figure of figures) {
    const { aim, atLeast, unit, note } = figure;
    const wanted = aim === undefined ? '' : `${atLeast ? '≥' : '≤'} ${aim}${unit}`;
    const columns = [
      `${format(figure.measured)}${unit}`.padStart(10),
      wanted.padStart(10),
      verdictOf(figure),
    ];
    console.log(`  ${figure.name.padEnd(67)} ${columns.join('  ')}`);
    if (note !== undefined) console.log(`      ${note}`);
  }
}

export function writeJson(file: string, facts: object, figures: readonly Figure[]): void {
  const list = figures.map((figure) => ({ ...figure, verdict: verdictOf(figure) || undefined }));
  writeFileSync(file, `${JSON.stringify({ ...facts, figures: list }, null, 2)}\n`);
}

function format(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
