/** `tracewire pull`: a model from the Hugging Face hub, or a mirror, to this machine. */
import { join, resolve } from 'node:path';
import { TracewireError } from '@tracewire/protocol';
import { type Command, Option } from 'commander';
import { pulledModels } from '../cache-folder.ts';
import { isHubName } from '../gateway/models.ts';
import { writeJson } from './output.ts';

interface PullOptions {
  readonly revision: string;
  readonly onnx?: string;
  readonly hub: string;
  readonly out?: string;
  readonly update?: boolean;
  readonly json?: boolean;
}

const ERASE = '\r\u001b[K';
const EVERY_MS = 100;

export function addPull(parent: Command): void {
  parent
    .command('pull')
    .description(
      'Fetches a model from the Hugging Face hub or a mirror, once. Goes on where it was broken off.',
    )
    .argument('<repository>', 'OWNER/NAME, of a model that has been exported to ONNX')
    .option('--revision <name>', 'a branch, tag or commit', 'main')
    .option('--onnx <file>', 'the model’s file, where there are several, as onnx/model_fp16.onnx')
    .option('--update', 'ask the hub though the model is here')
    .option('-o, --out <folder>', 'the folder to make (default: where serve finds it by its name)')
    .addOption(
      new Option('--hub <address>', 'the hub, or a mirror')
        .env('HF_ENDPOINT')
        .default('https://huggingface.co'),
    )
    .option('--json', 'what was pulled as JSON')
    .addHelpText(
      'after',
      '\nHF_TOKEN is sent to the hub for private models.\n\nExample:\n  $ tracewire pull onnx-community/SmolLM2-135M-ONNX && tracewire serve onnx-community/SmolLM2-135M-ONNX',
    )
    .action(run);
}

async function run(repository: string, options: PullOptions): Promise<void> {
  if (!isHubName(repository))
    throw fault(`A model of the hub is called OWNER/NAME, not ${JSON.stringify(repository)}.`);
  const { pull } = await import('./pull/install.ts');
  const terminal = process.stderr.isTTY === true;
  const pulled = await pull({
    hub: { address: hubAddress(options.hub), token: process.env['HF_TOKEN'] || undefined },
    repository,
    revision: options.revision,
    onnx: options.onnx,
    folder: options.out === undefined ? join(pulledModels(), repository) : resolve(options.out),
    update: options.update === true,
    progress: terminal ? progressLine() : () => undefined,
  }).finally(() => terminal && process.stderr.write(ERASE));
  if (options.json) return writeJson(pulled);
  const { fetched, folder, files } = pulled;
  const megabytes = files.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
  process.stdout.write(
    `${repository}: ${files.length} files, ${megabytes.toFixed(1)} MB, ${fetched ? 'now' : 'already'} in ${folder}\n`,
  );
  const name = options.out === undefined ? repository : options.out;
  process.stdout.write(`Serve it with: tracewire serve ${name}\n`);
}

function progressLine(): (done: number, total: number, file: string) => void {
  let shown = 0;
  return (done, total, file) => {
    const now = performance.now();
    if (now - shown < EVERY_MS) return;
    shown = now;
    process.stderr.write(`${ERASE}${(done / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB  ${file}`);
  };
}

function hubAddress(text: string): string {
  if (/^https?:\/\/./.test(text) && URL.canParse(text)) return text.replace(/\/+$/, '');
  throw fault(`The hub’s address is ${JSON.stringify(text)}; wanted one such as https://huggingface.co.`);
}

function fault(message: string): TracewireError {
  return new TracewireError({ code: 'bad_configuration', message });
}
