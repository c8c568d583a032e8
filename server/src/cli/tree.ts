/** `tracewire tree`: a model's modules with what each takes and gives, and where a hook can't fire. */
import { resolve } from 'node:path';
import { type ModelDescription, nearest, printTree, TracewireError } from '@tracewire/protocol';
import { DEFAULT_LIMITS } from '../gateway/limits.ts';
import { resolveModel } from '../gateway/models.ts';
import { createLogger } from './logger.ts';
import { loadingProgress } from './progress.ts';

export interface TreeOptions {
  readonly cache: string;
  /** The description as data instead. */
  readonly json: boolean;
  readonly sources: boolean;
  readonly module?: string;
}

/** Throws `model_not_found`, `model_invalid`, `model_unsupported` or `unknown_module`. */
export async function tree(model: string, options: TreeOptions): Promise<void> {
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
