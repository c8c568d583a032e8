/** One model that the gateway serves: its description, its queue, its host, and the run in hand, or those that share a pass. */
import { isDeepStrictEqual } from 'node:util';
import {
  type Explanation,
  type Limits,
  type ModelDescription,
  ModelIndex,
  type TracewireError,
} from '@tracewire/protocol';
import type { LoadConfig, Loading, Question, StartHost, Tokens } from './host-handle.ts';
import { HostKeeper, type HostKeeperOptions } from './host-keeper.ts';
import type { HostLink } from './host-link.ts';
import { DEFAULT_LIMITS, STUCK_MS, TOGETHER_MS } from './limits.ts';
import type { Log } from './log.ts';
import type { Meter } from './meter.ts';
import { RunQueue } from './queue.ts';
import type { Run } from './run.ts';
import { ridersFor } from './sharing.ts';
import type { Shelf } from './shelf.ts';

export interface ServedModelOptions {
  readonly config: LoadConfig;
  readonly start: StartHost;
  readonly log: Log;
  readonly meter?: Meter;
  readonly waitFactor?: number;
  readonly loadingMs?: number;
  readonly queuedRuns?: number | undefined;
  /** What a pass over several runs keeps within. */
  readonly limits?: Pick<Limits, 'nodes' | 'batchTokens' | 'invokes'>;
  /** How long a run may take once it has begun. */
  readonly runMs?: number | undefined;
  /** How long a host may go on after a cancel before it is ended. */
  readonly stuckMs?: number;
  /** Where it shares memory with other models. */
  readonly shelf?: Shelf | undefined;
  loading?(loading: Loading): void;
  /** What was kept of its description from an earlier start. */
  kept?(): Promise<ModelDescription | undefined>;
}

export class ServedModel {
  readonly name: string;
  readonly #options: ServedModelOptions;
  readonly #keeper: HostKeeper;
  readonly #queue: RunQueue;
  readonly #log: Log;
  #index: ModelIndex | undefined;
  /** In hand: one, or several in a pass. */
  #current: readonly Run[] = [];
  /** What the host calls that. */
  #pass = '';
  /**
   * The one that the host has behind it, and begins by itself, so that it needn't idle until it is told. Until then it is a run that waits,
   * in the queue.
   */
  #ahead: Run | undefined;
  #begun = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Both on the clock of `performance.now`. */
  #usedAt = 0;
  #loadedAt = 0;

  /** Call `load` or `describe` before anything else. */
  constructor(options: ServedModelOptions) {
    this.name = options.config.name;
    this.#options = options;
    this.#log = options.log;
    this.#queue = new RunQueue(options.queuedRuns);
    const keeper: HostKeeperOptions = {
      ...options,
      room: async () => (await options.shelf?.room(this)) ?? (() => {}),
      loading: (loading) => this.#loading(loading),
      loaded: (description) => this.#describe(description),
      lost: (error) => this.#lost(error),
    };
    this.#keeper = new HostKeeper(keeper);
  }

  /** Rejects with the reason when the model can't be loaded, after which the host is gone. */
  async load(): Promise<void> {
    await this.#keeper.first();
  }

  /** Learns the model's description, but loads nothing: the model is loaded when it is wanted. */
  async describe(): Promise<void> {
    await this.#keeper.describe();
  }

  get index(): ModelIndex {
    if (!this.#index) throw new Error(`${this.name} has not been loaded`);
    return this.#index;
  }

  get description(): ModelDescription {
    return this.index.description;
  }

  /** Whether its weights are in memory. */
  get loaded(): boolean {
    return this.#keeper.link !== undefined;
  }

  /** Memory of its host, without mapped files; undefined where there is none or that can't be told. */
  async hostBytes(): Promise<number | undefined> {
    return this.#keeper.link?.bytes();
  }

  /** Whether nobody would miss it now, or it has had its time. */
  get mayUnload(): boolean {
    if (this.#running > 0 || this.#keeper.starting) return false;
    return this.#queue.length === 0 || this.#mustYield;
  }

  get usedAt(): number {
    return this.#usedAt;
  }

  get loadedAt(): number {
    return this.#loadedAt;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Runs that wait, and the one that runs. */
  get runs(): { readonly waiting: number; readonly running: number } {
    return { waiting: this.#queue.length, running: this.#running };
  }

  async tokenize(text: string): Promise<Tokens> {
    return (await this.#host()).tokenize(text);
  }

  async detokenize(ids: number[]): Promise<string> {
    return (await this.#host()).detokenize(ids);
  }

  async explain(question: Question): Promise<Explanation> {
    return (await this.#host()).explain(question);
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
      if (this.#ahead === run) this.#keeper.link?.cancel(run.hostId);
      run.finish('cancelled');
      this.#queue.announce(this.#running);
    } else if (this.#current.includes(run)) {
      // The others of its pass go on, and so does the pass.
      if (this.#current.length > 1) run.finish('cancelled');
      if (this.#current.every((one) => one.ended || one === run)) this.#stop();
    }
  }

  /** Lets go of the weights until the model is wanted again, which may be at once. */
  unload(): void {
    this.#log.info({ model: this.name }, 'model unloaded');
    this.#keeper.rest();
    this.proceed();
  }

  /** Goes on with the runs that wait: another model wanted this one's room and no longer does. */
  proceed(): void {
    this.#pump();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#keeper.close();
  }

  #host(): Promise<HostLink> {
    this.#usedAt = performance.now();
    return this.#keeper.ready();
  }

  get #running(): number {
    return this.#current.length;
  }

  get #busy(): boolean {
    return this.#running > 0 || this.#keeper.link === undefined;
  }

  #pump(): void {
    if (this.#queue.length === 0 || this.#closed) return;
    const link = this.#keeper.link;
    if (this.#running === 0 && !link) return this.#revive();
    if (!link || this.#mustYield) return;
    if (this.#running === 0) this.#begin(link);
    if (this.#running === 1) this.#sendAhead(link);
  }

  get #mustYield(): boolean {
    return this.#options.shelf?.mustYield(this) ?? false;
  }

  #begin(link: HostLink): void {
    const run = this.#queue.shift();
    if (!run) return;
    const riders = run.share
      ? ridersFor(run.share, this.#queue.waiting(), this.#options.limits ?? DEFAULT_LIMITS)
      : [];
    for (const rider of riders) this.#queue.take(rider);
    this.#begins([run, ...riders]);
    if (riders.length > 0) return this.#beginTogether(link);
    const { work } = run;
    if (!work) return this.#ended();
    this.#runs(run);
    link.run(run.hostId, work, run, () => this.#worked());
  }

  #begins(runs: readonly Run[]): void {
    this.#current = runs;
    this.#begun = performance.now();
    this.#usedAt = this.#begun;
    this.#options.meter?.passBegan(this.name, this.#running);
    this.#log.debug({ model: this.name, runs: runs.map(({ hostId }) => hostId) }, 'pass begins');
  }

  /** The one that is in hand alone. */
  #runs(run: Run): void {
    run.running();
    this.#pass = run.hostId;
    const { runMs } = this.#options;
    if (runMs !== undefined) this.#timer = setTimeout(() => this.#overdue(run, runMs), runMs).unref();
  }

  /** Not one that may share a pass: who goes with it shows when it begins. */
  #sendAhead(link: HostLink): void {
    const run = this.#queue.first;
    if (this.#ahead || !run?.work || run.share) return;
    this.#ahead = run;
    link.run(run.hostId, run.work, run, () => this.#worked());
  }

  /** The host has gone on to it. One that was cancelled while it waited has ended for its client; the host still has to say so. */
  #goesOn(run: Run): void {
    this.#ahead = undefined;
    this.#queue.take(run);
    this.#begins([run]);
    this.#runs(run);
    if (run.ended) this.#stop();
  }

  #beginTogether(link: HostLink): void {
    const runs = this.#current.flatMap((run) => {
      const work = run.running(true);
      return work ? [{ id: run.hostId, work, events: run }] : [];
    });
    this.#pass = `${runs[0]?.id}+`;
    const { runMs = Number.POSITIVE_INFINITY } = this.#options;
    // One of them may take long; alone it is told so, and the others need not wait for it.
    this.#timer = setTimeout(() => this.#stop(), Math.min(runMs, TOGETHER_MS)).unref();
    link.runTogether(this.#pass, runs, {
      ended: () => this.#worked(),
      apart: (error) => {
        this.#log.info({ model: this.name, error }, 'runs go apart');
        this.#keeper.works();
        this.#goApart();
        this.#ended();
      },
    });
  }

  /** Those that have not ended begin again, each alone. */
  #goApart(): void {
    const left = this.#current.filter((run) => !run.ended);
    for (const run of left) run.apart();
    this.#queue.putBack(left);
  }

  #overdue(run: Run, runMs: number): void {
    run.expire({
      code: 'deadline_exceeded',
      message: `The run took longer than the ${runMs} ms that this server allows one.`,
      wanted: `at most ${runMs} ms`,
    });
    this.cancel(run);
  }

  /** Ends the pass. A host that doesn't come to an end is of no use to the runs that wait. */
  #stop(): void {
    const pass = this.#pass;
    this.#keeper.link?.cancel(pass);
    clearTimeout(this.#timer);
    const stuckMs = this.#options.stuckMs ?? STUCK_MS;
    this.#timer = setTimeout(() => {
      if (this.#pass === pass) this.#keeper.kill(`it did not stop within ${stuckMs} ms of a cancel`);
    }, stuckMs).unref();
  }

  #worked(): void {
    this.#keeper.works();
    this.#queue.took((performance.now() - this.#begun) / this.#running);
    this.#ended();
  }

  #ended(): void {
    this.#log.debug({ model: this.name, pass: this.#pass }, 'pass ended');
    clearTimeout(this.#timer);
    this.#current = [];
    this.#pass = '';
    this.#usedAt = performance.now();
    if (this.#ahead) this.#goesOn(this.#ahead);
    this.#pump();
    this.#queue.announce(this.#running);
  }

  /** Also without a run that waits, so that the next one finds a host. */
  #revive(): void {
    this.#host().then(
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
    clearTimeout(this.#timer);
    this.#options.meter?.hostLost(this.name);
    // Which of several it was that the host didn't survive shows when each runs alone.
    if (this.#running > 1) this.#goApart();
    else this.#current[0]?.finish('failed', { errors: [error.body] });
    this.#current = [];
    this.#pass = '';
    this.#ahead = undefined;
    this.#revive();
  }

  #loading(loading: Loading): void {
    this.#options.loading?.(loading);
    for (const run of this.#queue.waiting()) run.loading(loading.done, loading.total);
  }

  #describe(description: ModelDescription): void {
    this.#loadedAt = performance.now();
    if (isDeepStrictEqual(this.#index?.description, description)) return;
    this.#index = new ModelIndex(description);
  }
}
