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
  /** Absent for models that take no text, and for folders without one: then there are only ids and feeds. */
  readonly tokenizer: string | undefined;
  readonly tokenizerConfig: string | undefined;
  readonly config: string | undefined;
  readonly generationConfig: string | undefined;
  /** Every file that the content hash covers, in a fixed order. */
  readonly all: readonly string[];
}

/** Where exporters put the file, best first; an encoder runs without its decoder, not the other way round. */
const ONNX_NAMES = ['model.onnx', 'onnx/model.onnx', 'encoder_model.onnx', 'decoder_model.onnx'];

/**
 * `where` is a folder, or an ONNX file in one, for folders with several. Throws `model_not_found`, naming the
 * file that is missing, or those to choose from.
 */
export async function findModelFiles(where: string): Promise<ModelFiles> {
  const isFile = where.endsWith('.onnx') && (await isThere(where, 'file'));
  if (!isFile && !(await isThere(where, 'directory'))) throw notFound(where, `There is no folder ${where}.`);
  const onnx = isFile ? where : await findOnnx(where);
  const folder = isFile ? path.dirname(where) : where;
  const beside = async (name: string): Promise<string | undefined> => {
    // Hubs keep the ONNX files in a folder `onnx` inside the checkpoint's.
    const inside = path.basename(path.dirname(onnx)) === 'onnx' ? [path.dirname(path.dirname(onnx))] : [];
    for (const candidate of [folder, ...inside]) {
      const file = await firstThere(candidate, [name]);
      if (file) return file;
    }
    return undefined;
  };
  const config = await beside('config.json');
  const tokenizer = await beside('tokenizer.json');
  const tokenizerConfig = await beside('tokenizer_config.json');
  const generationConfig = await beside('generation_config.json');
  const external = await externalFiles(path.dirname(onnx), path.basename(onnx));
  const all = [onnx, ...external, config, tokenizer, tokenizerConfig].filter((file) => file !== undefined);
  return { folder, onnx, tokenizer, tokenizerConfig, config, generationConfig, all };
}

async function findOnnx(folder: string): Promise<string> {
  const known = await firstThere(folder, ONNX_NAMES);
  if (known) return known;
  const names = [...(await onnxNames(folder)), ...(await onnxNames(folder, 'onnx'))];
  if (names.length === 1 && names[0]) return path.join(folder, names[0]);
  throw notFound(
    folder,
    names.length === 0
      ? `${folder} has no model.onnx. Export the model with: optimum-cli export onnx --model NAME FOLDER`
      : `${folder} has no model.onnx, but ${names.join(', ')}. Give the path of one of them.`,
  );
}

async function onnxNames(folder: string, inside = ''): Promise<string[]> {
  const names = await readdir(path.join(folder, inside)).catch(() => []);
  return names.filter((name) => name.endsWith('.onnx')).map((name) => path.join(inside, name));
}

/** The model's configuration; an empty one where the folder has none. Throws `model_invalid`. */
export async function readConfig({ config }: ModelFiles): Promise<Record<string, unknown>> {
  return config === undefined ? {} : readJson(config);
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
