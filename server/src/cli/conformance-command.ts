/** `tracewire conformance`: reads its options. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ConformanceOptions } from './conformance.ts';

export function addConformance(parent: Command): void {
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
    .option(
      '--json [file]',
      'write the results as JSON, to standard output in place of the text or to a file',
    )
    .option('--junit <file>', 'write the results as JUnit XML')
    .option('--timeout-ms <number>', 'how long a case waits for each thing', milliseconds, 10_000)
    .addHelpText('after', '\nExample:\n  $ tracewire conformance ws://127.0.0.1:7331 --only R-101')
    .action(async (address: string | undefined, options: ConformanceOptions) => {
      // Nobody who serves models needs the suite in memory.
      const { conformance } = await import('./conformance.ts');
      process.exitCode = (await conformance(address, options)) ? 0 : 1;
    });
}

function commaList(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}

function milliseconds(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError('A number of milliseconds is wanted.');
  return Number(text);
}
