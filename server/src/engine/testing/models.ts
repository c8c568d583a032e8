/** Real models for the engine's tests, prepared once in a cache of their own. */
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Engine, type EngineOptions } from '../engine.ts';
import { onnxRuntime } from '../runtime/ort.ts';
import type { Runtime, RuntimeOptions } from '../runtime/runtime.ts';

const root = fileURLToPath(new URL('../../../../', import.meta.url));

export const TINY_GPT2 = path.join(root, 'server/models/tiny-gpt2');
export const TINY_LLAMA = path.join(root, 'test/fixtures/tiny-llama');
export const CACHE = path.join(tmpdir(), 'tracewire-test-cache');

export function loadEngine(
  folder: string,
  more: Partial<EngineOptions> = {},
  makeRuntime?: (options: RuntimeOptions) => Runtime,
) {
  const options: EngineOptions = {
    name: path.basename(folder),
    folder,
    cache: CACHE,
    provider: 'cpu',
    threads: 1,
    savedBytes: 64 * 1024 * 1024,
    batchTokens: 4096,
    intermediateBytes: 256 * 1024 * 1024,
    ...more,
  };
  return Engine.load(options, () => undefined, makeRuntime);
}

/** ONNX Runtime, counting the segments that are made and run. */
export class CountingRuntime {
  readonly run: number[] = [];
  made = 0;
  released = 0;

  readonly make = (options: RuntimeOptions): Runtime => {
    const runtime = onnxRuntime(options);
    return {
      facts: runtime.facts,
      createSegment: async (model, how) => {
        const id = this.made++;
        const segment = await runtime.createSegment(model, how);
        return {
          run: (feeds, fetches) => {
            this.run.push(id);
            return segment.run(feeds, fetches);
          },
          release: () => {
            this.released += 1;
            return segment.release();
          },
        };
      },
    };
  };
}
