/** Finds a model's files in a folder as exporters write it, and names them by their content. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { TracewireError } from '@tracewire/protocol';

export interface ModelFiles {
  readonly folder: string;
  /** The ONNX file; external data lies beside it. */
  readonly onnx: string;
  readonly tokenizer: string;
  readonly tokenizerConfig: string | undefined;
  readonly config: string;
  /** Every file that the content hash covers, in a fixed order. */
  readonly all: readonly string[];
}

/** Where exporters put the file, best first. */
const ONNX_NAMES = ['model.onnx', 'onnx/model.onnx', 'decoder_model.onnx'];

/** Throws `model_not_found`, naming the file that is missing. */
export async function findModelFiles(folder: string): Promise<ModelFiles> {
  if (!(await isThere(folder, 'directory'))) {
    throw notFound(folder, `There is no folder ${folder}.`);
  }
  const onnx = await firstThere(folder, ONNX_NAMES);
  if (!onnx) {
    throw notFound(
      folder,
      `${folder} has no model.onnx. Export the model with: optimum-cli export onnx --model NAME FOLDER`,
    );
  }
  const config = await wanted(folder, 'config.json', 'the model’s configuration');
  const tokenizer = await wanted(folder, 'tokenizer.json', 'the tokenizer');
  const tokenizerConfig = await firstThere(folder, ['tokenizer_config.json']);
  const external = await externalFiles(path.dirname(onnx), path.basename(onnx));
  const all = [onnx, ...external, config, tokenizer, ...(tokenizerConfig ? [tokenizerConfig] : [])];
  return { folder, onnx, tokenizer, tokenizerConfig, config, all };
}

/** `sha256:…` over the names and bytes of all files; `onBytes` hears of progress. */
export async function hashFiles(
  files: ModelFiles,
  onBytes: (done: number, total: number) => void,
): Promise<string> {
  const sizes = await Promise.all(files.all.map(async (file) => (await stat(file)).size));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const hash = createHash('sha256');
  let done = 0;
  for (const [index, file] of files.all.entries()) {
    hash.update(`${path.relative(files.folder, file)}\0${sizes[index]}\0`);
    for await (const chunk of createReadStream(file, { highWaterMark: 4 * 1024 * 1024 })) {
      hash.update(chunk as Buffer);
      done += (chunk as Buffer).length;
      onBytes(done, total);
    }
  }
  return `sha256:${hash.digest('hex')}`;
}

/** A JSON file as an object. Throws `model_invalid`, naming the file. */
export async function readJson(file: string): Promise<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
    throw new Error('it is not an object');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new TracewireError({
      code: 'model_invalid',
      message: `${file} can’t be read as JSON: ${why}`,
      path: file,
    });
  }
}

/** Files beside the ONNX file that may hold its weights: `model.onnx_data`, `model.onnx.data`, … */
async function externalFiles(folder: string, onnxName: string): Promise<string[]> {
  const names = await readdir(folder);
  return names
    .filter(
      (name) => name !== onnxName && (name.startsWith(`${onnxName}_`) || name.startsWith(`${onnxName}.`)),
    )
    .sort()
    .map((name) => path.join(folder, name));
}

async function wanted(folder: string, name: string, what: string): Promise<string> {
  const file = path.join(folder, name);
  if (await isThere(file, 'file')) return file;
  throw notFound(file, `${folder} has no ${name}: ${what} is missing.`);
}

async function firstThere(folder: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const file = path.join(folder, name);
    if (await isThere(file, 'file')) return file;
  }
  return undefined;
}

async function isThere(file: string, kind: 'file' | 'directory'): Promise<boolean> {
  try {
    const found = await stat(file);
    return kind === 'file' ? found.isFile() : found.isDirectory();
  } catch {
    return false;
  }
}

function notFound(file: string, message: string): TracewireError {
  return new TracewireError({ code: 'model_not_found', message, path: file });
}
