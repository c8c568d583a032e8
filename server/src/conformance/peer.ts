/**
 * The suite's side of one conversation: sends what a case says, keeps what comes, and has the audit look at all of
 * it. What a case waits for either comes, or the wait fails with what came instead.
 */
import {
  type ClientMessage,
  crossesTheWire,
  decodeMessage,
  type ErrorBody,
  type Graph,
  type Limits,
  PROTOCOL_VERSION,
  type RunOptions,
  type ServerMessage,
  serverMessages,
  type Welcome,
} from '@tracewire/protocol';
import type { Notebook } from './audit.ts';
import { brief, check, Mismatch, within } from './mismatch.ts';
import { frame } from './pack.ts';
import { RunView } from './run-view.ts';
import type { Closing, Wire } from './wire.ts';

type Server<K extends ServerMessage['type']> = Extract<ServerMessage, { type: K }>;

export interface Arrival {
  readonly message: ServerMessage;
  readonly payload: Uint8Array;
}

export interface RunRequest {
  readonly graph: Graph;
  readonly payload?: Uint8Array;
  readonly options?: RunOptions;
  readonly run?: string;
  /** Acknowledge nothing by itself. */
  readonly withholdAcks?: boolean;
}

/** Run ids are drawn at random where a server has no keys, for it shares them among all. */
let runs = 0;
const PREFIX = `conformance-${crypto.randomUUID()}`;
export const newRunId = (): string => {
  runs += 1;
  return `${PREFIX}-${runs}`;
};

export class Peer {
  readonly wire: Wire;
  readonly arrivals: Arrival[] = [];
  readonly timeoutMs: number;
  readonly #notes: Notebook;
  readonly #runs = new Map<string, RunView>();
  readonly #model: string;
  #welcome: Welcome | undefined;
  #closing: Closing | undefined;
  #taken = 0;
  #requests = 0;
  #wake: (() => void)[] = [];

  constructor(
    wire: Wire,
    options: { readonly notes: Notebook; readonly timeoutMs: number; readonly model: string },
  ) {
    this.wire = wire;
    this.timeoutMs = options.timeoutMs;
    this.#notes = options.notes;
    this.#model = options.model;
    wire.listen((bytes) => this.#receive(bytes));
    wire.closed.then((closing) => {
      this.#closing = closing;
      this.#signal();
    });
  }

  get limits(): Limits {
    if (!this.#welcome) throw new Error('no welcome yet');
    return this.#welcome.limits;
  }

  get closing(): Closing | undefined {
    return this.#closing;
  }

  /** Sends a header of any shape. */
  send(header: object, payload?: Uint8Array): void {
    this.wire.send(frame(header, payload));
  }

  async hello(capabilities: readonly string[] = []): Promise<Welcome> {
    this.send({
      type: 'hello',
      protocol: PROTOCOL_VERSION,
      client: { name: 'tracewire-conformance', version: '1' },
      capabilities,
    });
    this.#welcome = await this.next('welcome');
    return this.#welcome;
  }

  /** The next message that is of no run, which must have that type. */
  async next<K extends ServerMessage['type']>(type: K): Promise<Server<K>> {
    return this.#waitFor(
      () => {
        for (; this.#taken < this.arrivals.length; this.#taken++) {
          const message = this.arrivals[this.#taken]?.message;
          if (!message || this.#isOfRun(message)) continue;
          this.#taken += 1;
          if (message.type !== type) throw new Mismatch(`the message ${type}`, brief(message));
          return message as Server<K>;
        }
        return undefined;
      },
      () => `the message ${type}`,
    );
  }

  /** The next message that is of no run, whatever its type. */
  async answer(wanted = 'an answer'): Promise<ServerMessage> {
    return this.#waitFor(
      () => this.#takeAny(),
      () => wanted,
    );
  }

  /** The next message that is of no run must be an error of this code. */
  async error(code: string): Promise<ErrorBody> {
    const message = await this.answer(`an error ${code}`);
    const first = message.type === 'error' ? message.errors[0] : undefined;
    if (!first || first.code !== code) throw new Mismatch(`an error ${code}`, brief(message));
    return first;
  }

  #takeAny(): ServerMessage | undefined {
    for (; this.#taken < this.arrivals.length; this.#taken++) {
      const message = this.arrivals[this.#taken]?.message;
      if (!message || this.#isOfRun(message)) continue;
      this.#taken += 1;
      return message;
    }
    return undefined;
  }

  /** A run that is watched has its messages to itself. */
  #isOfRun(message: ServerMessage): boolean {
    if (!('run' in message) || message.run === undefined) return false;
    return message.type !== 'error' || this.#runs.has(message.run);
  }

  /** Waits until the server has closed, which must be with this code. */
  async mustClose(code: number): Promise<void> {
    const closing = await within(this.wire.closed, this.timeoutMs, () => `a close with ${code}`);
    check(closing.code === code, `a close with ${code}`, () => `${closing.code} ${closing.reason}`);
  }

  /** The conversation goes on: a request is still answered. */
  async mustGoOn(): Promise<void> {
    const request = this.request();
    this.send({ type: 'describe', request, model: this.#model });
    const { request: answered } = await this.next('description');
    check(answered === request, `an answer to request ${request}`, () => `one to ${answered}`);
  }

  /** A request number that was not used before. */
  request(): number {
    this.#requests += 1;
    return 1000 + this.#requests;
  }

  /** Sends a run and watches it. */
  run({ graph, payload, options, run = newRunId(), withholdAcks = false }: RunRequest): RunView {
    const view = this.follow(run, graph, { withholdAcks });
    this.send(
      {
        type: 'run',
        run,
        model: this.#model,
        graph,
        ...(options ? { options } : {}),
      } satisfies ClientMessage,
      payload,
    );
    return view;
  }

  /** Watches a run that this peer takes over with a `resume`. */
  follow(
    run: string,
    graph: Graph,
    how: { readonly withholdAcks?: boolean; readonly after?: number } = {},
  ): RunView {
    const view = new RunView({
      run,
      graph,
      limits: this.#welcome?.limits,
      notes: this.#notes,
      timeoutMs: this.timeoutMs,
      after: how.after,
      ack: (seq) => this.send({ type: 'ack', run, seq }),
      withholdAcks: how.withholdAcks ?? false,
      closed: () => this.#closing,
    });
    this.#runs.set(run, view);
    return view;
  }

  async #waitFor<T>(find: () => T | undefined, wanted: () => string): Promise<T> {
    const deadline = performance.now() + this.timeoutMs;
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (this.#closing)
        throw new Mismatch(wanted(), `a close with ${this.#closing.code} ${this.#closing.reason}`);
      const left = deadline - performance.now();
      await within(new Promise<void>((resolve) => this.#wake.push(resolve)), Math.max(left, 1), wanted);
    }
  }

  #signal(): void {
    for (const wake of this.#wake.splice(0)) wake();
    for (const view of this.#runs.values()) view.closedNow();
  }

  #receive(bytes: Uint8Array): void {
    try {
      const { message, payload } = decodeMessage(serverMessages, bytes);
      this.#auditMessage(message, payload);
      this.arrivals.push({ message, payload });
      if ('run' in message && message.run !== undefined) this.#toRun(message, payload);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const frameFault = error instanceof Error && 'code' in error && error.code === 'bad_frame';
      this.#notes.note(frameFault ? 'frame' : 'schema', text);
    }
    this.#signal();
  }

  #auditMessage(message: ServerMessage, payload: Uint8Array): void {
    const carries = message.type === 'value' || message.type === 'chunk' || message.type === 'log';
    if (!carries && payload.length > 0) this.#notes.note('payload', `${message.type} has a payload`);
    const most = this.#welcome?.limits.chunkBytes ?? Number.POSITIVE_INFINITY;
    if (payload.length > most)
      this.#notes.note(
        'size',
        `${message.type} has ${payload.length} bytes of payload; chunkBytes is ${most}`,
      );
    if (message.type !== 'error') return;
    for (const { code } of message.errors)
      if (!crossesTheWire(code)) this.#notes.note('local-codes', `an error has the code ${code}`);
  }

  #toRun(message: ServerMessage, payload: Uint8Array): void {
    if (!('run' in message) || message.run === undefined) return;
    const view = this.#runs.get(message.run);
    if (view) view.take(message, payload);
    else if (message.type !== 'error')
      this.#notes.note(
        'unknown-run',
        `${message.type} is of run ${message.run}, which this client did not start`,
      );
  }
}
