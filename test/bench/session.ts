/**
 * `npm run bench:session`: a patching sweep (a clean run, then for each block a run of the other prompt patched there), as one
 * trace a request, as one session of which nothing is common (each run's prompt begins with another token), as one session, and as
 * one session in one pass. Requests, parts of the model that ran, and time, measured in turn; the results are compared. `--model FOLDER` for another model than tiny-gpt2, `--tokens`, `--rounds`.
 */
import { cpus } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LanguageModel, type RunReport, type Saved, type Tensor, type Trace } from '@tracewire/client';
import { startServer } from '../../docs/examples/start-server.ts';
import { interleave, medians } from './interleave.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const { values } = parseArgs({
  options: {
    model: { type: 'string', default: path.join(ROOT, 'server/models/tiny-gpt2') },
    tokens: { type: 'string', default: '16' },
    rounds: { type: 'string', default: '10' },
  },
});
const [tokens, rounds] = [Number(values.tokens), Number(values.rounds)];
const idsFrom = (first: number): number[] =>
  Array.from({ length: tokens }, (_, index) => (index * 37 + first) % 500);
const [clean, other] = [idsFrom(11), idsFrom(23)];

const server = await startServer('--model', values.model);
const model = new LanguageModel(path.basename(values.model), { url: server.url });
const { blocks } = await model.describe();

/** Its results are others. */
const UNLIKE = 'one session, nothing common';

interface Swept {
  readonly logits: readonly number[][];
  readonly requests: number;
  readonly segments: number;
}

const hiddenOf = (m: Trace, block: string) => m.get(block).output[0];
/** The last position's logits. */
const lastOf = (m: Trace): Saved<Tensor> => m.get('').output.at(0).slice(null, -1).save();
const numbersOf = ({ value }: Saved<Tensor>): number[] => Array.from(value.data, Number);

function swept(
  logits: readonly Saved<Tensor>[],
  reports: readonly Saved<RunReport>[],
  requests: number,
): Swept {
  const segments = reports.reduce((sum, { value }) => sum + value.segmentsRun, 0);
  return { logits: logits.map(numbersOf), requests, segments };
}

/** What the clean run has at each block's last position is saved, and sent back with each patched run. */
async function oneByOne(): Promise<Swept> {
  const first = await model.trace(clean, (m) => ({
    hidden: blocks.map((block) => hiddenOf(m, block).slice(null, -1).save()),
    report: m.report(),
  }));
  const logits: Saved<Tensor>[] = [];
  const reports = [first.report];
  for (const [k, block] of blocks.entries()) {
    const value = first.hidden[k]?.value;
    if (!value) throw new Error(`${block} gave nothing.`);
    const run = await model.trace(other, (m) => {
      hiddenOf(m, block).slice(null, -1).set(value);
      return { last: lastOf(m), report: m.report() };
    });
    logits.push(run.last);
    reports.push(run.report);
  }
  return swept(logits, reports, blocks.length + 1);
}

/** `promptOf`: of the run patched at the k-th block. */
async function inSession(promptOf: (k: number) => readonly number[], batch = false): Promise<Swept> {
  const { logits, reports } = await model.session({ batch }, (s) => {
    const first = s.trace(clean, (m) => ({
      hidden: blocks.map((block) => hiddenOf(m, block).slice(null, -1)),
      report: m.report(),
    }));
    const runs = blocks.map((block, k) =>
      s.trace(promptOf(k), (m) => {
        const hidden = first.hidden[k];
        if (hidden) hiddenOf(m, block).slice(null, -1).set(hidden);
        return { last: lastOf(m), report: m.report() };
      }),
    );
    return {
      logits: runs.map(({ last }) => last),
      // In one pass there is one report.
      reports: batch ? [first.report] : [first.report, ...runs.map(({ report }) => report)],
    };
  });
  return swept(logits, reports, 1);
}

const WAYS = {
  'one trace a request': oneByOne,
  [UNLIKE]: () => inSession((k) => [k, ...other.slice(1)]),
  'one session': () => inSession(() => other),
  'one session, batch: true': () => inSession(() => other, true),
};
const results = new Map<string, Swept>();
for (const [name, way] of Object.entries(WAYS)) results.set(name, await way());
const wanted = results.get('one trace a request')?.logits ?? [];
const timings = await interleave(
  Object.fromEntries(Object.entries(WAYS).map(([name, way]) => [name, async () => void (await way())])),
  rounds,
  { warmUp: 1, rest: 20 },
);
const medianOf = medians(timings);

/** The largest difference, of the largest number. */
function farthest({ logits }: Swept): number {
  const [a, b] = [wanted.flat(), logits.flat()];
  let [most, difference] = [0, 0];
  for (const [index, number] of a.entries()) {
    most = Math.max(most, Math.abs(number));
    difference = Math.max(difference, Math.abs(number - (b[index] ?? Number.NaN)));
  }
  return difference / most;
}

console.log(`${values.model}, ${cpus().length} cores (${cpus()[0]?.model.trim()}), Node ${process.version}`);
console.log(`a sweep over ${blocks.length} blocks, ${tokens} tokens; ${rounds} rounds in turn\n`);
console.log(
  '                            requests   parts run   median ms   ÷ one by one   farthest from one by one',
);
const base = medianOf('one trace a request');
for (const [name, result] of results) {
  const { requests, segments } = result;
  const columns = [
    String(requests).padStart(8),
    String(segments).padStart(12),
    medianOf(name).toFixed(1).padStart(12),
    (medianOf(name) / base).toFixed(2).padStart(15),
    (name === UNLIKE ? 'other prompts' : farthest(result).toExponential(1)).padStart(27),
  ];
  console.log(name.padEnd(28) + columns.join(''));
}
await model.close();
await server.stop();
