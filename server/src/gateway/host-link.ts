/**
 * One host's life as the gateway sees it: load, then requests and one pass after another, until it is closed or
 * lost. It knows no client and no queue; served-model.ts decides what to run, host-keeper.ts when to start
 * another.
 */
import {
  decodeMessage,
  dispatch,
  type ErrorBody,
  type Explanation,
  encodeFrame,
  type Handlers,
  type MessageOf,
  type ModelDescription,
  TracewireError,
} from '@tracewire/protocol';
import { joinPayloads } from '../host/join.ts';
import { type hostCommands, hostEvents } from '../host/messages.ts';
import { Refusal } from './admission.ts';
import type { HostHandle, LoadConfig, Loading, Question, RunEvents, Tokens, Work } from './host-handle.ts';
import { LOADING_MS } from './limits.ts';

type HostCommand = MessageOf<typeof hostCommands>;

interface Asked<T> {
  resolve(answer: T): void;
  reject(error: Error): void;
}

/** One of several runs in a pass. */
export interface TogetherRun {
  readonly id: string;
  readonly work: Work;
  readonly events: RunEvents;
}

interface Pass {
  /** Those that have not ended. */
  readonly runs: Map<string, RunEvents>;
  ended(): void;
  apart?(error: ErrorBody | undefined): void;
}

export interface HostLinkOptions {
  /** The model's name, for messages. */
  readonly model: string;
  /** How long it may tell nothing while it loads. */
  readonly loadingMs?: number | undefined;
  loading(loading: Loading): void;
  /** Called once, unless the gateway closed the link itself. */
  lost(error: TracewireError): void;
}

export class HostLink {
  readonly #handle: HostHandle;
  readonly #options: HostLinkOptions;
  readonly #tokens = new Map<number, Asked<Tokens>>();
  readonly #texts = new Map<number, Asked<string>>();
  readonly #explanations = new Map<number, Asked<Explanation>>();
  #load: Asked<ModelDescription> | undefined;
  /** Runs while it loads. */
  #silence: NodeJS.Timeout | undefined;
  /** What the host has, in the order in which it does it: a run under its id, or several in a pass under an id of its own. */
  readonly #passes = new Map<string, Pass>();
  #requests = 0;
  #over: TracewireError | undefined;

  constructor(handle: HostHandle, options: HostLinkOptions) {
    this.#handle = handle;
    this.#options = options;
    handle.transport.listen({
      message: (bytes) => this.#receive(bytes),
      close: (_code, reason) => this.#lose(reason || 'it ended'),
    });
  }

  /** Why it is over, once it is. */
  get failure(): TracewireError | undefined {
    return this.#over;
  }

  /** First and once. Rejects with the host's reason, or `host_lost`. */
  load(config: LoadConfig): Promise<ModelDescription> {
    return new Promise((resolve, reject) => {
      if (this.#over) return reject(this.#over);
      this.#load = { resolve, reject };
      const { loadingMs = LOADING_MS } = this.#options;
      const silent = `it said nothing for ${loadingMs} ms while it loaded the model`;
      this.#silence = setTimeout(() => this.abandon(silent), loadingMs).unref();
      this.#send({ type: 'load', ...config });
    });
  }

  #loaded(answer: (load: Asked<ModelDescription>) => void): void {
    clearTimeout(this.#silence);
    if (this.#load) answer(this.#load);
  }

  /** Begins when what the host has is done. `ended` is called after `events.done`; neither is when the host is lost. */
  run(
    id: string,
    { traces, isSession, payload, blobs = [] }: Work,
    events: RunEvents,
    ended: () => void,
  ): void {
    this.#passes.set(id, { runs: new Map([[id, events]]), ended });
    const files = blobs.length > 0 ? [...blobs] : undefined;
    const work = isSession ? { traces: [...traces] } : { ...traces[0] };
    this.#send({ type: 'run', run: id, ...work, blobs: files } as HostCommand, [payload]);
  }

  /** Several runs in one pass. `ended` is called when all are done; or none is, and `apart` with what kept the pass from it. */
  runTogether(
    id: string,
    runs: readonly TogetherRun[],
    over: { ended(): void; apart(error: ErrorBody | undefined): void },
  ): void {
    this.#passes.set(id, { runs: new Map(runs.map((run) => [run.id, run.events])), ...over });
    this.#send(
      {
        type: 'run_together',
        run: id,
        runs: runs.flatMap(({ id, work: { traces, payload } }) =>
          traces.map(({ graph }) => ({ run: id, graph, bytes: payload.byteLength })),
        ),
      },
      joinPayloads(runs.map(({ work }) => work.payload)),
    );
  }

  /** Of a run, or of a pass of several. */
  cancel(id: string): void {
    if (this.#passes.has(id)) this.#send({ type: 'cancel', run: id });
  }

  tokenize(text: string): Promise<Tokens> {
    return this.#ask(this.#tokens, (request) => ({ type: 'tokenize', request, text }));
  }

  detokenize(ids: number[]): Promise<string> {
    return this.#ask(this.#texts, (request) => ({ type: 'detokenize', request, ids }));
  }

  /** What a run of this graph would do. Rejects with a `Refusal` that has all errors. */
  explain({ graph, payload, blobs }: Question): Promise<Explanation> {
    return this.#ask(
      this.#explanations,
      (request) => ({ type: 'explain', request, graph, blobs: blobs && [...blobs] }),
      payload,
    );
  }

  /** Ends the host. What is under way is rejected; `lost` isn't called. */
  close(): void {
    if (this.#over) return;
    this.#end(new TracewireError({ code: 'shutting_down', message: 'The server is going away.' }));
    this.#handle.transport.close(1001, 'the gateway is done with this host');
    this.#handle.kill();
  }

  bytes(): Promise<number | undefined> {
    return this.#handle.bytes?.() ?? Promise.resolve(undefined);
  }

  /** Ends a host that can't go on: what is under way is lost. */
  abandon(reason: string): void {
    this.#handle.kill();
    this.#lose(reason);
  }

  #ask<T>(
    asked: Map<number, Asked<T>>,
    command: (request: number) => HostCommand,
    payload?: Uint8Array,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#over) return reject(this.#over);
      this.#requests += 1;
      asked.set(this.#requests, { resolve, reject });
      this.#send(command(this.#requests), payload ? [payload] : undefined);
    });
  }

  #send(command: HostCommand, payload: readonly Uint8Array[] = []): void {
    this.#handle.transport.send(encodeFrame(command, payload));
  }

  /** A host that breaks its table can't be trusted with the next run either. */
  #receive(bytes: Uint8Array): void {
    try {
      const event = decodeMessage(hostEvents, bytes);
      if (!this.#over) dispatch(this.#handlers, event);
    } catch (error) {
      this.#lose(error instanceof Error ? error.message : String(error));
      this.#handle.kill();
    }
  }

  readonly #handlers: Handlers<typeof hostEvents> = {
    loading: ({ phase, done, total }) => {
      this.#silence?.refresh();
      this.#options.loading({ phase, done, total });
    },
    loaded: ({ description }) => this.#loaded(({ resolve }) => resolve(description)),
    load_failed: ({ error }) => this.#loaded(({ reject }) => reject(new TracewireError(error))),
    progress: (event, payload) => this.#eventsOf(event.run)?.progress(event, payload),
    value: (event, payload) => this.#eventsOf(event.run)?.value(event, payload),
    chunk: (event, payload) => this.#eventsOf(event.run)?.chunk(event, payload),
    access_error: (event, payload) => this.#eventsOf(event.run)?.access_error(event, payload),
    token: (event, payload) => this.#eventsOf(event.run)?.token(event, payload),
    log: (event, payload) => this.#eventsOf(event.run)?.log(event, payload),
    done: (event, payload) => this.#done(event, payload),
    apart: ({ run, error }) => this.#apart(run, error),
    tokens: ({ request, ids, tokens }) => take(this.#tokens, request)?.resolve({ ids, tokens }),
    text: ({ request, text }) => take(this.#texts, request)?.resolve(text),
    explained: (event) => this.#explained(event),
    refused: ({ request, error }) => this.#refused(request, error),
  };

  #eventsOf(run: string): RunEvents | undefined {
    for (const { runs } of this.#passes.values()) if (runs.has(run)) return runs.get(run);
    return undefined;
  }

  #done(event: MessageOf<typeof hostEvents, 'done'>, payload: Uint8Array): void {
    for (const [id, pass] of this.#passes) {
      const events = pass.runs.get(event.run);
      if (!events) continue;
      pass.runs.delete(event.run);
      events.done(event, payload);
      if (pass.runs.size > 0) return;
      this.#passes.delete(id);
      return pass.ended();
    }
  }

  #apart(id: string, error: ErrorBody | undefined): void {
    const pass = this.#passes.get(id);
    this.#passes.delete(id);
    pass?.apart?.(error);
  }

  #refused(request: number, error: ErrorBody): void {
    const asked =
      take(this.#tokens, request) ?? take(this.#texts, request) ?? take(this.#explanations, request);
    asked?.reject(new TracewireError(error));
  }

  #explained({ request, explanation, errors = [] }: MessageOf<typeof hostEvents, 'explained'>): void {
    const asked = take(this.#explanations, request);
    if (explanation) asked?.resolve(explanation);
    else asked?.reject(new Refusal(errors));
  }

  #lose(reason: string): void {
    if (this.#over) return;
    const message = `The process that held ${this.#options.model} was lost: ${reason.replace(/\.$/, '')}.`;
    const error = new TracewireError({ code: 'host_lost', message, retryAfterMs: 1000 });
    this.#end(error);
    this.#options.lost(error);
  }

  #end(error: TracewireError): void {
    this.#over = error;
    this.#loaded(({ reject }) => reject(error));
    for (const asked of [this.#tokens, this.#texts, this.#explanations]) {
      for (const { reject } of asked.values()) reject(error);
      asked.clear();
    }
  }
}

function take<T>(asked: Map<number, Asked<T>>, request: number): Asked<T> | undefined {
  const found = asked.get(request);
  asked.delete(request);
  return found;
}
