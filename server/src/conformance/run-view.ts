/** One run as a case sees it: its messages, its values, and promises for what it waits for. */
import {
  type ErrorBody,
  type Graph,
  isTerminal,
  type Limits,
  type ServerMessage,
  type Status,
  type Value,
} from '@tracewire/protocol';
import { type Notebook, RunAudit } from './audit.ts';
import { brief, Mismatch, within } from './mismatch.ts';
import type { Closing } from './wire.ts';

/** How a run ended: refused, or with a terminal status. */
export interface Ended {
  readonly refused: readonly ErrorBody[] | undefined;
  readonly status: Status | undefined;
}

interface RunViewOptions {
  readonly run: string;
  readonly graph: Graph;
  readonly limits: Limits | undefined;
  readonly notes: Notebook;
  readonly timeoutMs: number;
  readonly after?: number | undefined;
  readonly withholdAcks: boolean;
  ack(seq: number): void;
  closed(): Closing | undefined;
}

export class RunView {
  readonly id: string;
  readonly messages: ServerMessage[] = [];
  readonly values = new Map<number, Value>();
  readonly accessErrors = new Map<number, ErrorBody>();
  /** Payload bytes so far. */
  payloadBytes = 0;
  seq: number;
  /** Whether it has been told that another connection follows the run now. */
  moved = false;
  readonly #options: RunViewOptions;
  readonly #audit: RunAudit;
  readonly #notes: Notebook;
  #refused: readonly ErrorBody[] | undefined;
  #wake: (() => void)[] = [];

  constructor(options: RunViewOptions) {
    this.id = options.run;
    this.#options = options;
    this.#notes = options.notes;
    this.seq = options.after ?? 0;
    this.#audit = new RunAudit({
      run: options.run,
      saves: options.graph.nodes.flatMap((node, id) => (node.kind === 'save' ? [id] : [])),
      limits: options.limits,
      notes: options.notes,
      after: options.after,
      value: (save, value) => this.values.set(save, value),
    });
  }

  get statuses(): readonly Status[] {
    return this.messages.filter((message) => message.type === 'status');
  }

  ack(seq: number): void {
    this.#audit.acked(seq);
    this.#options.ack(seq);
  }

  take(message: ServerMessage, payload: Uint8Array): void {
    if (message.type === 'error' && message.errors.every(({ code }) => code === 'run_moved')) {
      this.moved = true;
    } else if (message.type === 'error') {
      if (this.#refused || this.messages.length > 0) {
        const conflict = message.errors.every(({ code }) => code === 'run_conflict' || code === 'run_lost');
        if (!conflict)
          this.#notes.note(
            'refused-silent',
            `run ${this.id}: an error came after ${this.messages.length} messages`,
          );
      } else this.#refused = message.errors;
    } else if (message.type !== 'progress') {
      if (this.#refused || this.moved)
        this.#notes.note(
          'refused-silent',
          `run ${this.id}: ${message.type} came after it was refused or had moved`,
        );
      if (!('seq' in message)) return;
      this.messages.push(message);
      this.payloadBytes += payload.length;
      this.seq = message.seq;
      this.#audit.take(message, payload);
      if (message.type === 'access_error') this.accessErrors.set(message.save, message.error);
      if (!this.#options.withholdAcks) this.ack(message.seq);
    }
    this.#signal();
  }

  closedNow(): void {
    this.#signal();
  }

  #signal(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  async until<T>(find: () => T | undefined, wanted: string): Promise<T> {
    const deadline = performance.now() + this.#options.timeoutMs;
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      const closed = this.#options.closed();
      if (closed) throw new Mismatch(wanted, `a close with ${closed.code} ${closed.reason}`);
      const left = Math.max(deadline - performance.now(), 1);
      await within(new Promise<void>((resolve) => this.#wake.push(resolve)), left, () =>
        this.messages.length > 0 ? `${wanted} (after ${brief(this.messages.at(-1))})` : wanted,
      );
    }
  }

  /** The terminal status, or undefined where the run moved away before it. */
  async endHere(): Promise<Status | undefined> {
    return this.until<{ status: Status | undefined }>(() => {
      const status = this.statuses.find(({ state }) => isTerminal(state));
      return status || this.moved ? { status } : undefined;
    }, 'the end of a run, or run_moved').then(({ status }) => status);
  }

  /** The terminal status, or the refusal. */
  async end(): Promise<Ended> {
    return this.until<Ended>(() => {
      if (this.#refused) return { refused: this.#refused, status: undefined };
      const status = this.statuses.find(({ state }) => isTerminal(state));
      return status && { refused: undefined, status };
    }, `the end of a run`);
  }

  /** The terminal status, which must be of this state. */
  async ended(state: string): Promise<Status> {
    const { refused, status } = await this.end();
    if (status?.state === state) return status;
    throw new Mismatch(
      `a run that ends as ${state}`,
      refused ? `a refusal: ${brief(refused)}` : brief(status),
    );
  }

  /** The errors that refused the run. */
  async refused(): Promise<readonly ErrorBody[]> {
    const { refused, status } = await this.end();
    if (refused) return refused;
    throw new Mismatch('a refusal', brief(status));
  }

  /** The refusal, which must have an error of this code; gives that error. */
  async refusedWith(code: string): Promise<ErrorBody> {
    const errors = await this.refused();
    const found = errors.find((error) => error.code === code);
    if (found) return found;
    throw new Mismatch(`a refusal with ${code}`, brief(errors));
  }

  /** A save's value; the run must have ended. */
  value(save: number): Value {
    const value = this.values.get(save);
    if (value) return value;
    throw new Mismatch(`a value for save ${save}`, brief(this.accessErrors.get(save) ?? 'nothing'));
  }

  /** A save's access error; the run must have ended. */
  accessError(save: number, code: string): ErrorBody {
    const error = this.accessErrors.get(save);
    if (error?.code === code) return error;
    throw new Mismatch(
      `the access error ${code} for save ${save}`,
      this.values.has(save) ? 'a value' : brief(error ?? 'nothing'),
    );
  }
}
