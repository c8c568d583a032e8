/**
 * Weights as the runtime's kernels lay them out, in a file that every segment maps: without it each segment packs its
 * weights anew, into memory of its own. The runtime doesn't look at what it maps, so the file is checked here, written
 * whole or not at all, and kept apart by runtime, version and CPU, for each has a layout of its own.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { arch, cpus, platform } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { decodeModel, type TensorProto } from '../onnx/schema.ts';
import type { Runtime } from '../runtime/runtime.ts';

const WEIGHTS = 'packed.bin';
const INDEX = 'packed.json';
/**
 * Operators whose kernels pack each weight for itself, or not at all. Others put several inputs into one pack (`MatMulNBits` its scales
 * into its weights'), of which the saved one has only a part; the runtime maps it all the same, and computes nonsense.
 */
const PACKING_ONE_BY_ONE: ReadonlySet<string> = new Set([
  'Conv',
  'DynamicQuantizeMatMul',
  'FusedConv',
  'FusedGemm',
  'FusedMatMul',
  'Gather',
  'Gemm',
  'MatMul',
  'MatMulInteger',
  'MatMulIntegerToFloat',
]);
/** Goes up when packed files change. */
const VERSION = 3;

interface PackedIndex {
  readonly sha256: string;
  /** What the file was when the sum was made: if it is the same still, it needs no reading. */
  readonly stamp: string;
  /** Where each weight and its packed forms lie in the file, by name. */
  readonly tensors: Readonly<Record<string, NonNullable<TensorProto['external_data']>>>;
}

/**
 * Points a prepared model's weights at the packed file in its folder, which is made if it isn't there or isn't sound.
 * Where it can't be made, as on a full disk or by a runtime that doesn't pack, weights stay where they are, for packing
 * only saves time and memory.
 */
export async function usePackedWeights(
  folder: string,
  initializers: Iterable<TensorProto>,
  runtime: Runtime,
): Promise<void> {
  if (!runtime.packWeights) return;
  const name = `packed-${keyOf(runtime)}`;
  const index = (await readSound(path.join(folder, name))) ?? (await pack(folder, name, runtime));
  if (!index) return;
  for (const tensor of initializers) {
    const packed = Object.hasOwn(index.tensors, tensor.name) ? index.tensors[tensor.name] : undefined;
    if (!packed || !tensor.external_data?.length) continue;
    tensor.external_data = packed.map(({ key, value }) =>
      key === 'location' ? { key, value: `${name}/${WEIGHTS}` } : { key, value },
    );
  }
}

function keyOf({ facts }: Runtime): string {
  const cpu = cpus()[0]?.model ?? '';
  const parts = [`${VERSION}`, facts.name, facts.version, facts.provider, platform(), arch(), cpu];
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16);
}

async function readSound(folder: string): Promise<PackedIndex | undefined> {
  try {
    const index = JSON.parse(await readFile(path.join(folder, INDEX), 'utf8')) as PackedIndex;
    const file = path.join(folder, WEIGHTS);
    const sound = (await stampOf(file)) === index.stamp || (await sumOf(file)) === index.sha256;
    return sound ? index : undefined;
  } catch {
    return undefined;
  }
}

async function pack(folder: string, name: string, runtime: Runtime): Promise<PackedIndex | undefined> {
  const work = await mkdtemp(path.join(folder, `${name}.`)).catch(() => undefined);
  if (work === undefined) return undefined;
  const target = path.join(folder, name);
  try {
    const model = await readFile(path.join(folder, 'graph.onnx'));
    const optimized = decodeModel((await runtime.packWeights?.(model, work, WEIGHTS)) ?? model);
    const others = new Set(
      optimized.graph?.node.flatMap(({ op_type, input }) => (PACKING_ONE_BY_ONE.has(op_type) ? [] : input)),
    );
    const tensors = (optimized.graph?.initializer ?? []).flatMap(({ name, external_data }) =>
      external_data?.length && !others.has(name) ? [[name, external_data] as const] : [],
    );
    const file = path.join(work, WEIGHTS);
    await sync(file);
    const index: PackedIndex = {
      sha256: await sumOf(file),
      stamp: await stampOf(file),
      tensors: Object.fromEntries(tensors),
    };
    await writeFile(path.join(work, INDEX), JSON.stringify(index));
    await replace(work, target);
    return await readSound(target);
  } catch {
    return undefined;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Moves the finished folder into place; an unsound one there goes, a sound one that another process made stays. */
async function replace(work: string, target: string): Promise<void> {
  if (await readSound(target)) return;
  await rm(target, { recursive: true, force: true });
  await rename(work, target);
}

async function sync(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function sumOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest('hex');
}

/** Whatever writes to a file changes its time of change, which no program sets. */
async function stampOf(file: string): Promise<string> {
  const { size, ino, ctimeNs } = await stat(file, { bigint: true });
  return [size, ino, ctimeNs].join(' ');
}
