#!/usr/bin/env node
/** The command line `tracewire`: reads options, prints faults, and leaves the work to the command's own file. */
import { TracewireError } from '@tracewire/protocol';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { defaultCache } from '../cache-folder.ts';
import { DEFAULT_MODEL } from '../gateway/models.ts';
import { VERSION } from '../version.ts';
import { formatSettings, readConfig, settingsOf } from './config.ts';
import type { ConformanceOptions } from './conformance.ts';
import { addKeys } from './keys.ts';
import { type ServeOptions, serve } from './serve.ts';
import { addServeOptions } from './serve-options.ts';
import { type TreeOptions, tree } from './tree.ts';

/** Options that can't be meant. */
const USAGE = 2;
const FAILURE = 1;

function program(): Command {
  const command = new Command('tracewire')
    .description('Serves ONNX transformer models for remote tracing.')
    .version(VERSION)
    .exitOverride();
  addServe(command);
  addConfig(command);
  addTree(command);
  addConformance(command);
  addKeys(command);
  return command;
}

function addServe(parent: Command): void {
  const serving = parent
    .command('serve')
    .description('Loads models and listens for clients.')
    .argument('[models...]', 'the same as --model')
    .addHelpText('after', '\nExample:\n  $ tracewire serve ./gpt2 --port 8000');
  addServeOptions(serving).action(async (models: string[]) => {
    readConfig(serving);
    const options = serving.opts<ServeOptions>();
    await serve({ ...options, model: [...models, ...(options.model ?? [])] });
  });
}

function addConfig(parent: Command): void {
  const config = parent
    .command('config')
    .description(
      'Shows the options that serve would take, and where each value comes from. Takes serve’s options.',
    )
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  $ TRACEWIRE_PORT=8000 tracewire config --config tracewire.json');
  addServeOptions(config).action(({ json }: { json?: boolean }) => {
    readConfig(config);
    const settings = settingsOf(config).filter(({ name }) => name !== 'json');
    process.stdout.write(json ? `${JSON.stringify(settings, undefined, 2)}\n` : formatSettings(settings));
  });
}

function addTree(parent: Command): void {
  parent
    .command('tree')
    .description('Shows a model’s modules: what each takes and gives, and where a hook can’t fire.')
    .argument('[model]', 'a model folder, NAME=FOLDER, or the embedded tiny-gpt2', DEFAULT_MODEL)
    .option('--module <path>', 'this module and what is inside it alone')
    .option('--sources', 'list the values that each module makes on its way', false)
    .option('--json', 'the whole description as JSON', false)
    .option('--cache <folder>', 'folder for prepared models', defaultCache())
    .action((model: string, options: TreeOptions) => tree(model, options));
}

function addConformance(parent: Command): void {
  parent
    .command('conformance')
    .description('Judges any server, or with --client any client program, by the protocol’s requirements.')
    .argument('[address]', 'the server, ws://HOST:PORT')
    .option('--client <command>', 'test a client program instead, which a shell starts once a case')
    .option('-m, --model <name>', 'one of the server’s models (default: its first)')
    .addOption(new Option('--key <key>', 'the key that the server wants').env('TRACEWIRE_KEY'))
    .addOption(new Option('--other-key <key>', 'a second key').env('TRACEWIRE_OTHER_KEY'))
    .option('--only <ids>', 'cases and requirements, with commas between them', commaList)
    .option('--expected-failures <file>', 'ids of cases that may fail, one a line; # begins a comment')
    .option('--json <file>', 'write the results as JSON')
    .option('--junit <file>', 'write the results as JUnit XML')
    .option('--timeout-ms <number>', 'how long a case waits for each thing', milliseconds, 10_000)
    .action(async (address: string | undefined, options: ConformanceOptions) => {
      // Nobody who serves models needs the suite in memory.
      const { conformance } = await import('./conformance.ts');
      process.exitCode = (await conformance(address, options)) ? 0 : FAILURE;
    });
}

function commaList(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}

function milliseconds(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError('A number of milliseconds is wanted.');
  return Number(text);
}

/** The exit code; Commander has printed its own faults already. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  if (error instanceof TracewireError) {
    process.stderr.write(`tracewire: ${error.code}: ${error.message}\n`);
    for (let { cause } = error.body; cause; cause = cause.cause) {
      process.stderr.write(`  because: ${cause.code}: ${cause.message}\n`);
    }
    return error.code === 'bad_configuration' || error.code === 'unknown_option' ? USAGE : FAILURE;
  }
  process.stderr.write(`tracewire: ${error instanceof Error ? error.stack : String(error)}\n`);
  return FAILURE;
}

try {
  await program().parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
