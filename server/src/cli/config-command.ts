/** `tracewire config`: what serve would be given, and by what. */
import type { Command } from 'commander';
import { formatSettings, readConfig, settingsOf } from './config.ts';
import { writeJson } from './output.ts';
import { addServeOptions } from './serve-options.ts';

export function addConfig(parent: Command): void {
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
    if (json) return writeJson(settings);
    process.stdout.write(formatSettings(settings));
  });
}
