/**
 * The parity report: every module of every model of the matrix against PyTorch.
 *
 *     npm run parity -- --models DIR [--only NAME …] [--write docs/PARITY.md]
 *
 * The exit code is 1 if a module disagrees, a model can't be loaded, or a corruption goes unnoticed.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { compareModel } from './compare.ts';
import { cutToleranceOf, type Entry, readEntries, toleranceOf } from './entries.ts';
import { isSound, type Judged, type Result, reportOf, summaryOf } from './report.ts';

const { values } = parseArgs({
  options: {
    models: { type: 'string' },
    only: { type: 'string', multiple: true },
    write: { type: 'string' },
  },
});
if (values.models === undefined) throw new Error('Say where the models are: npm run parity -- --models DIR');

const results: Judged[] = [];
for (const entry of readEntries(values.models, values.only ?? [])) {
  const judged = { entry, result: await resultOf(entry, values.models) };
  results.push(judged);
  console.log(summaryOf(judged));
}
if (values.write !== undefined) writeFileSync(values.write, reportOf(results));
process.exitCode = results.every(isSound) ? 0 : 1;

async function resultOf(entry: Entry, folder: string): Promise<Result> {
  if (entry.failed !== undefined) return entry.failed;
  const home = path.join(folder, entry.architecture);
  try {
    return await compareModel(
      path.join(home, entry.variant),
      path.join(home, 'reference.safetensors'),
      toleranceOf(entry),
      cutToleranceOf(entry),
    );
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
