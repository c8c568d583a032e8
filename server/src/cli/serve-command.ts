/** `tracewire serve`: reads its options. */
import type { Command } from 'commander';
import { readConfig } from './config.ts';
import { type ServeOptions, serve } from './serve.ts';
import { addServeOptions } from './serve-options.ts';

export function addServe(parent: Command): void {
  const serving = parent
    .command('serve')
    .description('Loads models and listens for clients.')
    .argument('[models...]', 'the same as --model')
    .addHelpText('after', '\nExample:\n  $ tracewire serve ./gpt2 --port 8000');
  addServeOptions(serving)
    .option('--json', 'say where it listens as one line of JSON')
    .action(async (models: string[]) => {
      readConfig(serving);
      const options = serving.opts<ServeOptions>();
      await serve({ ...options, model: [...models, ...(options.model ?? [])] });
    });
}
