/**
 * `npm run fuzz -- [--graphs 200] [--seconds 600] [--seed 1] [--run-ms 5000] [--memory-mib 1024] [--write]`: exits with 1 if
 * a bound was broken, a run had no end or two, or the next client wasn't served.
 */
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.ts';
import { machine, table, writeTable } from './page.ts';

const { values } = parseArgs({
  options: {
    graphs: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: '1' },
    'run-ms': { type: 'string', default: '5000' },
    'memory-mib': { type: 'string', default: '1024' },
    write: { type: 'boolean', default: false },
  },
});

const memoryMib = Number(values['memory-mib']);
const result = await fuzz(
  {
    seed: Number(values.seed),
    graphs: Number(values.graphs),
    seconds: Number(values.seconds),
    runMs: Number(values['run-ms']),
    stuckMs: 2000,
    memoryBytes: memoryMib * 1024 ** 2,
  },
  (line) => console.log(line),
);
const { ends, graphs, longestMs, peakBytes, violations } = result;
const about = `${graphs} graphs, seed ${values.seed}; the longest took ${(longestMs / 1000).toFixed(1)} s (a run may take ${values['run-ms']} ms, and its host 2000 ms more); a host took ${Math.round(peakBytes / 1024 ** 2)} MiB at most (allowed: ${memoryMib}, looked at five times a second); ${violations.length} violations.`;
console.log(about);
for (const violation of violations) console.log(`  ${violation}`);
if (values.write) {
  const rows = [...ends].map(([kind, counts]) => [
    kind,
    Object.entries(counts)
      .map(([end, count]) => `${count} ${end}`)
      .join(', '),
  ]);
  writeTable('fuzz', `${about} ${machine()}.\n\n${table(['graphs', 'ended as'], rows)}`);
}
process.exitCode = violations.length > 0 ? 1 : 0;
