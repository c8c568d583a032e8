/** `tracewire serve`: binds the port, loads every model, lets clients in; or says what is wrong and starts nothing. */
import { join, resolve } from 'node:path';
import { keptDescription } from '../engine/intake/kept-description.ts';
import { Explorer } from '../gateway/explorer.ts';
import { Gateway } from '../gateway/gateway.ts';
import { startHostProcess } from '../gateway/host-process.ts';
import { DEFAULT_LIMITS, RESULT_MEMORY_BYTES } from '../gateway/limits.ts';
import { Listener } from '../gateway/listener.ts';
import type { Log } from '../gateway/log.ts';
import { Metrics } from '../gateway/metrics.ts';
import { type ModelSource, resolveModels, weightBytesOf } from '../gateway/models.ts';
import { ResultStore } from '../gateway/result-store.ts';
import { ServedModel } from '../gateway/served-model.ts';
import type { Batching } from '../gateway/sharing.ts';
import { Shelf } from '../gateway/shelf.ts';
import { VERSION } from '../version.ts';
import { type AdmittanceOptions, admittance } from './admittance.ts';
import { mustHaveProvider } from './cuda.ts';
import { createLogger, type LogLevel } from './logger.ts';
import { serveMetrics } from './metrics-endpoint.ts';
import { loadingProgress } from './progress.ts';
import { onSignals } from './signals.ts';
import { mustAnswer } from './try-folder.ts';

export interface ServeOptions extends AdmittanceOptions {
  readonly model?: readonly string[];
  readonly port: number;
  readonly cache: string;
  /** Without it, one of the port's in the cache; none for a port that changes with each start. */
  readonly results?: string;
  readonly resultsBytes: number;
  readonly threads: number;
  readonly provider: 'cpu' | 'cuda';
  readonly batching: Batching;
  /** Bytes of weights that may be loaded at a time. */
  readonly memory?: number;
  /** Bytes that a model's process may take. */
  readonly hostMemory?: number;
  /** Seconds. */
  readonly grace: number;
  readonly metricsPort?: number;
  readonly metricsHost: string;
  readonly logLevel?: LogLevel;
  readonly json?: boolean;
}

/** Resolves when the server listens. Throws a `TracewireError`; by then nothing of it runs any more. */
export async function serve(options: ServeOptions): Promise<void> {
  mustHaveProvider(options.provider);
  const sources = resolveModels(options.model ?? []);
  const { cache, results: kept } = options;
  await Promise.all([
    mustAnswer('cache', cache),
    ...(kept === undefined ? [] : [mustAnswer('results', kept)]),
  ]);
  const terminal = process.stderr.isTTY === true;
  const log = createLogger(terminal, options.logLevel);
  const { door, keys, tls, notice } = admittance(options, log);
  const explorer = options.explorer ? Explorer.read() : undefined;
  const listener = await Listener.bind({ host: options.host, port: options.port, door, tls, explorer });
  const results = orClose(listener, () => resultStore(options, log));
  const meter = new Metrics();
  const shelf = options.memory === undefined ? undefined : new Shelf({ budgetBytes: options.memory });
  const models = sources.map((source) => servedModel(source, { options, terminal, log, meter, shelf }));
  const gateway = new Gateway({
    models,
    log,
    meter,
    version: VERSION,
    batching: options.batching,
    results,
  });
  meter.watch(gateway);
  keys?.onGone((key) => gateway.revoke(key));
  let stopped = false;
  const closeDoor = (): void => {
    listener.close();
    keys?.close();
  };
  onSignals(async () => {
    stopped = true;
    await gateway.drain(options.grace * 1000);
    closeDoor();
  }, log);
  try {
    if (options.metricsPort !== undefined)
      await serveMetrics(meter, options.metricsHost, options.metricsPort);
    for (const model of models) await (shelf && !shelf.fits(model) ? model.describe() : model.load());
  } catch (error) {
    if (stopped) return;
    closeDoor();
    gateway.close();
    throw error;
  }
  if (stopped) return;
  listener.open(gateway);
  tellReady(options, notice, { url: listener.url, models: [...gateway.models.keys()] });
}

/** The one line on stdout that scripts can wait for. */
function tellReady(
  { json }: ServeOptions,
  notice: string,
  ready: { readonly url: string; readonly models: readonly string[] },
): void {
  if (json) {
    process.stderr.write(notice);
    process.stdout.write(`${JSON.stringify(ready)}\n`);
  } else process.stdout.write(`${notice}Listening on ${ready.url}  models: ${ready.models.join(', ')}\n`);
}

function resultStore(
  { results, resultsBytes, port, cache }: ServeOptions,
  log: Log,
): ResultStore | undefined {
  if (results === undefined && port === 0) return undefined;
  const folder = resolve(results ?? join(cache, 'results', String(port)));
  return new ResultStore({ folder, memoryBytes: RESULT_MEMORY_BYTES, diskBytes: resultsBytes, log });
}

/** What throws closes the listener, so that nothing of the server runs any more. */
function orClose<T>(listener: Listener, make: () => T): T {
  try {
    return make();
  } catch (error) {
    listener.close();
    throw error;
  }
}

interface Surroundings {
  readonly options: ServeOptions;
  readonly terminal: boolean;
  readonly log: Log;
  readonly meter: Metrics;
  readonly shelf: Shelf | undefined;
}

function servedModel({ name, folder }: ModelSource, { options, terminal, log, meter, shelf }: Surroundings) {
  const { threads, provider, hostMemory: memoryBytes } = options;
  const { chunkBytes, savedBytes, intermediateBytes, batchTokens, queuedRuns, runMs } = DEFAULT_LIMITS;
  const cache = resolve(options.cache);
  const loading = loadingProgress(name, terminal, log);
  const model = new ServedModel({
    config: {
      name,
      folder,
      cache,
      provider,
      threads,
      chunkBytes,
      savedBytes,
      intermediateBytes,
      batchTokens,
    },
    start: () => startHostProcess({ model: name, log, memoryBytes }),
    log,
    meter,
    shelf,
    queuedRuns,
    runMs,
    loading,
    kept: () =>
      keptDescription({ name, folder, cache, provider }, (done, total) =>
        loading({ phase: 'checking', done, total }),
      ),
  });
  shelf?.add(model, weightBytesOf(folder));
  return model;
}
