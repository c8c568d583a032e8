/** `tracewire serve`: binds the port, loads every model, lets clients in; or says what is wrong and starts nothing. */
import { resolve } from 'node:path';
import { TracewireError } from '@tracewire/protocol';
import { Gateway } from '../gateway/gateway.ts';
import { startHostProcess } from '../gateway/host-process.ts';
import { DEFAULT_LIMITS } from '../gateway/limits.ts';
import { Listener } from '../gateway/listener.ts';
import type { Log } from '../gateway/log.ts';
import { type ModelSource, resolveModels } from '../gateway/models.ts';
import { isLoopback } from '../gateway/origin.ts';
import { ServedModel } from '../gateway/served-model.ts';
import { VERSION } from '../version.ts';
import { createLogger, type LogLevel } from './logger.ts';
import { loadingProgress } from './progress.ts';
import { onSignals } from './signals.ts';

export interface ServeOptions {
  readonly model?: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly cache: string;
  readonly threads: number;
  readonly provider: 'cpu' | 'cuda';
  readonly allowAnonymous: boolean;
  readonly logLevel?: LogLevel;
}

/** Resolves when the server listens. Throws a `TracewireError`; by then nothing of it runs any more. */
export async function serve(options: ServeOptions): Promise<void> {
  mustBeSafe(options);
  const sources = resolveModels(options.model ?? []);
  const terminal = process.stderr.isTTY === true;
  const log = createLogger(terminal, options.logLevel);
  const listener = await Listener.bind(options);
  const models = sources.map((source) => servedModel(source, options, terminal, log));
  const gateway = new Gateway({ models, log, version: VERSION });
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    listener.close();
    gateway.close();
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
  process.stdout.write(`Listening on ${listener.url}  models: ${[...gateway.models.keys()].join(', ')}\n`);
}

function servedModel({ name, folder }: ModelSource, options: ServeOptions, terminal: boolean, log: Log) {
  const { threads, provider } = options;
  const { chunkBytes, savedBytes, batchTokens } = DEFAULT_LIMITS;
  const cache = resolve(options.cache);
  return new ServedModel({
    config: { name, folder, cache, provider, threads, chunkBytes, savedBytes, batchTokens },
    start: () => startHostProcess({ model: name, log }),
    log,
    loading: loadingProgress(name, terminal, log),
  });
}

/** A server without keys that others can reach must be meant. */
function mustBeSafe({ host, allowAnonymous }: ServeOptions): void {
  if (isLoopback(host) || allowAnonymous) return;
  throw new TracewireError({
    code: 'bad_configuration',
    message: `Whoever can reach ${host} could use this server, for it asks for no keys. Add --allow-anonymous if that is meant, or leave --host out.`,
  });
}
