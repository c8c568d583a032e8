/** The model that a command is about: one that a server serves, with `--url`, or a folder that runs in this process. */
import type { LanguageModel } from '@tracewire/client';
import { type Command, Option } from 'commander';
import { defaultCache } from '../cache-folder.ts';
import { DEFAULT_MODEL, resolveModel } from '../gateway/models.ts';

export const DEFAULT_URL = 'ws://127.0.0.1:7331';

export interface ModelOptions {
  /** A server's address; without it the model runs here. */
  readonly url?: string;
  readonly key?: string;
  readonly cache: string;
}

/** `[model]` and where it is. */
export function addModelOptions(command: Command): Command {
  return addServerOptions(
    command.argument(
      '[model]',
      'the name of a server’s model with --url; else a folder, NAME=FOLDER, or the embedded tiny-gpt2',
      DEFAULT_MODEL,
    ),
  ).option('--cache <folder>', 'folder for prepared models, without --url', defaultCache());
}

/** A server, and the key it wants. */
export function addServerOptions(command: Command): Command {
  return command
    .addOption(new Option('--url <address>', 'a server, ws://HOST:PORT').env('TRACEWIRE_URL'))
    .addOption(new Option('--key <key>', 'the key that the server wants').env('TRACEWIRE_KEY'));
}

/** Calls `use` with the model, and closes it. Rejects as `use` does, or with why there is no such model. */
export async function withModel<T>(
  name: string,
  { url, key, cache }: ModelOptions,
  use: (model: LanguageModel) => Promise<T>,
): Promise<T> {
  const model = url === undefined ? await localModel(name, cache) : await remoteModel(name, url, key);
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

/** Commands that ask nobody need no client in memory, and those that ask a server no runtime. */
async function remoteModel(name: string, url: string, key: string | undefined): Promise<LanguageModel> {
  const { LanguageModel } = await import('@tracewire/client');
  return new LanguageModel(name, { url, key });
}

async function localModel(model: string, cache: string): Promise<LanguageModel> {
  const { name } = resolveModel(model);
  const [{ LanguageModel }, { openLocal }] = await Promise.all([
    import('@tracewire/client'),
    import('../local.ts'),
  ]);
  return new LanguageModel(name, { connect: () => openLocal({ model, cache }) });
}
