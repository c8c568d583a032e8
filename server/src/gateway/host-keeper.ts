/**
 * Keeps one model's host up: starts it, and after a loss starts another, waiting longer each time until a
 * run shows that the host works. Nothing waits for ever: after some attempts in a row the waiting is told.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ModelDescription, TracewireError, toErrorBody } from '@tracewire/protocol';
import type { LoadConfig, Loading, StartHost } from './host-handle.ts';
import { HostLink } from './host-link.ts';
import type { Log } from './log.ts';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** Starts that fail one after another before the runs that wait are failed. */
const ATTEMPTS = 4;

export interface HostKeeperOptions {
  readonly config: LoadConfig;
  readonly start: StartHost;
  readonly log: Log;
  /** Multiplies the waits; tests shorten them. */
  readonly waitFactor?: number;
  /** How long a host may tell nothing while it loads. */
  readonly loadingMs?: number | undefined;
  /** What was kept of the model's description from an earlier start. */
  kept?(): Promise<ModelDescription | undefined>;
  /** Waits until there is memory for the model; what it gives is called when the start is over. */
  room(): Promise<() => void>;
  loading(loading: Loading): void;
  loaded(description: ModelDescription): void;
  /** The host with the current run is gone. */
  lost(error: TracewireError): void;
}

export class HostKeeper {
  readonly #options: HostKeeperOptions;
  readonly #closing = new AbortController();
  #link: HostLink | undefined;
  #loading: HostLink | undefined;
  #restarting: Promise<HostLink> | undefined;
  #losses = 0;

  constructor(options: HostKeeperOptions) {
    this.#options = options;
  }

  /** The host, if it is up. */
  get link(): HostLink | undefined {
    return this.#link;
  }

  /** The first start, tried once: a model that can't be loaded should be heard of at once. */
  first(): Promise<HostLink> {
    return this.#start();
  }

  /** Learns the model's description, from an earlier start or of a host that is ended again. */
  async describe(): Promise<void> {
    const kept = await this.#options.kept?.();
    if (kept) return this.#options.loaded(kept);
    const link = await this.#connect();
    try {
      this.#options.loaded(await link.load({ ...this.#options.config, describeOnly: true }));
    } finally {
      this.#loading = undefined;
      link.close();
    }
  }

  /** The host, started if need be. Rejects with `host_lost` when it can't be had. */
  ready(): Promise<HostLink> {
    if (this.#link) return Promise.resolve(this.#link);
    this.#restarting ??= this.#restart().finally(() => {
      this.#restarting = undefined;
    });
    return this.#restarting;
  }

  /** A run went through, so the next loss starts from the shortest wait again. */
  works(): void {
    this.#losses = 0;
  }

  get starting(): boolean {
    return this.#loading !== undefined || this.#restarting !== undefined;
  }

  /** Ends the host, to be started again when it is wanted. */
  rest(): void {
    this.#link?.close();
    this.#link = undefined;
  }

  /** Ends a host that can't go on; it counts as lost. */
  kill(reason: string): void {
    this.#link?.abandon(reason);
  }

  close(): void {
    this.#closing.abort();
    this.#loading?.close();
    this.#link?.close();
    this.#link = undefined;
  }

  async #restart(): Promise<HostLink> {
    let cause: unknown;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await this.#wait();
      try {
        return await this.#start();
      } catch (error) {
        cause = error;
        this.#losses += 1;
        this.#options.log.error({ model: this.#options.config.name, error: toErrorBody(error) }, 'no host');
      }
    }
    throw new TracewireError({
      code: 'host_lost',
      message: `The process that held ${this.#options.config.name} was lost and can’t be started again.`,
      retryAfterMs: LONGEST_WAIT_MS,
      cause: toErrorBody(cause),
    });
  }

  async #wait(): Promise<void> {
    const backOff = Math.min(FIRST_WAIT_MS * 2 ** (this.#losses - 1), LONGEST_WAIT_MS);
    const wait = this.#losses === 0 ? 0 : backOff * (this.#options.waitFactor ?? 1);
    try {
      await sleep(wait, undefined, { signal: this.#closing.signal });
    } catch {
      throw shuttingDown();
    }
  }

  async #start(): Promise<HostLink> {
    const over = await this.#options.room();
    try {
      return await this.#load(await this.#connect());
    } finally {
      this.#loading = undefined;
      over();
    }
  }

  async #load(link: HostLink): Promise<HostLink> {
    try {
      const description = await link.load(this.#options.config);
      if (this.#closing.signal.aborted) throw shuttingDown();
      // It may have been lost since it said so.
      if (link.failure) throw link.failure;
      this.#options.loaded(description);
      this.#link = link;
      return link;
    } catch (error) {
      link.close();
      throw error;
    }
  }

  async #connect(): Promise<HostLink> {
    const { config, start, loading, loadingMs } = this.#options;
    const handle = await start();
    const link = new HostLink(handle, {
      model: config.name,
      loadingMs,
      loading,
      lost: (error) => this.#lost(link, error),
    });
    this.#loading = link;
    if (this.#closing.signal.aborted) link.close();
    return link;
  }

  #lost(link: HostLink, error: TracewireError): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    this.#losses += 1;
    this.#options.log.error({ model: this.#options.config.name, reason: error.message }, 'host lost');
    this.#options.lost(error);
  }
}

function shuttingDown(): TracewireError {
  return new TracewireError({ code: 'shutting_down', message: 'The server is going away.' });
}
