/**
 * `npm run faults -- [--trials 60] [--seed 1] [--bytes-per-second 1000] [--only hostKilled] [--write]`: breaks what can break, and exits with 1
 * if anything came out that may not.
 */
import { parseArgs } from 'node:util';
import { breakEverything, type FaultResult } from './faults.ts';
import { machine, table, writeTable } from './page.ts';

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    'bytes-per-second': { type: 'string', default: '1000' },
    only: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});

const endsOf = ({ ends }: FaultResult): string =>
  Object.entries(ends)
    .map(([end, count]) => `${count} ${end}`)
    .join(', ');

/** KiB; none where the gateway didn't live on. */
const heldBy = ({ heldBytes }: FaultResult): string =>
  heldBytes === undefined ? '–' : (heldBytes / 1024).toFixed(0).replace('-', '−');

const results = await breakEverything(
  {
    trials: Number(values.trials),
    seed: Number(values.seed),
    bytesPerSecond: Number(values['bytes-per-second']),
    patient: true,
    only: values.only,
  },
  (result) => {
    const { fault, trials, reconnections, violations } = result;
    console.log(
      `${fault}: ${trials} runs, ${endsOf(result)}, ${reconnections} reconnections, ${heldBy(result)} KiB held, ${violations.length} violations`,
    );
    for (const violation of new Set(violations)) console.log(`    ${violation}`);
  },
);
if (values.write && values.only === undefined) {
  const head = ['fault', 'runs', 'ended as', 'reconnections', 'memory, KiB', 'violations'];
  const rows = results.map((result) => [
    result.fault,
    result.trials,
    endsOf(result),
    result.reconnections,
    heldBy(result),
    result.violations.length,
  ]);
  const about = `At most ${values.trials} trials of each, seed ${values.seed}; ${machine()}.`;
  writeTable('faults', `${about}\n\n${table(head, rows)}`);
}
process.exitCode = results.some(({ violations }) => violations.length > 0) ? 1 : 0;
