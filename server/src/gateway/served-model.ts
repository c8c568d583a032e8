/** One model that the gateway serves: its description, its queue, its host, and the run in hand. */
import { type ModelDescription, ModelIndex, type TracewireError } from '@tracewire/protocol';
import type { LoadConfig, Loading, StartHost, Tokens } from './host-handle.ts';
import { HostKeeper, type HostKeeperOptions } from './host-keeper.ts';
import type { HostLink } from './host-link.ts';
import type { Log } from './log.ts';
import { RunQueue } from './queue.ts';
import type { Run } from './run.ts';

export interface ServedModelOptions {
  readonly config: LoadConfig;
  readonly start: StartHost;
  readonly log: Log;
  readonly waitFactor?: number;
  readonly queuedRuns?: number;
  loading?(loading: Loading): void;
}

export class ServedModel {
  readonly name: string;
  readonly #keeper: HostKeeper;
  readonly #queue: RunQueue;
  readonly #log: Log;
  #index: ModelIndex | undefined;
  #current: Run | undefined;
  #closed = false;

  /** Call `load` before anything else. */
  constructor(options: ServedModelOptions) {
    this.name = options.config.name;
    this.#log = options.log;
    this.#queue = new RunQueue(options.queuedRuns);
    const keeper: HostKeeperOptions = {
      ...options,
      loading: (loading) => options.loading?.(loading),
      loaded: (description) => this.#describe(description),
      lost: (error) => this.#lost(error),
    };
    this.#keeper = new HostKeeper(keeper);
  }

  /** Rejects with the reason when the model can't be loaded, after which the host is gone. */
  async load(): Promise<void> {
    await this.#keeper.first();
  }

  get index(): ModelIndex {
    if (!this.#index) throw new Error(`${this.name} has not been loaded`);
    return this.#index;
  }

  get description(): ModelDescription {
    return this.index.description;
  }

  async tokenize(text: string): Promise<Tokens> {
    return (await this.#keeper.ready()).tokenize(text);
  }

  async detokenize(ids: number[]): Promise<string> {
    return (await this.#keeper.ready()).detokenize(ids);
  }

  /** Throws `queue_full`; ask before the run is told that it was received. */
  mustHaveRoom(): void {
    if (this.#busy) this.#queue.mustHaveRoom();
  }

  submit(run: Run): void {
    this.#queue.push(run);
    this.#pump();
    this.#queue.announce(this.#running);
  }

  /** A waiting run ends at once; one that runs ends when the host has come to the end of its segment. */
  cancel(run: Run): void {
    run.cancel();
    if (this.#queue.remove(run)) {
      run.finish('cancelled');
      this.#queue.announce(this.#running);
    } else if (this.#current === run) {
      this.#keeper.link?.cancel(run.hostId);
    }
  }

  close(): void {
    this.#closed = true;
    this.#keeper.close();
  }

  get #running(): number {
    return this.#current ? 1 : 0;
  }

  get #busy(): boolean {
    return this.#current !== undefined || this.#keeper.link === undefined;
  }

  #pump(): void {
    if (this.#current || this.#queue.length === 0 || this.#closed) return;
    const link = this.#keeper.link;
    if (link) this.#begin(link);
    else this.#revive();
  }

  #begin(link: HostLink): void {
    const run = this.#queue.shift();
    if (!run) return;
    this.#current = run;
    const work = run.running();
    if (!work) return this.#ended(run);
    this.#log.debug({ model: this.name, run: run.hostId }, 'run begins');
    link.run(run.hostId, work, run, () => {
      this.#keeper.works();
      this.#ended(run);
    });
  }

  #ended(run: Run): void {
    this.#log.debug({ model: this.name, run: run.hostId }, 'run ended');
    this.#current = undefined;
    this.#pump();
    this.#queue.announce(this.#running);
  }

  /** Also without a run that waits, so that the next one finds a host. */
  #revive(): void {
    this.#keeper.ready().then(
      () => {
        this.#pump();
        this.#queue.announce(this.#running);
      },
      (error: TracewireError) => this.#failWaiting(error),
    );
  }

  #failWaiting(error: TracewireError): void {
    for (let run = this.#queue.shift(); run; run = this.#queue.shift()) {
      run.finish('failed', { errors: [error.body] });
    }
  }

  #lost(error: TracewireError): void {
    const run = this.#current;
    this.#current = undefined;
    run?.finish('failed', { errors: [error.body] });
    this.#revive();
  }

  #describe(description: ModelDescription): void {
    if (this.#index?.description.id === description.id) return;
    this.#index = new ModelIndex(description);
  }
}
