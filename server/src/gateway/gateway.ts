/**
 * The gateway: accepts, queues, numbers and forwards; it holds no weights and runs no model. It serves
 * whatever transport it is given, so that a WebSocket, a local client and a test are the same to it.
 */
import { randomUUID } from 'node:crypto';
import type { Limits, Transport } from '@tracewire/protocol';
import { findModel } from './admission.ts';
import { Connection } from './connection.ts';
import { KeyRuns } from './key-runs.ts';
import { DEFAULT_LIMITS, HELLO_MS } from './limits.ts';
import type { Log } from './log.ts';
import type { ServedModel } from './served-model.ts';
import type { Services } from './services.ts';

export interface GatewayOptions {
  /** Loaded models; the first is the default. */
  readonly models: readonly ServedModel[];
  readonly log: Log;
  /** The server's version, for the welcome. */
  readonly version: string;
  readonly limits?: Limits;
  readonly helloMs?: number;
}

export interface ServeOptions {
  /** The id of the key that the client came with. */
  readonly key?: string | undefined;
  readonly closed?: () => void;
}

export class Gateway implements Services {
  readonly epoch = randomUUID();
  readonly models: ReadonlyMap<string, ServedModel>;
  readonly limits: Limits;
  /** The runs of clients without a key. */
  readonly runs: KeyRuns;
  readonly log: Log;
  readonly version: string;
  readonly helloMs: number;
  /** With the id of the key that each came with. */
  readonly #connections = new Map<Connection, string | undefined>();
  readonly #runsByKey = new Map<string, KeyRuns>();
  #runs = 0;

  constructor(options: GatewayOptions) {
    this.models = new Map(options.models.map((model) => [model.name, model]));
    this.limits = options.limits ?? DEFAULT_LIMITS;
    this.runs = new KeyRuns(this.limits);
    this.log = options.log;
    this.version = options.version;
    this.helloMs = options.helloMs ?? HELLO_MS;
  }

  /** Serves one client until its transport closes; it sees the runs of its key. */
  serve(transport: Transport, { key, closed }: ServeOptions = {}): void {
    const connection = new Connection(this, this.runsOf(key), transport, () => {
      this.#connections.delete(connection);
      closed?.();
    });
    this.#connections.set(connection, key);
    connection.start();
  }

  /** The runs of a key, by its id. */
  runsOf(key: string | undefined): KeyRuns {
    if (key === undefined) return this.runs;
    const runs = this.#runsByKey.get(key) ?? new KeyRuns(this.limits);
    this.#runsByKey.set(key, runs);
    return runs;
  }

  /** A key is good no more: its connections end, and its runs. */
  revoke(key: string): void {
    for (const [connection, its] of [...this.#connections]) {
      if (its === key) connection.close(4401, 'the key was revoked or has expired');
    }
    this.#runsByKey.get(key)?.close();
    this.#runsByKey.delete(key);
    this.log.info({ key }, 'key is good no more');
  }

  model(name: string): ServedModel {
    return findModel(this.models, name);
  }

  nextRunId(): string {
    this.#runs += 1;
    return `r${this.#runs}`;
  }

  /** Closes all connections, gives all runs up, and ends all hosts. */
  close(): void {
    for (const connection of [...this.#connections.keys()])
      connection.close(1001, 'the server is going away');
    for (const runs of [this.runs, ...this.#runsByKey.values()]) runs.close();
    for (const model of this.models.values()) model.close();
  }
}
