/**
 * `npm run bench:generate`: milliseconds a token of a generation against a loop over the whole model in bare ONNX Runtime,
 * measured in turn. `--model FOLDER` for another model than tiny-gpt2, `--tokens`, `--rounds`.
 */
import { cpus } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LanguageModel } from '@tracewire/client';
import { startServer } from '../../docs/examples/start-server.ts';
import { loadBareGenerator } from './bare-generate.ts';
import { interleave, medians } from './interleave.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const { values } = parseArgs({
  options: {
    model: { type: 'string', default: path.join(ROOT, 'server/models/tiny-gpt2') },
    tokens: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '20' },
  },
});
const [maxNewTokens, rounds] = [Number(values.tokens), Number(values.rounds)];
const prompt = Array.from({ length: 12 }, (_, index) => (index * 37 + 11) % 500);
const options = { maxNewTokens, stopTokens: [] };

const server = await startServer('--model', values.model);
const remote = new LanguageModel(path.basename(values.model), { url: server.url });
const bare = await loadBareGenerator(values.model);
const asleep = await loadBareGenerator(values.model, false);
const { blocks } = await remote.describe();
const block = blocks[blocks.length >> 1] ?? '';

const wanted = await bare.run(prompt, maxNewTokens);
const { tokens, steps } = await remote.generate(prompt, options);
if (wanted.join() !== tokens.join()) throw new Error('The two generate different tokens.');

const timings = await interleave(
  {
    bare: () => bare.run(prompt, maxNewTokens),
    'bare, its threads asleep between passes': () => asleep.run(prompt, maxNewTokens),
    'generate, no hooks': async () => void (await remote.generate(prompt, options)),
    'generate, a block saved in every step': async () =>
      void (await remote.generate(prompt, options, (m) => m.all().get(block).output[0].save())),
    'generate, a vector added in every step': async () =>
      void (await remote.generate(prompt, options, (m) => {
        const place = m.all().get(block).output[0];
        place.set(place.add(0.01));
      })),
    'the passes alone, no hooks': async () => {
      const { saved } = await remote.generate(prompt, options, (m) => m.report());
      return saved.value.milliseconds;
    },
  },
  rounds,
  { warmUp: 2, rest: 20 },
);
const medianOf = medians(timings);
console.log(`${values.model}, ${cpus().length} cores (${cpus()[0]?.model.trim()}), Node ${process.version}`);
console.log(`${rounds} rounds in turn of ${maxNewTokens} tokens behind ${prompt.length}; ${steps} passes\n`);
console.log('                                          ms a token   ÷ bare');
for (const name of timings.keys()) {
  const ratio = (medianOf(name) / medianOf('bare')).toFixed(2);
  console.log(
    `  ${name.padEnd(40)}${(medianOf(name) / maxNewTokens).toFixed(2).padStart(10)}${ratio.padStart(9)}`,
  );
}
await bare.release();
await asleep.release();
await remote.close();
await server.stop();
