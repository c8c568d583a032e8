/**
 * Prepares a model once: the normalized graph, one weights file, and the type of every value, in a cache folder
 * named by the content of the model's files. A second start reads that folder.
 */
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { TracewireError } from '@tracewire/protocol';
import { makeFolder } from '../../make-folder.ts';
import { ModelGraph } from '../onnx/graph.ts';
import { decodeModel, encodeModel, type ModelProto } from '../onnx/schema.ts';
import type { Runtime, ValueType } from '../runtime/runtime.ts';
import { dropCopies } from './copies.ts';
import { findModelFiles, hashFiles, type ModelFiles, readConfig } from './files.ts';
import { normalizeModel } from './normalize.ts';
import { usePackedWeights } from './packed.ts';
import { preparedFolder } from './prepared-folder.ts';
import { probeTypes } from './probe.ts';
import { moveWeights } from './weights.ts';

export interface PreparedModel {
  readonly files: ModelFiles;
  /** `sha256:…` of the model's files. */
  readonly id: string;
  /** Where `weights.bin` lies. */
  readonly folder: string;
  readonly graph: ModelGraph;
  readonly types: ReadonlyMap<string, ValueType>;
}

export type OnProgress = (phase: string, done: number, total: number) => void;

/** `runtimeIn` makes a runtime whose weights lie in a folder. Throws `model_not_found`, `model_invalid` or `model_unsupported`. */
export async function prepareModel(
  folder: string,
  cache: string,
  runtimeIn: (weightsFolder: string) => Runtime,
  onProgress: OnProgress,
): Promise<PreparedModel> {
  const files = await findModelFiles(folder);
  const id = await hashFiles(files, (done, total) => onProgress('checking', done, total));
  const prepared = preparedFolder(cache, id);
  const known = await readPrepared(prepared);
  if (known) return withPackedWeights({ files, id, folder: prepared, ...known }, runtimeIn, onProgress);
  const work = await workFolder(prepared, cache);
  try {
    await writePrepared(files, work, runtimeIn, onProgress);
    // Another process may have prepared the same model meanwhile: either result is whole.
    await rename(work, prepared).catch(async (error: unknown) => {
      if (!(await readPrepared(prepared))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const written = await readPrepared(prepared);
  if (!written) throw new Error(`The prepared model in ${prepared} can’t be read back.`);
  return withPackedWeights({ files, id, folder: prepared, ...written }, runtimeIn, onProgress);
}

async function workFolder(prepared: string, cache: string): Promise<string> {
  try {
    makeFolder(path.dirname(prepared));
    return await mkdtemp(`${prepared}.`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `The cache folder ${cache} can’t be written to: ${why}. Choose another with --cache.`;
    throw new TracewireError({ code: 'bad_configuration', message, path: cache });
  }
}

async function withPackedWeights(
  prepared: PreparedModel,
  runtimeIn: (weightsFolder: string) => Runtime,
  onProgress: OnProgress,
): Promise<PreparedModel> {
  onProgress('packing weights', 0, 1);
  const { folder, graph } = prepared;
  await usePackedWeights(folder, graph.initializers.values(), runtimeIn(folder));
  return prepared;
}

async function writePrepared(
  files: ModelFiles,
  target: string,
  runtimeIn: (weightsFolder: string) => Runtime,
  onProgress: OnProgress,
): Promise<void> {
  onProgress('reading', 0, 1);
  const model = normalizeModel(await readFile(files.onnx), files.onnx);
  await moveWeights(model, path.dirname(files.onnx), target, (done, total) =>
    onProgress('moving weights', done, total),
  );
  onProgress('measuring', 0, 1);
  const types = await probeTypes(new ModelGraph(model), runtimeIn(target), await readConfig(files));
  dropCopies(model, types);
  await writeFile(path.join(target, 'graph.onnx'), encodeModel(model));
  await writeFile(path.join(target, 'types.json'), JSON.stringify(Object.fromEntries(types)));
}

async function readPrepared(folder: string): Promise<Pick<PreparedModel, 'graph' | 'types'> | undefined> {
  try {
    const types = JSON.parse(await readFile(path.join(folder, 'types.json'), 'utf8')) as Record<
      string,
      ValueType
    >;
    const model = decodeModel(await readFile(path.join(folder, 'graph.onnx'))) as ModelProto;
    return { graph: new ModelGraph(model), types: new Map(Object.entries(types)) };
  } catch {
    return undefined;
  }
}
