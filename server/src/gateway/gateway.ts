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

export class Gateway implements Services {
  readonly epoch = randomUUID();
  readonly models: ReadonlyMap<string, ServedModel>;
  readonly limits: Limits;
  readonly runs: KeyRuns;
  readonly log: Log;
  readonly version: string;
  readonly helloMs: number;
  readonly #connections = new Set<Connection>();
  #runs = 0;

  constructor(options: GatewayOptions) {
    this.models = new Map(options.models.map((model) => [model.name, model]));
    this.limits = options.limits ?? DEFAULT_LIMITS;
    this.runs = new KeyRuns(this.limits);
    this.log = options.log;
    this.version = options.version;
    this.helloMs = options.helloMs ?? HELLO_MS;
  }

  /** Serves one client until its transport closes. */
  serve(transport: Transport, closed: () => void = () => {}): void {
    const connection = new Connection(this, transport, () => {
      this.#connections.delete(connection);
      closed();
    });
    this.#connections.add(connection);
    connection.start();
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
    for (const connection of [...this.#connections]) connection.close(1001, 'the server is going away');
    this.runs.close();
    for (const model of this.models.values()) model.close();
  }
}
