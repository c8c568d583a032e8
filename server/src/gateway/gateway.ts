/**
 * The gateway: accepts, queues, numbers and forwards; it holds no weights and runs no model. It serves
 * whatever transport it is given, so that a WebSocket, a local client and a test are the same to it.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ErrorBody, Limits, Transport } from '@tracewire/protocol';
import { findModel } from './admission.ts';
import { BlobStore } from './blobs/blob-store.ts';
import { Functions } from './blobs/functions.ts';
import { Connection } from './connection.ts';
import { KeyRuns } from './key-runs.ts';
import { networkOf } from './keys/attempts.ts';
import { DEFAULT_LIMITS, HELLO_MS, QUEUE_RETRY_MS, readMs } from './limits.ts';
import type { Log } from './log.ts';
import { type Meter, NO_METER } from './meter.ts';
import { RequestRate } from './request-rate.ts';
import type { ResultStore } from './result-store.ts';
import type { ServedModel } from './served-model.ts';
import type { Services } from './services.ts';
import type { Batching } from './sharing.ts';

/** How long clients have to take in how their runs ended. */
const FAREWELL_MS = 2000;
const POLL_MS = 20;

export interface GatewayOptions {
  /** Loaded models; the first is the default. */
  readonly models: readonly ServedModel[];
  readonly log: Log;
  /** The server's version, for the welcome. */
  readonly version: string;
  readonly limits?: Limits;
  readonly meter?: Meter;
  /** For runs that don't say; `exact` without it. */
  readonly batching?: Batching | undefined;
  readonly helloMs?: number;
  /** Where results go that memory has no room for, or that outlive the gateway; it is closed with the gateway. */
  readonly results?: ResultStore | undefined;
  /** How long a client may take nothing in of what it was sent. */
  readonly readMs?: number;
}

export interface ServeOptions {
  /** The id of the key that the client came with. */
  readonly key?: string | undefined;
  /** Absent for a client in this process. */
  readonly address?: string | undefined;
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
  readonly batching: Batching;
  readonly helloMs: number;
  readonly readMs: number;
  readonly meter: Meter;
  readonly functions: Functions;
  draining = false;
  /** With the id of the key that each came with. */
  readonly #connections = new Map<Connection, string | undefined>();
  readonly #runsByKey = new Map<string, KeyRuns>();
  readonly #results: ResultStore | undefined;
  readonly #blobs: BlobStore;
  readonly #rate: RequestRate | undefined;
  #runs = 0;
  #accepted = 0;

  constructor(options: GatewayOptions) {
    this.models = new Map(options.models.map((model) => [model.name, model]));
    this.limits = options.limits ?? DEFAULT_LIMITS;
    this.#results = options.results;
    this.#blobs = new BlobStore(this.limits, options.results?.folder);
    this.functions = new Functions(this.limits);
    const { requestsPerSecond } = this.limits;
    this.#rate = requestsPerSecond === undefined ? undefined : new RequestRate(requestsPerSecond);
    this.readMs = options.readMs ?? readMs(this.limits);
    this.runs = new KeyRuns(this.limits, undefined, this.#results);
    this.log = options.log;
    this.version = options.version;
    this.meter = options.meter ?? NO_METER;
    this.batching = options.batching ?? 'exact';
    this.helloMs = options.helloMs ?? HELLO_MS;
    for (const restored of this.#results?.takeRestored() ?? []) this.runsOf(restored.key).add(restored);
  }

  /** Serves one client until its transport closes; it sees the runs of its key. */
  serve(transport: Transport, { key, address, closed }: ServeOptions = {}): void {
    this.#accepted += 1;
    const lane = key ?? `c${this.#accepted}`;
    const asks = key ?? (address === undefined ? undefined : networkOf(address));
    const mayAsk = (): number => (asks === undefined ? 0 : (this.#rate?.take(asks) ?? 0));
    const peer = { runs: this.runsOf(key), blobs: this.#blobs.of(key), lane, mayAsk };
    const connection = new Connection(this, peer, transport, () => {
      this.#connections.delete(connection);
      closed?.();
    });
    this.#connections.set(connection, key);
    connection.start();
  }

  /** The runs of a key, by its id. */
  runsOf(key: string | undefined): KeyRuns {
    if (key === undefined) return this.runs;
    const runs = this.#runsByKey.get(key) ?? new KeyRuns(this.limits, key, this.#results);
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
    this.#blobs.forget(key);
    this.log.info({ key }, 'key is good no more');
  }

  model(name: string): ServedModel {
    return findModel(this.models, name);
  }

  nextRunId(): string {
    this.#runs += 1;
    return `r${this.#runs}`;
  }

  get #allRuns(): KeyRuns[] {
    return [this.runs, ...this.#runsByKey.values()];
  }

  /** Bytes of messages that wait for their clients. */
  get heldBytes(): number {
    return this.#allRuns.reduce((sum, runs) => sum + runs.heldBytes, 0);
  }

  /** Whether a key may have one more connection; without keys, whether there may be one more. */
  hasRoomFor(key: string | undefined): boolean {
    const { connections: most = Number.POSITIVE_INFINITY } = this.limits;
    let count = 0;
    for (const its of this.#connections.values()) if (its === key) count += 1;
    return count < most;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /**
   * Takes no more runs and waits until those that are there have ended; ends what is left after the grace with
   * `shutting_down`. Then closes, once clients have all of their runs, or have had some time for it.
   */
  async drain(graceMs: number): Promise<void> {
    this.draining = true;
    await this.#until((runs) => runs.unended === 0, graceMs);
    const error: ErrorBody = {
      code: 'shutting_down',
      message: `The server is going away; the run had not ended ${graceMs} ms after it was told to.`,
      retryAfterMs: QUEUE_RETRY_MS,
    };
    for (const runs of this.#allRuns) runs.expire(error);
    await this.#until((runs) => !runs.busy, FAREWELL_MS);
    this.close();
  }

  async #until(isSo: (runs: KeyRuns) => boolean, mostMs: number): Promise<void> {
    const until = performance.now() + mostMs;
    while (!this.#allRuns.every(isSo) && performance.now() < until) await sleep(Math.min(POLL_MS, mostMs));
  }

  /** Closes all connections, gives all runs up but what the disk keeps, and ends all hosts. */
  close(): void {
    this.#results?.close();
    for (const connection of [...this.#connections.keys()])
      connection.close(1001, 'the server is going away');
    for (const runs of this.#allRuns) runs.close();
    for (const model of this.models.values()) model.close();
    this.#blobs.close();
  }
}
