/** `tracewire bench`: a short look at how quick a server, or this machine, is: round trips, passes, stopped passes, bytes. */
import type { LanguageModel } from '@tracewire/client';
import type { Command } from 'commander';
import { addModelOptions, type ModelOptions, withModel } from './model-option.ts';
import { writeJson, writeTable } from './output.ts';
import { wholeNumber } from './whole-number.ts';

const number = wholeNumber(/^[1-9]\d{0,4}$/, '1 to 99999');

interface BenchOptions extends ModelOptions {
  readonly rounds: number;
  readonly tokens: number;
  readonly json?: boolean;
}

/** Milliseconds, but for bytes. */
interface Measured {
  readonly what: string;
  readonly median: number;
  readonly best: number;
  readonly worst: number;
  readonly megabytesPerSecond?: number;
}

export function addBench(parent: Command): void {
  const command = parent
    .command('bench')
    .description(
      'Measures a model for a few seconds: round trip, a whole pass, a stopped one, bytes that come back.',
    )
    .option('--rounds <number>', 'how often each thing is measured', number, 10)
    .option('--tokens <number>', 'tokens in the prompt', number, 32)
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  $ tracewire bench gpt2 --url ws://127.0.0.1:7331 --tokens 128');
  addModelOptions(command).action(async (name: string, options: BenchOptions) => {
    const measured = await withModel(name, options, (model) => measure(model, options));
    if (options.json) return writeJson(measured);
    writeTable([
      ['', 'median', 'best', 'worst'],
      ...measured.map(({ what, median, best, worst, megabytesPerSecond: rate }) => [
        rate === undefined ? what : `${what}, ${rate.toFixed(0)} MB/s`,
        ...[median, best, worst].map((value) => `${value.toFixed(1)} ms`),
      ]),
    ]);
  });
}

async function measure(model: LanguageModel, { rounds, tokens }: BenchOptions): Promise<Measured[]> {
  const { blocks, contextLength = tokens, vocabularySize = 2 } = await model.describe();
  const ids = Array.from(
    { length: Math.min(tokens, contextLength) },
    (_, index) => (7 * index + 1) % vocabularySize,
  );
  const [first = ''] = blocks;
  const bytes: number[] = [];
  const works: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['round trip (tokenizer)', () => model.tokenizer.encode('a')],
    [
      `whole pass, ${ids.length} tokens`,
      () => model.trace(ids, (m) => m.output[0].slice(0, -1).argmax(-1).save()),
    ],
    [
      `stopped after ${first}`,
      () =>
        model.trace(ids, (m) => {
          const saved = m.get(first).output[0].mean().save();
          m.get(first).output.stop();
          return saved;
        }),
    ],
    [
      'whole pass, all logits back',
      async () => {
        const logits = await model.trace(ids, (m) => m.output[0].save());
        bytes.push(logits.value.data.byteLength);
      },
    ],
  ];
  const measured: Measured[] = [];
  for (const [what, work] of works) measured.push({ what, ...(await timesOf(work, rounds)) });
  const [, pass, , all] = measured;
  if (!pass || !all) return measured;
  const seconds = Math.max((all.median - pass.median) / 1000, 1e-6);
  return [...measured.slice(0, -1), { ...all, megabytesPerSecond: (bytes[0] ?? 0) / 1e6 / seconds }];
}

/** The first time, with what must be loaded and planned, doesn't count. */
async function timesOf(work: () => Promise<unknown>, rounds: number): Promise<Omit<Measured, 'what'>> {
  await work();
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const begun = performance.now();
    await work();
    times.push(performance.now() - begun);
  }
  times.sort((a, b) => a - b);
  return {
    median: times[Math.floor(times.length / 2)] ?? 0,
    best: times[0] ?? 0,
    worst: times.at(-1) ?? 0,
  };
}
