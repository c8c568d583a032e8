#!/usr/bin/env node
/** The command line `tracewire`: prints faults, and leaves each command to its own file. */
import { type ErrorBody, TracewireError } from '@tracewire/protocol';
import { Command, CommanderError } from 'commander';
import { VERSION } from '../version.ts';
import { addBench } from './bench.ts';
import { addCompletions } from './completions.ts';
import { addConfig } from './config-command.ts';
import { addConformance } from './conformance-command.ts';
import { addDoctor } from './doctor-command.ts';
import { addExplain } from './explain.ts';
import { addKeys } from './keys.ts';
import { addLens } from './lens.ts';
import { addModels } from './models.ts';
import { addPull } from './pull.ts';
import { addServe } from './serve-command.ts';
import { addStatus } from './status.ts';
import { addTrace } from './trace.ts';
import { addTree } from './tree.ts';
import { addTypes } from './types.ts';

/** Options that can't be meant. */
const USAGE = 2;
const FAILURE = 1;

/** In the order of the help. */
const COMMANDS: readonly ((parent: Command) => void)[] = [
  addServe,
  addPull,
  addModels,
  addStatus,
  addTree,
  addTypes,
  addTrace,
  addLens,
  addKeys,
  addConfig,
  addDoctor,
  addExplain,
  addBench,
  addConformance,
  addCompletions,
];

function program(): Command {
  const command = new Command('tracewire')
    .description('Serves ONNX transformer models for remote tracing, and traces them.')
    .version(VERSION)
    .exitOverride();
  for (const add of COMMANDS) add(command);
  return command;
}

/** The exit code; Commander has printed its own faults already. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  if (error instanceof TracewireError) {
    // A trace's errors have lines, which are this program's own and tell nobody anything.
    const { errors = [error] } = error as { errors?: readonly { readonly body: ErrorBody }[] };
    if (process.argv.includes('--json'))
      process.stderr.write(`${JSON.stringify({ errors: errors.map(({ body }) => body) })}\n`);
    else printForPeople(error, errors);
    return error.code === 'bad_configuration' || error.code === 'unknown_option' ? USAGE : FAILURE;
  }
  process.stderr.write(`tracewire: ${error instanceof Error ? error.stack : String(error)}\n`);
  return FAILURE;
}

function printForPeople(
  { code, page, body }: TracewireError,
  errors: readonly { readonly body: ErrorBody }[],
): void {
  const lines = new Set(errors.map((one) => `tracewire: ${one.body.code}: ${one.body.message}\n`));
  for (const line of lines) process.stderr.write(line);
  for (let { cause } = body; cause; cause = cause.cause)
    process.stderr.write(`  because: ${cause.code}: ${cause.message}\n`);
  if (page) process.stderr.write(`  see ${page}, or: tracewire explain ${code}\n`);
}

try {
  await program().parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
