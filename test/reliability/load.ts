/**
 * What a server does for many clients at once: real clients over loopback with mixed traces, each result compared with
 * the one that it had alone; against bare back-to-back passes over the same inputs.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LanguageModel, type SavedValue, Tensor } from '@tracewire/client';
import type { TensorData } from '@tracewire/protocol';
import { relativeError } from '../../server/src/engine/testing/graphs.ts';
import { type BareModel, loadBare } from '../bench/bare.ts';
import { REST } from '../bench/setting.ts';
import { Random } from '../support/random.ts';
import { makeKey } from '../support/server.ts';
import { probedServer, type Sample } from './probed-server.ts';
import { mixedWork, shapeOf, type Work } from './work.ts';

export interface LoadOptions {
  /** The model's folder. */
  readonly model: string;
  readonly seed: number;
  /** How many clients there are at once, one stage after the other. */
  readonly clients: readonly number[];
  /** Of each stage. */
  readonly seconds: number;
  /** Keys that clients share in turn. */
  readonly keys: number;
  readonly threads: number;
  readonly mostTokens: number;
  /** Different pieces of work. */
  readonly pieces: number;
  /** How runs go; `exact` ones are compared byte for byte, `shared` ones within float error. */
  readonly batching: 'exact' | 'shared';
}

export interface Stage {
  readonly clients: number;
  readonly runs: number;
  readonly wrong: number;
  /** Errors by code. */
  readonly errors: Readonly<Record<string, number>>;
  readonly runsPerSecond: number;
  /** How long bare passes over the same inputs take, as a part of the stage's time. */
  readonly ratio: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** The key that had the fewest runs, as a part of the one that had most. */
  readonly fairness: number;
  /** Of the gateway's event loop, milliseconds. */
  readonly lagP99: number;
}

/** Largest error that another order of sums may make, against the RMS of what is wanted. */
const FLOAT_ERROR = 1e-4;

/** Bare passes of each piece of work before a stage and after it, for a machine is not as fast at any time. */
const BARE_ROUNDS = 3;
/** The result that each piece of work has by itself. */
type Alone = ReadonlyMap<Work, readonly SavedValue[]>;

export async function measureLoad(
  options: LoadOptions,
  tell: (stage: Stage) => void = () => {},
): Promise<Stage[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-load-'));
  const file = path.join(folder, 'keys.json');
  const keys: string[] = [];
  for (let n = 0; n < options.keys; n++) keys.push(await makeKey(file, `k${n}`));
  const args = ['--model', options.model, '--threads', String(options.threads), '--keys', file];
  const server = await probedServer({}, ...args);
  const name = path.basename(options.model);
  const open = (n: number) => new LanguageModel(name, { url: server.url, key: keys[n % keys.length] });
  const first = open(0);
  try {
    const shape = await shapeOf(first);
    const work = mixedWork(new Random(options.seed), shape, options.pieces, options.mostTokens);
    const alone = new Map<Work, readonly SavedValue[]>();
    for (const piece of work) alone.set(piece, await piece.values(first));
    const bare = await loadBare(options.model, options.threads);
    const stages: Stage[] = [];
    for (const clients of options.clients) {
      const models = Array.from({ length: clients }, (_, n) => open(n));
      const times = new Map<Work, number[]>();
      await runBare(bare, work, times);
      const load = await runLoad(models, work, alone, options, () => server.samples());
      await runBare(bare, work, times);
      const stage = stageOf(load, times);
      stages.push(stage);
      tell(stage);
      await Promise.all(models.map((model) => model.close()));
    }
    await bare.release();
    return stages;
  } finally {
    await first.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runBare(bare: BareModel, work: readonly Work[], times: Map<Work, number[]>): Promise<void> {
  for (let round = 0; round < BARE_ROUNDS; round++) {
    for (const piece of work) {
      const begun = performance.now();
      await bare.run(piece.ids);
      times.set(piece, [...(times.get(piece) ?? []), performance.now() - begun]);
    }
  }
  await sleep(REST);
}

interface Load extends Omit<Stage, 'runs' | 'runsPerSecond' | 'ratio'> {
  /** Milliseconds of all. */
  readonly took: number;
  readonly done: readonly Work[];
}

function stageOf({ took, done, ...rest }: Load, bareTimes: ReadonlyMap<Work, readonly number[]>): Stage {
  const bareMs = done.reduce((sum, piece) => sum + quantile(bareTimes.get(piece) ?? [], 0.5), 0);
  return { ...rest, runs: done.length, runsPerSecond: done.length / (took / 1000), ratio: bareMs / took };
}

async function runLoad(
  models: readonly LanguageModel[],
  work: readonly Work[],
  alone: Alone,
  { seconds, seed, keys, batching }: LoadOptions,
  samples: () => readonly Sample[],
): Promise<Load> {
  const times: number[] = [];
  const errors: Record<string, number> = {};
  const byKey = new Array<number>(Math.min(keys, models.length)).fill(0);
  const done: Work[] = [];
  let wrong = 0;
  await Promise.all(models.map((model) => model.describe()));
  const at = performance.timeOrigin + performance.now();
  const begun = performance.now();
  const until = begun + seconds * 1000;
  const client = async (model: LanguageModel, index: number): Promise<void> => {
    const random = new Random(seed * 1000 + index);
    do {
      const piece = random.pick(work);
      const start = performance.now();
      try {
        const values = await piece.values(model, { batching });
        if (!areRight(values, alone.get(piece) ?? [], batching)) wrong += 1;
        times.push(performance.now() - start);
        done.push(piece);
        byKey[index % byKey.length] = (byKey[index % byKey.length] ?? 0) + 1;
      } catch (error) {
        const { code = 'unknown' } = error as { readonly code?: string };
        errors[code] = (errors[code] ?? 0) + 1;
      }
    } while (performance.now() < until);
  };
  await Promise.all(models.map(client));
  const took = performance.now() - begun;
  const lags = samples().flatMap((sample) => (sample.at > at + 250 ? sample.lags : []));
  return {
    clients: models.length,
    took,
    done,
    wrong,
    errors,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    fairness: Math.min(...byKey) / Math.max(...byKey),
    lagP99: quantile(lags, 0.99),
  };
}

function areRight(
  values: readonly SavedValue[],
  wanted: readonly SavedValue[],
  batching: LoadOptions['batching'],
): boolean {
  return wanted.every((value, index) => {
    const got = values[index];
    if (!(value instanceof Tensor && got instanceof Tensor)) return false;
    // Not by digests, which would take as long as a small pass.
    if (batching === 'exact')
      return got.dtype === value.dtype && String(got.dims) === String(value.dims) && isSame(got, value);
    return String(got.dims) === String(value.dims) && relativeError(value, got) < FLOAT_ERROR;
  });
}

function isSame({ data: a }: Tensor, { data: b }: Tensor): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: TensorData) =>
    Buffer.from(buffer, byteOffset, byteLength);
  return bytes(a).equals(bytes(b));
}

export function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
