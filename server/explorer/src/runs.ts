/** The page's own runs, live: each is told by the client's callbacks, and can be cancelled. */
import type { LanguageModel, TraceOptions } from '@tracewire/client';
import { sha256Hex } from '@tracewire/protocol';
import { type Fault, faultOf } from './faults.ts';
import type { Model } from './recipe.ts';
import { Store } from './store.ts';

export interface PageRun {
  readonly id: number;
  /** For people: `Logit lens`. */
  readonly what: string;
  readonly model: string;
  readonly state: 'sending' | 'received' | 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';
  /** How it goes, in a few words: `queued, 2 ahead`, `block 7 of 12`. */
  readonly detail: string;
  /** From 0 to 1, where that is known. */
  readonly part: number | undefined;
  readonly begun: number;
  readonly ms: number | undefined;
  readonly fault: Fault | undefined;
  /** What the server calls it in its list; unknown until it was received. */
  readonly handle: string | undefined;
}

/** A run that was started. */
export interface Started<T> {
  readonly id: number;
  readonly result: Promise<T>;
  cancel(): void;
}

/** Ended runs that are still listed. */
const KEPT = 12;

export class Runs {
  readonly list = new Store<readonly PageRun[]>([]);
  readonly #cancels = new Map<number, () => void>();
  readonly #onTurn: () => void;
  #last = 0;

  /** `onTurn` hears when a run begins or ends. */
  constructor(onTurn: () => void) {
    this.#onTurn = onTurn;
  }

  start<T>(
    model: LanguageModel,
    what: string,
    recipe: (model: Model, tokens: TokenSink) => PromiseLike<T>,
  ): Started<T> {
    this.#last += 1;
    const id = this.#last;
    const aborter = new AbortController();
    const cancel = (): void => aborter.abort();
    this.#cancels.set(id, cancel);
    const begun = performance.now();
    const run: PageRun = {
      id,
      what,
      model: model.name,
      state: 'sending',
      detail: 'connecting',
      part: undefined,
      begun,
      ms: undefined,
      fault: undefined,
      handle: undefined,
    };
    this.list.set([run, ...this.list.value].slice(0, KEPT));
    const sink: TokenSink = { take: () => undefined };
    const watched = withOptions(model, { signal: aborter.signal, ...this.#callbacks(id) }, sink);
    const result = this.#settle(id, begun, aborter.signal, () => recipe(watched, sink));
    result.catch(() => undefined);
    return { id, result, cancel };
  }

  cancel(id: number): void {
    this.#cancels.get(id)?.();
  }

  async #settle<T>(id: number, begun: number, signal: AbortSignal, go: () => PromiseLike<T>): Promise<T> {
    const end = (change: Partial<PageRun>): void =>
      this.#change(id, { part: undefined, ms: performance.now() - begun, ...change });
    try {
      const result = await go();
      end({ state: 'completed', detail: 'done' });
      return result;
    } catch (error) {
      if (signal.aborted) end({ state: 'cancelled', detail: 'cancelled' });
      else end({ state: 'failed', detail: 'failed', fault: faultOf(error) });
      throw error;
    } finally {
      this.#cancels.delete(id);
      this.#onTurn();
    }
  }

  #callbacks(id: number): TraceOptions {
    return {
      onStatus: ({ run, state, position, waitMs }) => {
        if (state !== 'received' && state !== 'queued' && state !== 'running') return;
        const wait = waitMs === undefined || waitMs < 1000 ? '' : `, about ${Math.ceil(waitMs / 1000)} s`;
        const ahead = position === undefined || position === 0 ? 'next' : `${position} ahead`;
        const detail = state === 'queued' ? `queued: ${ahead}${wait}` : state;
        this.#change(id, { state, detail, part: undefined, handle: handleOf(run) });
        if (state === 'running') this.#onTurn();
      },
      onProgress: ({ done, total, phase }) => {
        const what = phase === 'loading' ? 'loading the model' : 'running';
        this.#change(id, {
          detail: `${what}: ${done} of ${total}`,
          part: total > 0 ? done / total : undefined,
        });
      },
      onConnection: (event) => {
        if (event.state === 'resumed') this.#change(id, { detail: 'connected again' });
        else this.#change(id, { detail: 'connection lost, trying again', part: undefined });
      },
    };
  }

  #change(id: number, change: Partial<PageRun>): void {
    this.list.set(this.list.value.map((run) => (run.id === id ? { ...run, ...change } : run)));
  }
}

/** As PROTOCOL.md, section 1.6, makes it of a run's id. */
function handleOf(run: string): string {
  return sha256Hex(new TextEncoder().encode(run)).slice(0, 32);
}

/** Where a generation's tokens go as they come. */
export interface TokenSink {
  take: (text: string) => void;
}

/** The model as a recipe has it: what is written once, every call is given. */
function withOptions(model: LanguageModel, options: TraceOptions, sink: TokenSink): Model {
  return {
    trace: ((...written: readonly unknown[]) => {
      const fn = written.at(-1);
      const trace = model.trace.bind(model) as (...all: readonly unknown[]) => Promise<unknown>;
      return trace(...written.slice(0, -1), options, fn);
    }) as Model['trace'],
    generate: (prompt, own) =>
      model.generate(prompt, { ...options, ...own, onToken: ({ text }) => sink.take(text) }),
    describe: () => model.describe(),
  };
}
