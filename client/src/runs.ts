/** The runs of a connection: those that the server works on, and those that wait until it takes another. */
import {
  type ClientMessage,
  type ErrorBody,
  type Graph,
  type Limits,
  toErrorBody,
} from '@tracewire/protocol';
import { Run, type RunListener } from './run.ts';
import { violation } from './violation.ts';

/** What a run sends. */
export interface RunRequest {
  readonly model: string;
  readonly graph: Graph;
  readonly payload: readonly Uint8Array[];
  /** Ids of the save nodes. */
  readonly saves: Iterable<number>;
}

/** A run that was asked for, sent or not. */
interface HeldRun {
  readonly id: string;
  readonly request: RunRequest;
  readonly listener: RunListener;
}

export class Runs {
  readonly #send: (message: ClientMessage, payload?: readonly Uint8Array[]) => void;
  readonly #running = new Map<string, Run>();
  readonly #held: HeldRun[] = [];

  /** `send` may throw a `TracewireError`; the run is refused with it then. */
  constructor(send: (message: ClientMessage, payload?: readonly Uint8Array[]) => void) {
    this.#send = send;
  }

  /** How many have not ended. */
  get size(): number {
    return this.#running.size + this.#held.length;
  }

  /** Sends a run, now or when the server takes one more. The result cancels it. */
  start(request: RunRequest, listener: RunListener, limits: Limits): () => void {
    const entry = { id: newRunId(), request, listener };
    this.#held.push(entry);
    this.#startHeld(limits);
    return () => this.#cancel(entry);
  }

  /** Throws a violation for a run that is not open. */
  get(id: string): Run {
    const run = this.#running.get(id);
    if (!run) throw violation(`a message of run ${id}, which is not open`);
    return run;
  }

  has(id: string): boolean {
    return this.#running.has(id);
  }

  /** A run has ended, so another may start. */
  end(id: string, limits: Limits): void {
    this.#running.delete(id);
    this.#startHeld(limits);
  }

  refuseAll(error: ErrorBody): void {
    const running = [...this.#running.values()];
    const held = this.#held.splice(0);
    this.#running.clear();
    for (const run of running) run.refuse([error]);
    for (const { listener } of held) listener.refused([error]);
  }

  #startHeld(limits: Limits): void {
    while (this.#running.size < Math.max(1, limits.runs)) {
      const next = this.#held.shift();
      if (!next) return;
      this.#startNow(next, limits);
    }
  }

  #startNow({ id, request: { model, graph, payload, saves }, listener }: HeldRun, limits: Limits): void {
    const ack = (seq: number): void => this.#send({ type: 'ack', run: id, seq });
    try {
      this.#send({ type: 'run', run: id, model, graph: graph as never }, payload);
    } catch (error) {
      listener.refused([toErrorBody(error)]);
      return;
    }
    this.#running.set(id, new Run(saves, limits, listener, ack));
  }

  #cancel(entry: HeldRun): void {
    const place = this.#held.indexOf(entry);
    if (place >= 0) this.#held.splice(place, 1);
    else if (this.#running.has(entry.id)) this.#send({ type: 'cancel', run: entry.id });
  }
}

/** 128 random bits; `crypto.randomUUID` is missing on web pages without TLS. */
function newRunId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
