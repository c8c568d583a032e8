/**
 * A model's description, kept beside the prepared model, so that a server can say what a model is without starting a process
 * for it. What else than the model's files it depends on is in its key; a file of another key, or one that isn't whole, counts
 * for nothing.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { type ModelDescription, modelDescription, OPERATORS } from '@tracewire/protocol';
import { VERSION } from '../../version.ts';
import { findModelFiles, hashFiles, type ModelFiles } from './files.ts';
import { preparedFolder } from './prepared-folder.ts';

/** Raised when what the engine says of a model changes. */
const DESCRIPTION = 1;

/** Which description is meant: what a host would be told to load. */
export interface DescriptionOf {
  readonly name: string;
  readonly folder: string;
  readonly cache: string;
  readonly provider: 'cpu' | 'cuda';
}

interface Kept {
  readonly key: string;
  /** Of the description's JSON. */
  readonly sha256: string;
  readonly description: ModelDescription;
}

/** Reads all of the model's files, to know which they are. Undefined where nothing sound is kept: then ask a host, which also says why. */
export async function keptDescription(
  of: DescriptionOf,
  onBytes: (done: number, total: number) => void = () => {},
): Promise<ModelDescription | undefined> {
  try {
    const files = await findModelFiles(of.folder);
    const id = await hashFiles(files, onBytes);
    const kept = JSON.parse(await readFile(fileOf(of, id), 'utf8')) as Kept;
    const sound = kept.key === (await keyOf(files)) && kept.sha256 === sumOf(kept.description);
    const description = sound ? modelDescription.parse(kept.description) : undefined;
    return description?.id === id ? { ...description, name: of.name } : undefined;
  } catch {
    return undefined;
  }
}

/** Where it can't be written nothing is lost but time. */
export async function keepDescription(of: DescriptionOf, description: ModelDescription): Promise<void> {
  const file = fileOf(of, description.id);
  const work = `${file}.${randomUUID()}`;
  try {
    const key = await keyOf(await findModelFiles(of.folder));
    const kept: Kept = { key, sha256: sumOf(description), description };
    await writeFile(work, JSON.stringify(kept));
    await rename(work, file);
  } catch {
    await rm(work, { force: true }).catch(() => {});
  }
}

function fileOf({ cache, provider }: DescriptionOf, id: string): string {
  return path.join(preparedFolder(cache, id), `description-${provider}.json`);
}

/** This package and the runtime, the operators that kernels were looked for, and the one file that a model's id leaves out. */
async function keyOf({ generationConfig }: ModelFiles): Promise<string> {
  const generation = generationConfig === undefined ? '' : await readFile(generationConfig, 'utf8');
  const parts = [DESCRIPTION, VERSION, runtimeVersion(), OPERATORS, generation];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** Read from its package: to ask the runtime itself would load it. */
function runtimeVersion(): string {
  const file = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function sumOf(description: ModelDescription): string {
  return createHash('sha256').update(JSON.stringify(description)).digest('hex');
}
