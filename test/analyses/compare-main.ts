/**
 * Compares the analyses with PyTorch's numbers, on a model folder, and prints a table:
 *
 *     npm run analyses -- smollm2-135m FOLDER [how many prompt sets]
 */
import { LanguageModel } from '@tracewire/client';
import {
  type Comparison,
  compareInduction,
  compareOthers,
  comparePatching,
  readAnalyses,
} from '../support/analyses.ts';
import { TINY_GPT2 } from '../support/server.ts';

const [name = 'tiny-gpt2', folder = TINY_GPT2, sets = '3'] = process.argv.slice(2);
const all = readAnalyses(name);
const reference = { ...all, patching: all.patching.slice(0, Number(sets)) };
const model = new LanguageModel(folder, { remote: false });
const print = ({ what, numbers, largest, difference }: Comparison): void =>
  console.log(`| ${what} | ${numbers} | ${largest.toPrecision(3)} | ${difference.toExponential(1)} |`);
console.log('| analysis | numbers | largest | largest difference |');
console.log('| --- | --- | --- | --- |');
print(await compareInduction(model, reference));
for (const comparison of await compareOthers(model, reference)) print(comparison);
for (const comparison of await comparePatching(model, reference)) print(comparison);
await model.close();
