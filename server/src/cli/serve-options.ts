/** The options of `tracewire serve`: each can also be an environment variable, or a line of the configuration file. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { defaultCache } from '../cache-folder.ts';
import { GRACE_MS, RESULT_DISK_BYTES } from '../gateway/limits.ts';
import { BATCHING } from '../gateway/sharing.ts';
import { LOG_LEVELS } from './logger.ts';
import { wholeNumber } from './whole-number.ts';

const count = wholeNumber(/^\d{1,4}$/, '0 to 9999');

export function addServeOptions(command: Command): Command {
  for (const option of options()) command.addOption(option.env(variableOf(option)));
  return command.addOption(
    new Option('-c, --config <file>', 'a JSON file with options by their long names').env('TRACEWIRE_CONFIG'),
  );
}

/** `--allow-host` is TRACEWIRE_ALLOW_HOST. */
function variableOf(option: Option): string {
  return `TRACEWIRE_${option.name().toUpperCase().replaceAll('-', '_')}`;
}

function options(): Option[] {
  return [
    new Option(
      '-m, --model <model>',
      'a model folder, NAME=FOLDER, or the embedded tiny-gpt2 (repeatable; default: tiny-gpt2)',
    ).argParser(collect),
    new Option('--host <address>', 'address to listen on').default('127.0.0.1'),
    new Option('-p, --port <number>', 'port to listen on; 0 takes any free one')
      .argParser(port)
      .default(7331),
    new Option('--cache <folder>', 'folder for prepared models').default(defaultCache()),
    new Option(
      '--results <folder>',
      'folder for results that wait for their clients (default: by port, in --cache)',
    ),
    new Option('--results-bytes <size>', 'what they may take on disk, as 4GiB')
      .argParser(bytes)
      .default(RESULT_DISK_BYTES),
    new Option('--threads <number>', 'threads an operator may use; 0 lets the runtime choose')
      .argParser(count)
      .default(0),
    new Option('--provider <name>', 'what runs the model').choices(['cpu', 'cuda']).default('cpu'),
    new Option(
      '--batching <how>',
      'for runs that don’t say: exact (a pass to each), or shared (those that wait go together, equal within float error)',
    )
      .choices(BATCHING)
      .default('exact'),
    new Option(
      '--memory <size>',
      'weights that may be loaded at a time, as 8GiB; models that don’t fit are loaded when they are wanted',
    ).argParser(bytes),
    new Option(
      '--host-memory <size>',
      'memory of its own that a model’s process may take, as 4GiB',
    ).argParser(bytes),
    new Option('--grace <seconds>', 'time for runs to end when the server is stopped')
      .argParser(count)
      .default(GRACE_MS / 1000),
    new Option('--metrics-port <number>', 'serve Prometheus’s metrics at /metrics on this port').argParser(
      port,
    ),
    new Option('--metrics-host <address>', 'address of the metrics').default('127.0.0.1'),
    new Option('--keys [file]', 'ask for keys, of this file or the one that `tracewire keys` uses'),
    new Option('--no-keys', 'ask for no keys, though others can reach the server'),
    new Option(
      '--allow-host <name>',
      'another name that clients may call the server by (repeatable)',
    ).argParser(collect),
    new Option(
      '--allow-origin <origin>',
      'web pages of this origin may use the server (repeatable)',
    ).argParser(collect),
    new Option(
      '--trust-proxy',
      'take a client’s address from X-Forwarded-For, as our own proxy writes it',
    ).default(false),
    new Option('--explorer', 'serve the page that looks inside models, at /').default(true),
    new Option('--no-explorer', 'serve no page'),
    new Option('--tls-cert <file>', 'certificate chain in PEM form, for wss://'),
    new Option('--tls-key <file>', 'its private key in PEM form'),
    new Option('--log-level <level>', 'how much to log').choices(LOG_LEVELS),
  ];
}

function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

function port(text: string): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number <= 65_535)) throw new InvalidArgumentError('A whole number from 0 to 65535 is wanted.');
  return number;
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** `8GiB`, `8G`, `500MB`, `1000`: binary units, as memory is sold. */
function bytes(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i.exec(text.trim()) ?? [];
  const size = Number(number) * (UNITS[unit.toUpperCase()] ?? Number.NaN);
  if (number === '' || !(size >= 1))
    throw new InvalidArgumentError('A size is wanted, such as 8GiB or 500MiB.');
  return Math.round(size);
}
