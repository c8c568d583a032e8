/** A gateway with one toy model on scripted hosts, and the graphs that tests send to it. */
import { type Graph, type Limits, transportPair } from '@tracewire/protocol';
import { Gateway } from '../gateway.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { type Log, SILENT } from '../log.ts';
import type { ResultStore } from '../result-store.ts';
import { ServedModel } from '../served-model.ts';
import type { Batching } from '../sharing.ts';
import { type Answer, type ScriptedHost, scriptedHosts } from './scripted-host.ts';
import { TestClient } from './test-client.ts';

export interface Toy {
  readonly gateway: Gateway;
  readonly model: ServedModel;
  readonly hosts: ScriptedHost[];
  /** The newest host. */
  host(): ScriptedHost;
  /** A client that has said hello, and what else it understands. */
  client(...capabilities: string[]): Promise<TestClient>;
  /** A client that hasn't. */
  stranger(key?: string): TestClient;
}

interface ToyOptions {
  readonly limits?: Partial<Limits>;
  readonly answer?: Answer;
  readonly queuedRuns?: number;
  readonly helloMs?: number;
  readonly runMs?: number;
  readonly stuckMs?: number;
  readonly loadingMs?: number;
  readonly results?: ResultStore;
  readonly readMs?: number;
  readonly batching?: Batching;
  readonly log?: Log;
}

export async function toy({
  limits,
  answer,
  helloMs,
  results,
  readMs,
  batching,
  log = SILENT,
  ...rest
}: ToyOptions = {}): Promise<Toy> {
  const { start, hosts } = scriptedHosts(answer);
  const config = {
    name: 'toy',
    folder: '/models/toy',
    cache: '/cache',
    provider: 'cpu',
    threads: 0,
    chunkBytes: 64,
    savedBytes: 4096,
    intermediateBytes: 4096,
  } as const;
  const model = new ServedModel({
    config,
    start,
    log: SILENT,
    waitFactor: 0.001,
    ...rest,
  });
  await model.load();
  const gateway = new Gateway({
    models: [model],
    log,
    version: '0.0.0',
    limits: { ...DEFAULT_LIMITS, ...limits },
    results,
    batching,
    ...(helloMs === undefined ? {} : { helloMs }),
    ...(readMs === undefined ? {} : { readMs }),
  });
  const stranger = (key?: string): TestClient => {
    const [client, server] = transportPair();
    gateway.serve(server, { key });
    return new TestClient(client);
  };
  return {
    gateway,
    model,
    hosts,
    stranger,
    host: () => {
      const host = hosts.at(-1);
      if (!host) throw new Error('no host was started');
      return host;
    },
    client: async (...capabilities) => {
      const client = stranger();
      await client.hello(...capabilities);
      return client;
    },
  };
}

/** Saves two values; the second is computed after the first. */
export const TWO_SAVES: Graph = {
  invokes: [{ input: { ids: [1, 2] } }],
  nodes: [
    { kind: 'read', place: { module: 'h.0', port: 'output' } },
    { kind: 'save', value: 0 },
    { kind: 'read', place: { module: 'h.1', port: 'output' } },
    { kind: 'save', value: 2 },
  ],
};

/** A float32 value of `count` elements as a host announces it. */
export function floats(count: number) {
  const tensor = { dtype: 'float32', dims: [count], offset: 0, length: count * 4 } as const;
  return { value: { tensor }, bytes: count * 4, payload: new Uint8Array(count * 4).fill(7) };
}
