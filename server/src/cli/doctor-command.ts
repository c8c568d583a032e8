/** `tracewire doctor`: what would work here, and what would not. */
import type { Command } from 'commander';
import { readConfig } from './config.ts';
import type { DoctorOptions } from './doctor.ts';
import { addServeOptions } from './serve-options.ts';

export function addDoctor(parent: Command): void {
  const examined = parent
    .command('doctor')
    .description(
      'Says what works on this machine, tried with the options that serve would have. Takes those.',
    )
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  $ tracewire doctor --provider cuda');
  addServeOptions(examined).action(async () => {
    readConfig(examined);
    // Nobody who serves models needs it in memory.
    const { doctor } = await import('./doctor.ts');
    process.exitCode = (await doctor(examined.opts<DoctorOptions>())) ? 0 : 1;
  });
}
