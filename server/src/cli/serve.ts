/** `tracewire serve`: binds the port, loads every model, lets clients in; or says what is wrong and starts nothing. */
import { resolve } from 'node:path';
import { Gateway } from '../gateway/gateway.ts';
import { startHostProcess } from '../gateway/host-process.ts';
import { DEFAULT_LIMITS } from '../gateway/limits.ts';
import { Listener } from '../gateway/listener.ts';
import type { Log } from '../gateway/log.ts';
import { type ModelSource, resolveModels } from '../gateway/models.ts';
import { ServedModel } from '../gateway/served-model.ts';
import { VERSION } from '../version.ts';
import { type AdmittanceOptions, admittance } from './admittance.ts';
import { createLogger, type LogLevel } from './logger.ts';
import { loadingProgress } from './progress.ts';
import { onSignals } from './signals.ts';

export interface ServeOptions extends AdmittanceOptions {
  readonly model?: readonly string[];
  readonly port: number;
  readonly cache: string;
  readonly threads: number;
  readonly provider: 'cpu' | 'cuda';
  readonly logLevel?: LogLevel;
}

/** Resolves when the server listens. Throws a `TracewireError`; by then nothing of it runs any more. */
export async function serve(options: ServeOptions): Promise<void> {
  const sources = resolveModels(options.model ?? []);
  const terminal = process.stderr.isTTY === true;
  const log = createLogger(terminal, options.logLevel);
  const { door, keys, tls, notice } = admittance(options, log);
  const listener = await Listener.bind({ host: options.host, port: options.port, door, tls });
  const models = sources.map((source) => servedModel(source, options, terminal, log));
  const gateway = new Gateway({ models, log, version: VERSION });
  keys?.onGone((key) => gateway.revoke(key));
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    listener.close();
    gateway.close();
    keys?.close();
  };
  onSignals(stop, log);
  try {
    for (const model of models) await model.load();
  } catch (error) {
    if (stopped) return;
    stop();
    throw error;
  }
  if (stopped) return;
  listener.open(gateway);
  process.stdout.write(
    `${notice}Listening on ${listener.url}  models: ${[...gateway.models.keys()].join(', ')}\n`,
  );
}

function servedModel({ name, folder }: ModelSource, options: ServeOptions, terminal: boolean, log: Log) {
  const { threads, provider } = options;
  const { chunkBytes, savedBytes, intermediateBytes, batchTokens } = DEFAULT_LIMITS;
  const cache = resolve(options.cache);
  return new ServedModel({
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
    start: () => startHostProcess({ model: name, log }),
    log,
    loading: loadingProgress(name, terminal, log),
  });
}
