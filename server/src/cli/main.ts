#!/usr/bin/env node
import { TracewireError } from '@tracewire/protocol';
/** The command line `tracewire`: reads options, prints faults, and leaves the work to the command's own file. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { defaultCache } from '../cache-folder.ts';
import { DEFAULT_MODEL } from '../gateway/models.ts';
import { VERSION } from '../version.ts';
import type { ConformanceOptions } from './conformance.ts';
import { addKeys } from './keys.ts';
import { LOG_LEVELS } from './logger.ts';
import { type ServeOptions, serve } from './serve.ts';
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
  addTree(command);
  addConformance(command);
  addKeys(command);
  return command;
}

function addServe(parent: Command): void {
  parent
    .command('serve')
    .description('Loads models and listens for clients.')
    .argument('[models...]', 'the same as --model')
    .option(
      '-m, --model <model>',
      'a model folder, NAME=FOLDER, or the embedded tiny-gpt2 (repeatable; default: tiny-gpt2)',
      collect,
    )
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('-p, --port <number>', 'port to listen on; 0 takes any free one', portNumber, 7331)
    .option('--cache <folder>', 'folder for prepared models', defaultCache())
    .option('--threads <number>', 'threads an operator may use; 0 lets the runtime choose', count, 0)
    .addOption(new Option('--provider <name>', 'what runs the model').choices(['cpu', 'cuda']).default('cpu'))
    .option('--keys [file]', 'ask for keys, of this file or the one that `tracewire keys` uses')
    .option('--no-keys', 'ask for no keys, though others can reach the server')
    .option('--allow-host <name>', 'another name that clients may call the server by (repeatable)', collect)
    .option('--allow-origin <origin>', 'web pages of this origin may use the server (repeatable)', collect)
    .option(
      '--trust-proxy',
      'take a client’s address from X-Forwarded-For, as our own proxy writes it',
      false,
    )
    .option('--tls-cert <file>', 'certificate chain in PEM form, for wss://')
    .option('--tls-key <file>', 'its private key in PEM form')
    .addOption(new Option('--log-level <level>', 'how much to log').choices(LOG_LEVELS))
    .action((models: string[], options: ServeOptions) =>
      serve({ ...options, model: [...models, ...(options.model ?? [])] }),
    );
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

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

function count(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('A whole number from 0 to 9999 is wanted.');
  return Number(text);
}

function portNumber(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError('A whole number from 0 to 65535 is wanted.');
  return port;
}

/** The exit code; Commander has printed its own faults already. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  if (error instanceof TracewireError) {
    process.stderr.write(`tracewire: ${error.code}: ${error.message}\n`);
    for (let { cause } = error.body; cause; cause = cause.cause) {
      process.stderr.write(`  because: ${cause.code}: ${cause.message}\n`);
    }
    return error.code === 'bad_configuration' ? USAGE : FAILURE;
  }
  process.stderr.write(`tracewire: ${error instanceof Error ? error.stack : String(error)}\n`);
  return FAILURE;
}

try {
  await program().parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
