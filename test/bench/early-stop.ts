/**
 * What a stop after each block saves, against the ideal. The ideal speedup of a stop is the time of all parts of the model
 * by that of the parts up to the block, each timed on its own in whole passes; the figure is the speedup by the ideal.
 */
import path from 'node:path';
import { defaultCache } from '../../server/src/cache-folder.ts';
import { Engine } from '../../server/src/engine/engine.ts';
import { onnxRuntime } from '../../server/src/engine/runtime/ort.ts';
import type { Runtime, RuntimeOptions } from '../../server/src/engine/runtime/runtime.ts';
import { GraphBuilder, runGraph } from '../../server/src/engine/testing/graphs.ts';
import type { Figure } from './figures.ts';
import { interleave, medians } from './interleave.ts';
import { REST, type Setting, someIds } from './setting.ts';

export async function benchEarlyStop(setting: Setting, tokens: number): Promise<Figure> {
  const { blocks } = setting.description;
  const ids = someIds(setting, tokens);
  const parts = await PartTimes.open(setting, ids);
  const stopAfter = (block: string) => () =>
    setting.local.trace(ids, (m) => {
      m.get(block).output.stop();
      return m.get(block).output[0].slice(0, -1).save();
    });
  const full = () => setting.local.trace(ids, (m) => m.get('lm_head').output.save());
  const stops = Object.fromEntries(blocks.map((block) => [block, stopAfter(block)]));
  const rounds = Math.max(5, setting.rounds >> 1);
  const at = medians(
    await interleave({ full, parts: () => parts.measure(), ...stops }, rounds, { warmUp: 2, rest: REST }),
  );
  await parts.release();
  const times = parts.medians();
  const whole = times.reduce((sum, time) => sum + time, 0);
  const ratios = blocks.map((block, index) => {
    // Before the blocks stands the part with the embeddings.
    const upTo = times.slice(0, index + 2).reduce((sum, time) => sum + time, 0);
    return { block, upTo, ratio: at('full') / at(block) / (whole / upTo) };
  });
  const worst = ratios.reduce((a, b) => (b.ratio < a.ratio ? b : a));
  const list = ratios.map(({ ratio }) => ratio.toFixed(2)).join(' ');
  return {
    name: `stop after block k, the least for every k, ${tokens} tokens, in process: of the ideal`,
    measured: worst.ratio,
    unit: '',
    aim: 0.9,
    atLeast: true,
    note: `worst after ${worst.block}: ${at(worst.block).toFixed(2)} of ${at('full').toFixed(2)} ms; its parts take ${worst.upTo.toFixed(2)} of ${whole.toFixed(2)} ms; by k: ${list}`,
  };
}

/** The engine in this thread, its parts timed. */
class PartTimes {
  readonly #ids: readonly number[];
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #samples: number[][] = [];

  private constructor(ids: readonly number[], engine: Engine, clock: Clock) {
    this.#ids = ids;
    this.#engine = engine;
    this.#clock = clock;
  }

  static async open({ folder }: Setting, ids: readonly number[]): Promise<PartTimes> {
    const clock = new Clock();
    const engine = await Engine.load(
      {
        name: path.basename(folder),
        folder,
        cache: defaultCache(),
        provider: 'cpu',
        threads: 0,
        savedBytes: 2 ** 30,
        intermediateBytes: 2 ** 30,
      },
      () => undefined,
      clock.runtime,
    );
    return new PartTimes(ids, engine, clock);
  }

  /** One whole pass. */
  async measure(): Promise<void> {
    const graph = new GraphBuilder();
    graph.save(graph.read('lm_head.output'));
    this.#clock.times.length = 0;
    await runGraph(this.#engine, { ids: [...this.#ids] }, graph);
    for (const [part, time] of this.#clock.times.entries()) {
      const samples = this.#samples[part] ?? [];
      this.#samples[part] = samples;
      samples.push(time);
    }
  }

  medians(): number[] {
    return this.#samples.map((samples) => samples.sort((a, b) => a - b)[samples.length >> 1] ?? 0);
  }

  release(): Promise<void> {
    return this.#engine.release();
  }
}

/** ONNX Runtime, noting how long each run of a segment takes. */
class Clock {
  readonly times: number[] = [];

  readonly runtime = (options: RuntimeOptions): Runtime => {
    const { facts, createSegment } = onnxRuntime(options);
    return {
      facts,
      createSegment: async (model, how) => {
        const segment = await createSegment(model, how);
        return {
          run: async (feeds, fetches) => {
            const begun = performance.now();
            const outputs = await segment.run(feeds, fetches);
            this.times.push(performance.now() - begun);
            return outputs;
          },
          release: () => segment.release(),
        };
      },
    };
  };
}
