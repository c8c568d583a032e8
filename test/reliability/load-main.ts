/**
 * `npm run load -- [--model FOLDER] [--clients 1,4,16,64] [--seconds 10] [--keys 2] [--seed 1] [--threads 0] [--tokens 32]
 * [--batching shared] [--write]`: exits with 1 if an answer was wrong or a run failed.
 */
import { parseArgs } from 'node:util';
import { TINY_GPT2 } from '../support/server.ts';
import { measureLoad, type Stage } from './load.ts';
import { machine, table, writeTable } from './page.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: TINY_GPT2 },
    clients: { type: 'string', default: '1,4,16,64' },
    seconds: { type: 'string', default: '10' },
    keys: { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' },
    threads: { type: 'string', default: '0' },
    tokens: { type: 'string', default: '32' },
    batching: { type: 'string', default: 'exact' },
    write: { type: 'boolean', default: false },
  },
});

const HEAD = [
  'clients',
  'runs',
  'runs a second',
  '÷ bare',
  'p50 ms',
  'p99 ms',
  'fairness',
  'lag p99 ms',
  'wrong',
  'errors',
];
const row = (stage: Stage): string[] => [
  String(stage.clients),
  String(stage.runs),
  stage.runsPerSecond.toFixed(1),
  stage.ratio.toFixed(2),
  stage.p50.toFixed(1),
  stage.p99.toFixed(1),
  stage.fairness.toFixed(2),
  stage.lagP99.toFixed(1),
  String(stage.wrong),
  Object.entries(stage.errors)
    .map(([code, count]) => `${count} ${code}`)
    .join(', ') || '0',
];

console.log(HEAD.join('  '));
const stages = await measureLoad(
  {
    model: values.model,
    seed: Number(values.seed),
    clients: values.clients.split(',').map(Number),
    seconds: Number(values.seconds),
    keys: Number(values.keys),
    threads: Number(values.threads),
    mostTokens: Number(values.tokens),
    pieces: 20,
    batching: values.batching === 'shared' ? 'shared' : 'exact',
  },
  (stage) => console.log(row(stage).join('  ')),
);
if (values.write) {
  const name = values.batching === 'shared' ? 'load-shared' : 'load';
  const about = `${values.model.split('/').at(-1)}, ${values.seconds} s a stage, ${values.keys} keys, seed ${values.seed}; ${machine()}.`;
  writeTable(name, `${about}\n\n${table(HEAD, stages.map(row))}`);
}
process.exitCode = stages.some(({ wrong, errors }) => wrong > 0 || Object.keys(errors).length > 0) ? 1 : 0;
