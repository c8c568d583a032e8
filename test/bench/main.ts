/**
 * `npm run bench`: what a trace costs against bare ONNX Runtime, and what an early stop saves. Ratios of medians,
 * measured in turn in one run. `--model FOLDER` for another model than tiny-gpt2, `--tokens`, `--rounds`.
 */
import { cpus } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LanguageModel } from '@tracewire/client';
import { startServer } from '../../docs/examples/start-server.ts';
import { loadBare } from './bare.ts';
import { interleave, median, quantile, type Timing } from './interleave.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: path.join(ROOT, 'server/models/tiny-gpt2') },
    tokens: { type: 'string', default: '10,100' },
    rounds: { type: 'string', default: '60' },
    threads: { type: 'string', default: '0' },
  },
});
const threads = Number(options.threads);
const rounds = Number(options.rounds);

const server = await startServer('--model', options.model, '--threads', options.threads);
const model = new LanguageModel(path.basename(options.model), { url: server.url });
const local = new LanguageModel(options.model, { remote: false });
const { blocks } = await model.describe();
const first = blocks[0];
if (first === undefined) throw new Error('The model has no blocks.');
const logitsModule = 'lm_head';

console.log(`${options.model}, ${cpus().length} cores (${cpus()[0]?.model.trim()}), Node ${process.version}`);
console.log(`${rounds} rounds in turn; threads: ${threads === 0 ? 'the runtime’s choice' : threads}\n`);

for (const tokens of options.tokens.split(',').map(Number)) {
  const ids = Array.from({ length: tokens }, (_, index) => (index * 37 + 11) % 500);
  const bare = await loadBare(options.model, ids, threads);
  const timings = await interleave(
    {
      'bare session.run, logits fetched': () => bare.run(),
      'remote trace, last logits saved': () =>
        model.trace(ids, (m) => m.get(logitsModule).output.slice(0, -1).save()),
      'remote trace, all logits saved': () => model.trace(ids, (m) => m.get(logitsModule).output.save()),
      'remote trace, every block saved': () =>
        model.trace(ids, (m) => blocks.map((block) => m.get(block).output[0].save())),
      'remote trace, stop after block 0': () =>
        model.trace(ids, (m) => {
          const saved = m.get(first).output[0].save();
          m.get(first).output.stop();
          return saved;
        }),
      'local trace, all logits saved': () => local.trace(ids, (m) => m.get(logitsModule).output.save()),
    },
    rounds,
  );
  report(tokens, timings);
  await passOnly(ids);
  await bare.release();
}
await model.close();
await local.close();
await server.stop();

function report(tokens: number, timings: ReadonlyMap<string, Timing>): void {
  const base = timings.get('bare session.run, logits fetched');
  if (!base) return;
  console.log(`${tokens} tokens                              median ms   p90 ms   ÷ bare`);
  for (const timing of timings.values()) {
    const columns = [
      median(timing).toFixed(2),
      quantile(timing, 0.9).toFixed(2),
      (median(timing) / median(base)).toFixed(2),
    ];
    console.log(`  ${timing.name.padEnd(36)}${columns.map((column) => column.padStart(9)).join('')}`);
  }
}

/** The server's own time of the pass, without the wire: what the early stop saves of the computing. */
async function passOnly(ids: readonly number[]): Promise<void> {
  const seconds = new Map<string, number[]>([
    ['full', []],
    ['stopped', []],
  ]);
  for (let round = 0; round < rounds; round++) {
    const full = await model.trace(
      ids,
      (m) => [m.get(logitsModule).output.slice(0, -1).save(), m.report()] as const,
    );
    const stopped = await model.trace(ids, (m) => {
      m.get(first ?? '').output.stop();
      return [m.get(first ?? '').output[0].save(), m.report()] as const;
    });
    seconds.get('full')?.push(full[1].value.milliseconds);
    seconds.get('stopped')?.push(stopped[1].value.milliseconds);
  }
  const middle = (name: string): number =>
    (seconds.get(name) ?? []).sort((a, b) => a - b)[rounds >> 1] ?? Number.NaN;
  const [full, stopped] = [middle('full'), middle('stopped')];
  console.log(
    `  the pass alone, in the host: full ${full.toFixed(2)} ms, stopped after ${first} ${stopped.toFixed(2)} ms: ${(stopped / full).toFixed(3)} of it\n`,
  );
}
