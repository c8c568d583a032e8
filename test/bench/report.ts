/** Prints what `interleave` measured. */
import { median, quantile, type Timing } from './interleave.ts';

/** A table: 10th percentile, median, 90th, and each median as a multiple of the named one. */
export function printTable(
  title: string,
  timings: ReadonlyMap<string, Timing>,
  base: string,
  short: string,
): void {
  const baseline = timings.get(base);
  if (!baseline) throw new Error(`Nothing called ${base} was measured.`);
  console.log(`${title.padEnd(58)}  p10 ms   median   p90   ÷ ${short}`);
  for (const timing of timings.values()) {
    const columns = [
      quantile(timing, 0.1).toFixed(2),
      median(timing).toFixed(2),
      quantile(timing, 0.9).toFixed(2),
      (median(timing) / median(baseline)).toFixed(2),
    ];
    console.log(`  ${timing.name.padEnd(56)}${columns.map((column) => column.padStart(9)).join('')}`);
  }
  console.log('');
}

/** The median of one over the median of another. */
export function ratio(timings: ReadonlyMap<string, Timing>, of: string, to: string): number {
  const [a, b] = [timings.get(of), timings.get(to)];
  return a && b ? median(a) / median(b) : Number.NaN;
}
