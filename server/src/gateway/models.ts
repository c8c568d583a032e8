/** What `--model` means: the embedded model by name, `NAME=FOLDER`, or a folder. */
import { readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nearest, TracewireError } from '@tracewire/protocol';
import { pulledModels } from '../cache-folder.ts';

/** Models that come with the package. */
const EMBEDDED: Readonly<Record<string, string>> = {
  'tiny-gpt2': fileURLToPath(new URL('../../models/tiny-gpt2', import.meta.url)),
};

export const DEFAULT_MODEL = 'tiny-gpt2';

export interface ModelSource {
  /** What clients call it. */
  readonly name: string;
  /** Absolute. */
  readonly folder: string;
}

/** Throws `model_not_found` or `bad_configuration`. */
export function resolveModels(values: readonly string[]): ModelSource[] {
  const sources = (values.length > 0 ? values : [DEFAULT_MODEL]).map(resolveModel);
  for (const [index, { name, folder }] of sources.entries()) {
    const other = sources.slice(0, index).find((source) => source.name === name);
    if (!other) continue;
    throw new TracewireError({
      code: 'bad_configuration',
      message: `Two models are called ${name}: ${other.folder} and ${folder}. Name one with --model NAME=FOLDER.`,
    });
  }
  return sources;
}

/** Throws `model_not_found` or `bad_configuration`. */
export function resolveModel(value: string): ModelSource {
  const embedded = EMBEDDED[value];
  if (embedded !== undefined) return { name: value, folder: embedded };
  if (isFolder(value)) return { name: basename(resolve(value)), folder: resolve(value) };
  const pulled = isHubName(value) ? join(pulledModels(), value) : undefined;
  if (pulled !== undefined && isFolder(pulled)) return { name: basename(pulled), folder: pulled };
  const equals = value.indexOf('=');
  if (equals >= 0) return named(value.slice(0, equals), value.slice(equals + 1));
  throw notFound(value);
}

/** `OWNER/NAME`, as the hub calls its models. */
export function isHubName(value: string): boolean {
  return /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(value) && !value.includes('..');
}

/** What `resolveModel` knows by name: the embedded models, and those that were pulled. */
export function localModels(): ModelSource[] {
  const embedded = Object.entries(EMBEDDED).map(([name, folder]) => ({ name, folder }));
  const root = pulledModels();
  const folders = (path: string): string[] =>
    isFolder(path) ? readdirSync(path).filter((name) => isFolder(join(path, name))) : [];
  const pulled = folders(root).flatMap((owner) =>
    folders(join(root, owner)).map((name) => ({ name: `${owner}/${name}`, folder: join(root, owner, name) })),
  );
  return [...embedded, ...pulled.filter(({ name }) => isHubName(name))];
}

function named(name: string, folder: string): ModelSource {
  if (name === '' || folder === '') {
    throw new TracewireError({
      code: 'bad_configuration',
      message: `--model takes a folder, or NAME=FOLDER; ${JSON.stringify(`${name}=${folder}`)} lacks one of the two.`,
    });
  }
  if (!isFolder(folder)) throw notFound(folder);
  return { name, folder: resolve(folder) };
}

function notFound(value: string): TracewireError {
  const path = resolve(value);
  if (exists(path)) {
    const message = `${path} is a file. Give the folder that holds model.onnx, config.json and tokenizer.json.`;
    return new TracewireError({ code: 'model_not_found', message, path });
  }
  const isName = !/[\\/]/.test(value);
  const near = isName ? nearest(value, Object.keys(EMBEDDED)) : undefined;
  const pull = isHubName(value) ? ` If it is one of the hub’s, get it with: tracewire pull ${value}.` : '';
  const hint = near === undefined ? pull : ` Did you mean the embedded model ${near}?`;
  const message = `There is no model folder ${path}.${hint}`;
  return new TracewireError({ code: 'model_not_found', message, path, nearest: near });
}

/** Bytes of a model folder's ONNX files and the data beside them: about what its weights take in memory. */
export function weightBytesOf(folder: string): number {
  const files = readdirSync(folder).filter((name) => /\.(onnx|data|bin)$|\.onnx_data/.test(name));
  return files.reduce(
    (sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
