/**
 * `npm run soak -- [--minutes 10] [--clients 8] [--seed 1] [--model FOLDER] [--write]`: exits with 1 if an answer was wrong,
 * a run failed for no reason, or something was left over. The slope of the memory is for a person to judge.
 */
import { parseArgs } from 'node:util';
import { TINY_GPT2 } from '../support/server.ts';
import { machine, table, writeTable } from './page.ts';
import { soak } from './soak.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    clients: { type: 'string', default: '8' },
    seed: { type: 'string', default: '1' },
    model: { type: 'string', default: TINY_GPT2 },
    write: { type: 'boolean', default: false },
  },
});

const result = await soak(
  {
    model: values.model,
    seed: Number(values.seed),
    seconds: Number(values.minutes) * 60,
    clients: Number(values.clients),
  },
  (line) => console.log(line),
);
const mib = (bytes: number): string => (bytes / 1024 ** 2).toFixed(1);
const rows = [
  ['runs, each compared with its serial result', result.runs],
  ['wrong answers', result.wrong],
  ['all connections cut at once, times', result.cuts],
  ['clients that a cut kept from connecting', result.unreached],
  ['clients that were cut off before their welcome', result.unwelcomed],
  ['runs that their clients cancelled', result.cancelled],
  ['detached runs left behind', result.detached],
  [
    'other errors',
    Object.entries(result.errors)
      .map(([code, count]) => `${count} ${code}`)
      .join(', ') || 0,
  ],
  ['gateway’s heap, low points, MiB an hour', mib(result.heapSlope)],
  ['host’s memory, MiB, begin and end', result.hostBytes.map(mib).join(' → ')],
  ['gateway’s open files and sockets, begin and end', result.files.join(' → ')],
  ['hosts, begin and end', result.hosts.join(' → ')],
  ['result files of no kept run', result.orphanFiles],
] as const;
for (const [name, value] of rows) console.log(`${name}: ${value}`);
if (values.write) {
  const about = `${values.minutes} minutes, ${values.clients} clients, seed ${values.seed}; ${machine()}.`;
  writeTable('soak', `${about}\n\n${table(['what', 'result'], rows)}`);
}
const left = result.files[1] > result.files[0] || result.hosts[1] > result.hosts[0] || result.orphanFiles > 0;
process.exitCode = left || result.wrong > 0 || Object.keys(result.errors).length > 0 ? 1 : 0;
