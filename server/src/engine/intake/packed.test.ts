import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { onnxRuntime } from '../runtime/ort.ts';
import type { Runtime, RuntimeOptions } from '../runtime/runtime.ts';
import { GraphBuilder, runGraph } from '../testing/graphs.ts';
import { loadEngine, TINY_GPT2 } from '../testing/models.ts';

const cache = mkdtempSync(path.join(tmpdir(), 'tracewire-packed-'));
afterAll(() => rmSync(cache, { recursive: true }));

/** Files below the cache, by their names' last part. */
const find = (name: string): string[] =>
  readdirSync(cache, { recursive: true, encoding: 'utf8' })
    .filter((file) => path.basename(file) === name)
    .map((file) => path.join(cache, file));
const sumOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

async function logits(makeRuntime?: (options: RuntimeOptions) => Runtime): Promise<ArrayLike<unknown>> {
  const engine = await loadEngine(TINY_GPT2, { cache }, makeRuntime);
  const graph = new GraphBuilder();
  const save = graph.save(graph.read('lm_head.output'));
  const { tensor } = await runGraph(engine, { text: 'The Eiffel Tower is in the city of' }, graph);
  await engine.release();
  return tensor(save).data;
}

/** ONNX Runtime as if it could not pack. */
const plain = (options: RuntimeOptions): Runtime => {
  const { facts, createSegment } = onnxRuntime(options);
  return { facts, createSegment };
};

/** ONNX Runtime on a disk that is full. */
const full = (options: RuntimeOptions): Runtime => ({
  ...onnxRuntime(options),
  packWeights: () => Promise.reject(new Error('no space left on device')),
});

describe('packed weights', () => {
  it('change no byte of a result, and are left out where they can’t be made', async () => {
    const wanted = await logits(plain);
    expect(find('packed.bin')).toEqual([]);
    expect(await logits(full)).toEqual(wanted);
    expect(find('packed.bin')).toEqual([]);
    expect(await logits()).toEqual(wanted);
    expect(find('packed.bin')).toHaveLength(1);
    expect(await logits()).toEqual(wanted);
    // No half-made folder is left behind.
    expect(find('packed.bin').map((file) => path.basename(path.dirname(file)))).toEqual([
      expect.stringMatching(/^packed-[0-9a-f]{16}$/),
    ]);
    expect(find('optimized.onnx')).toEqual([]);
  });

  it('are made anew when a byte of them has changed', async () => {
    const wanted = await logits();
    const [file = ''] = find('packed.bin');
    const sound = sumOf(file);
    const bytes = readFileSync(file);
    bytes.fill(0x7f, bytes.length >> 1, (bytes.length >> 1) + 4096);
    writeFileSync(file, bytes);
    expect(sumOf(file)).not.toBe(sound);
    expect(await logits()).toEqual(wanted);
    expect(sumOf(file)).toBe(sound);
  });

  it('are made anew when their index is no JSON', async () => {
    const wanted = await logits();
    const [index = ''] = find('packed.json');
    writeFileSync(index, '{');
    expect(await logits()).toEqual(wanted);
    expect(JSON.parse(readFileSync(index, 'utf8'))).toHaveProperty('sha256');
  });
});
