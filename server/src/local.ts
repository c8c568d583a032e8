/**
 * `remote: false`: the same gateway and the same engine in the caller's process, the engine in a thread so
 * that the caller's event loop stays free. Same conversation, same results; only the socket is missing.
 */
import { resolve } from 'node:path';
import { type Transport, transportPair } from '@tracewire/protocol';
import { defaultCache } from './cache-folder.ts';
import { Gateway } from './gateway/gateway.ts';
import type { HostHandle } from './gateway/host-handle.ts';
import { DEFAULT_LIMITS } from './gateway/limits.ts';
import { SILENT } from './gateway/log.ts';
import { DEFAULT_MODEL, type ModelSource, resolveModel } from './gateway/models.ts';
import { ServedModel } from './gateway/served-model.ts';
import { startEngineThread } from './host/engine-thread.ts';
import { VERSION } from './version.ts';

export interface LocalOptions {
  /** As the command line's `--model`: a folder, `NAME=FOLDER`, or the embedded model's name, the default. */
  readonly model?: string | undefined;
  /** The folder for prepared models. */
  readonly cache?: string | undefined;
}

interface Engine {
  readonly gateway: Promise<Gateway>;
  transports: number;
}

/** Engines that are in use, by model and cache: weights are loaded once a process. */
const engines = new Map<string, Engine>();

/**
 * The client's end of a conversation with an engine in this process. Closing it releases the engine if no
 * other uses it. Rejects with a `TracewireError` when the model can't be loaded.
 */
export async function openLocal(options: LocalOptions = {}): Promise<Transport> {
  const source = resolveModel(options.model ?? DEFAULT_MODEL);
  const cache = resolve(options.cache ?? defaultCache());
  const key = JSON.stringify([source, cache]);
  const engine = engines.get(key) ?? { gateway: startGateway(source, cache), transports: 0 };
  engines.set(key, engine);
  engine.transports += 1;
  try {
    const gateway = await engine.gateway;
    const [client, server] = transportPair();
    gateway.serve(server, () => release(key, engine));
    return client;
  } catch (error) {
    release(key, engine);
    throw error;
  }
}

function release(key: string, engine: Engine): void {
  engine.transports -= 1;
  if (engine.transports > 0) return;
  if (engines.get(key) === engine) engines.delete(key);
  engine.gateway.then(
    (gateway) => gateway.close(),
    () => {},
  );
}

async function startGateway({ name, folder }: ModelSource, cache: string): Promise<Gateway> {
  const { chunkBytes, savedBytes } = DEFAULT_LIMITS;
  const model = new ServedModel({
    config: { name, folder, cache, provider: 'cpu', threads: 0, chunkBytes, savedBytes },
    start: startThread,
    log: SILENT,
  });
  await model.load();
  return new Gateway({ models: [model], log: SILENT, version: VERSION });
}

/** A thread can't be killed while the runtime works; closing its transport ends it as soon as may be. */
async function startThread(): Promise<HostHandle> {
  const transport = startEngineThread();
  return { transport, kill: () => transport.close(1001, 'the engine is given up') };
}
