/** What every figure is measured on: one model, opened bare, in this process, and behind a server. */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { LanguageModel, type Trace } from '@tracewire/client';
import type { ModelDescription } from '@tracewire/protocol';
import { type RunningServer, startServer } from '../../docs/examples/start-server.ts';
import { type BareModel, loadBare } from './bare.ts';

export interface Setting {
  readonly folder: string;
  readonly description: ModelDescription;
  readonly bare: BareModel;
  /** `remote: false`: the engine in a thread of this process. */
  readonly local: LanguageModel;
  readonly remote: LanguageModel;
  readonly server: RunningServer;
  /** Bytes of the model's ONNX file and its external data. */
  readonly weightBytes: number;
  /** Milliseconds to load the model, prepared before: its blocks, ready to run. */
  readonly loadTime: number;
  readonly rounds: number;
  close(): Promise<void>;
}

export async function openSetting(folder: string, rounds: number): Promise<Setting> {
  const server = await startServer('--model', folder);
  const remote = new LanguageModel(path.basename(folder), { url: server.url });
  const local = new LanguageModel(folder, { remote: false });
  const begun = performance.now();
  const description = await local.describe();
  const loadTime = performance.now() - begun;
  const bare = await loadBare(folder);
  const weights = readdirSync(folder).filter((name) => name.startsWith('model.onnx'));
  return {
    folder,
    description,
    bare,
    local,
    remote,
    server,
    weightBytes: weights.reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0),
    loadTime,
    rounds,
    async close() {
      await bare.release();
      await local.close();
      await remote.close();
      await server.stop();
    },
  };
}

/**
 * Milliseconds of rest between measurements. The bare runtime's threads spin for 45 ms after a run, and whatever runs then on as
 * many cores takes a third longer.
 */
export const REST = 100;

/** Some ids within the vocabulary; which ones makes no difference to the time. */
export function someIds({ description }: Setting, count: number): number[] {
  const size = Math.min(500, description.vocabularySize ?? 500);
  return Array.from({ length: count }, (_, index) => (index * 37 + 11) % size);
}

/** The last token's logits, as a trace mostly wants them: the pass goes to its end, where only this position is computed. */
export const lastLogits = (m: Trace) => m.get('lm_head').output.slice(0, -1).save();

/** One logit of each position: whoever saves them has all of the pass run, as the bare runtime does. */
export const someOfAllLogits = (m: Trace) => m.get('lm_head').output.slice(0, null, 0).save();

export const middleBlock = ({ description: { blocks } }: Setting): string =>
  blocks[blocks.length >> 1] ?? fail('The model has no blocks.');

/** A module inside a block, before its last, that gives a tensor of floats: the norm before its MLP, as a rule. */
export function insideOf({ description }: Setting, block: string): string {
  const children = description.modules.filter(
    ({ path, outputs }) =>
      path.startsWith(`${block}.`) &&
      !path.slice(block.length + 1).includes('.') &&
      outputs[0]?.dtype === 'float32',
  );
  return children.at(-2)?.path ?? children[0]?.path ?? fail(`${block} has no modules inside.`);
}

function fail(message: string): never {
  throw new Error(message);
}
