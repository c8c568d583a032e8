#!/usr/bin/env node
import { TracewireError } from '@tracewire/protocol';
/** The command line `tracewire`: reads options, prints faults, and leaves the work to the command's own file. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { defaultCache } from '../cache-folder.ts';
import { VERSION } from '../version.ts';
import { LOG_LEVELS } from './logger.ts';
import { type ServeOptions, serve } from './serve.ts';

/** Options that can't be meant. */
const USAGE = 2;
const FAILURE = 1;

function program(): Command {
  const command = new Command('tracewire')
    .description('Serves ONNX transformer models for remote tracing.')
    .version(VERSION)
    .exitOverride();
  addServe(command);
  return command;
}

function addServe(parent: Command): void {
  parent
    .command('serve')
    .description('Loads models and listens for clients.')
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
    .option('--allow-anonymous', 'listen beyond this machine without asking for keys', false)
    .addOption(new Option('--log-level <level>', 'how much to log').choices(LOG_LEVELS))
    .action((options: ServeOptions) => serve(options));
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
