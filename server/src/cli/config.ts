/**
 * Where an option's value comes from: the command line, else the environment, else the configuration file, else the
 * default. `tracewire config` shows them all.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { nearest, TracewireError } from '@tracewire/protocol';
import { type Command, InvalidArgumentError, type Option } from 'commander';

/** Sources that a file gives way to. */
const BELOW_FILE = new Set<string | undefined>([undefined, 'default']);
/** A key isn't an option of serve, but its file's place is. */
const CONFIG = 'config';

/** Takes the configuration file's options in. Throws `bad_configuration`, naming the file and the line's key. */
export function readConfig(command: Command): void {
  const file: unknown = command.getOptionValue(CONFIG);
  if (typeof file !== 'string') return;
  const path = resolve(file);
  for (const [name, value] of Object.entries(parsed(path))) takeIn(command, path, name, value);
}

function parsed(path: string): Record<string, unknown> {
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof content === 'object' && content !== null && !Array.isArray(content)) {
      return content as Record<string, unknown>;
    }
  } catch (error) {
    throw fault(
      `The configuration file ${path} can’t be read: ${error instanceof Error ? error.message : error}.`,
    );
  }
  throw fault(
    `The configuration file ${path} holds no object. It looks like {"port": 7331, "model": ["./gpt2"]}.`,
  );
}

function takeIn(command: Command, path: string, name: string, value: unknown): void {
  const option = command.options.find((one) => one.name() === name && !one.negate);
  if (!option || name === CONFIG) {
    const near = nearest(name, namesOf(command));
    const hint = near === undefined ? '' : ` Did you mean ${near}?`;
    throw new TracewireError({
      code: 'unknown_option',
      message: `${path}: there is no option ${JSON.stringify(name)}.${hint}`,
      nearest: near,
    });
  }
  if (!BELOW_FILE.has(command.getOptionValueSource(option.attributeName()))) return;
  command.setOptionValueWithSource(option.attributeName(), asGiven(option, value, `${path}: ${name}`), path);
}

function namesOf(command: Command): string[] {
  return command.options.map((option) => option.name()).filter((name) => name !== CONFIG);
}

/** A value as the command line would have given it. */
function asGiven(option: Option, value: unknown, where: string): unknown {
  if (typeof value === 'boolean') {
    if (option.required) throw fault(`${where}: wanted a value, not ${value}.`);
    return value;
  }
  const texts = (Array.isArray(value) ? value : [value]).map((one: unknown) => {
    if (typeof one === 'string' || typeof one === 'number') return String(one);
    throw fault(`${where}: wanted a string, a number, or a list of strings.`);
  });
  if (option.isBoolean()) throw fault(`${where}: wanted true or false.`);
  try {
    return texts.reduce<unknown>((before, text) => parse(option, text, before), undefined);
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw fault(`${where}: ${error.message}`);
    throw error;
  }
}

function parse(option: Option, text: string, before: unknown): unknown {
  const { argChoices, parseArg } = option;
  if (argChoices && !argChoices.includes(text)) {
    throw new InvalidArgumentError(`Allowed choices are ${argChoices.join(', ')}.`);
  }
  return parseArg ? parseArg(text, before as never) : text;
}

export interface Setting {
  readonly name: string;
  readonly value: unknown;
  /** `default`, `environment TRACEWIRE_…`, `command line`, or the file. */
  readonly source: string;
}

/** All options of a command with where their values come from; call it after `readConfig`. */
export function settingsOf(command: Command): Setting[] {
  const options = command.options.filter(({ negate }) => !negate);
  return options.map((option) => {
    const key = option.attributeName();
    return {
      name: option.name(),
      value: command.getOptionValue(key),
      source: sourceOf(option, command.getOptionValueSource(key)),
    };
  });
}

function sourceOf(option: Option, source: string | undefined): string {
  if (source === 'cli') return 'command line';
  if (source === 'env') return `environment ${option.envVar}`;
  return source ?? 'default';
}

/** What `tracewire config` prints. */
export function formatSettings(settings: readonly Setting[]): string {
  const shown = settings.map(
    ({ name, value, source }) => [name, JSON.stringify(value) ?? '–', source] as const,
  );
  const [names, values] = [0, 1].map((column) =>
    Math.max(...shown.map((row) => row[column as 0 | 1].length)),
  );
  return shown
    .map(([name, value, source]) => `${name.padEnd(names ?? 0)}  ${value.padEnd(values ?? 0)}  ${source}\n`)
    .join('');
}

function fault(message: string): TracewireError {
  return new TracewireError({ code: 'bad_configuration', message });
}
