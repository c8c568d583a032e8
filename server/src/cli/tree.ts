/** `tracewire tree`: a model's modules with what each takes and gives, and where a hook can't fire. */
import { resolve } from 'node:path';
import { type ModelDescription, nearest, printTree, TracewireError } from '@tracewire/protocol';
import type { Command } from 'commander';
import { defaultCache } from '../cache-folder.ts';
import { DEFAULT_LIMITS } from '../gateway/limits.ts';
import { DEFAULT_MODEL, resolveModel } from '../gateway/models.ts';
import { createLogger } from './logger.ts';
import { loadingProgress } from './progress.ts';

interface TreeOptions {
  readonly cache: string;
  /** The description as data instead. */
  readonly json: boolean;
  readonly sources: boolean;
  readonly module?: string;
}

export function addTree(parent: Command): void {
  parent
    .command('tree')
    .description('Shows a model’s modules: what each takes and gives, and where a hook can’t fire.')
    .argument('[model]', 'a model folder, NAME=FOLDER, or the embedded tiny-gpt2', DEFAULT_MODEL)
    .option('--module <path>', 'this module and what is inside it alone')
    .option('--sources', 'list the values that each module makes on its way', false)
    .option('--json', 'the whole description as JSON', false)
    .option('--cache <folder>', 'folder for prepared models', defaultCache())
    .addHelpText('after', '\nExample:\n  $ tracewire tree ./gpt2 --module transformer.h.0 --sources')
    .action(tree);
}

/** Throws `model_not_found`, `model_invalid`, `model_unsupported` or `unknown_module`. */
async function tree(model: string, options: TreeOptions): Promise<void> {
  const { name, folder } = resolveModel(model);
  const terminal = process.stderr.isTTY === true;
  // Only what is to be shown needs the runtime in memory.
  const { Engine } = await import('../engine/engine.ts');
  const show = loadingProgress(name, terminal, createLogger(terminal, 'warn'));
  const description = await Engine.describe(
    {
      name,
      folder,
      cache: resolve(options.cache),
      provider: 'cpu',
      threads: 0,
      savedBytes: DEFAULT_LIMITS.savedBytes,
      intermediateBytes: DEFAULT_LIMITS.savedBytes,
    },
    (phase, done, total) => show({ phase, done, total }),
  );
  if (options.module !== undefined) mustHave(description, options.module);
  const text = options.json
    ? JSON.stringify(description, null, 2)
    : printTree(description, {
        ...options,
        color: process.stdout.isTTY === true && !process.env['NO_COLOR'],
      });
  process.stdout.write(`${text}\n`);
}

function mustHave({ name, modules }: ModelDescription, path: string): void {
  if (modules.some((module) => module.path === path || module.path.startsWith(`${path}.`))) return;
  const near = nearest(
    path,
    modules.map((module) => module.path),
  );
  const message = `${name} has no module ${JSON.stringify(path)}.${near ? ` Did you mean ${near}?` : ''}`;
  throw new TracewireError({ code: 'unknown_module', message, path, nearest: near });
}
