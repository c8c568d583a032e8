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
import { type EngineThread, startEngineThread } from './host/engine-thread.ts';
import { VERSION } from './version.ts';

export interface LocalOptions {
  /** As the command line's `--model`: a folder, `NAME=FOLDER`, or the embedded model's name, the default. */
  readonly model?: string | undefined;
  /** The folder for prepared models. */
  readonly cache?: string | undefined;
}

/** A local transport also hears when its conversation waits for something: an idle engine lets the process end. */
export interface LocalTransport extends Transport {
  busy(busy: boolean): void;
}

interface Engine {
  readonly gateway: Promise<Gateway>;
  thread: EngineThread | undefined;
  transports: number;
  /** Conversations that wait for something. */
  readonly busy: Set<Transport>;
}

/** Engines that are in use, by model and cache: weights are loaded once a process. */
const engines = new Map<string, Engine>();

/**
 * The client's end of a conversation with an engine in this process. Closing it releases the engine if no
 * other uses it. Rejects with a `TracewireError` when the model can't be loaded.
 */
export async function openLocal(options: LocalOptions = {}): Promise<LocalTransport> {
  const source = resolveModel(options.model ?? DEFAULT_MODEL);
  const cache = resolve(options.cache ?? defaultCache());
  const key = JSON.stringify([source, cache]);
  const engine = engines.get(key) ?? startEngine(source, cache);
  engines.set(key, engine);
  engine.transports += 1;
  try {
    const gateway = await engine.gateway;
    const [client, server] = transportPair();
    const closed = (): void => {
      setBusy(engine, client, false);
      release(key, engine);
    };
    gateway.serve(server, { closed });
    setBusy(engine, client, false);
    return { ...client, busy: (busy) => setBusy(engine, client, busy) };
  } catch (error) {
    release(key, engine);
    throw error;
  }
}

function setBusy(engine: Engine, conversation: Transport, busy: boolean): void {
  if (busy) engine.busy.add(conversation);
  else engine.busy.delete(conversation);
  engine.thread?.keepProcess(engine.busy.size > 0);
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

function startEngine(source: ModelSource, cache: string): Engine {
  // A thread can't be killed while the runtime works; closing its transport ends it as soon as may be.
  const start = async (): Promise<HostHandle> => {
    const thread = startEngineThread();
    engine.thread = thread;
    return {
      transport: thread.transport,
      kill: () => thread.transport.close(1001, 'the engine is given up'),
    };
  };
  const engine: Engine = {
    gateway: Promise.resolve().then(() => startGateway(source, cache, start)),
    thread: undefined,
    transports: 0,
    busy: new Set(),
  };
  return engine;
}

async function startGateway(
  { name, folder }: ModelSource,
  cache: string,
  start: () => Promise<HostHandle>,
): Promise<Gateway> {
  const { chunkBytes, savedBytes, intermediateBytes, batchTokens } = DEFAULT_LIMITS;
  const model = new ServedModel({
    config: {
      name,
      folder,
      cache,
      provider: 'cpu',
      threads: 0,
      chunkBytes,
      savedBytes,
      intermediateBytes,
      batchTokens,
    },
    start,
    log: SILENT,
  });
  await model.load();
  // Nobody else is here to be kept from anything.
  const limits = { ...DEFAULT_LIMITS, connections: undefined, requestsPerSecond: undefined };
  return new Gateway({ models: [model], log: SILENT, version: VERSION, limits });
}
