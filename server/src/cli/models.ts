/** `tracewire models`: what a server serves, or what there is on this machine to serve. */
import type { Command } from 'commander';
import { localModels } from '../gateway/models.ts';
import type { ServerOptions } from './http.ts';
import { addServerOptions } from './model-option.ts';
import { writeJson, writeTable } from './output.ts';
import { statusOf } from './status.ts';

export function addModels(parent: Command): void {
  const command = parent
    .command('models')
    .description('Lists a server’s models with --url; else those of this machine: embedded, and pulled.')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  $ tracewire models --url ws://127.0.0.1:7331');
  addServerOptions(command).action(({ url, key, json }: Partial<ServerOptions> & { json?: boolean }) =>
    url === undefined ? listLocal(json) : listServed({ url, ...(key === undefined ? {} : { key }) }, json),
  );
}

async function listServed(server: ServerOptions, json: boolean | undefined): Promise<void> {
  const { models } = await statusOf(server);
  const listed = models.map(({ name, architecture, loaded }) => ({ name, architecture, loaded }));
  if (json) return writeJson(listed);
  writeTable([
    ['model', 'architecture', 'weights'],
    ...listed.map(({ name, architecture, loaded }) => [name, architecture, loaded ? 'loaded' : 'on disk']),
  ]);
}

function listLocal(json: boolean | undefined): void {
  const models = localModels();
  if (json) return writeJson(models);
  writeTable([['model', 'folder'], ...models.map(({ name, folder }) => [name, folder])]);
}
