/**
 * A client's conversation with a server: requests with their answers, runs with their messages. It outlives its
 * connection: when that is lost and the server offers `resume`, another one takes its place, and every run goes on after
 * the last message that came (PROTOCOL.md, section 2.4). Whatever else ends it ends all that waits on it, at once.
 */
import {
  type ClientMessage,
  type MessageOf,
  type serverMessages,
  TracewireError,
  toErrorBody,
  type Welcome,
} from '@tracewire/protocol/wire';
import { type ClientTransport, Connection, type ServerHandlers } from './connection.ts';
import { newEpoch, notRegained, refusal } from './faults.ts';
import type { Sendable } from './joined.ts';
import { reconnect } from './reconnect.ts';
import { type Answer, type AnswerType, Requests } from './requests.ts';
import type { RunListener } from './run.ts';
import { type OpenRun, type RunRequest, Runs } from './runs.ts';
import { Uploads } from './uploads.ts';

type ServerMessages = typeof serverMessages;

/** Hashes that are remembered. */
const REMEMBERED = 1024;

export class Conversation {
  /** Where it leads, for messages. */
  readonly address: string;
  readonly #open: () => Promise<ClientTransport>;
  readonly #onClose: () => void;
  readonly #requests = new Requests();
  readonly #uploads = new Uploads(() => this.#updateBusy());
  readonly #runs = new Runs(this.#uploads);
  /** Hashes of large constants that have been sent within a message. */
  readonly #sent = new Set<string>();
  readonly #closing = new AbortController();
  /** None while it is lost. */
  #connection: Connection | undefined;
  /** A connection that has not been welcomed yet. */
  #dialled: Connection | undefined;
  #welcome: Welcome | undefined;
  #failure: TracewireError | undefined;

  /** Call `connect` before anything else. `onClose` is called once, when the conversation is over. */
  constructor(open: () => Promise<ClientTransport>, address: string, onClose: () => void) {
    this.#open = open;
    this.address = address;
    this.#onClose = onClose;
  }

  /** Connects for the first time. Rejects with why that can't be; close the conversation then. */
  async connect(): Promise<Welcome> {
    const { connection, welcome } = await this.#dial();
    this.#use(connection, welcome);
    return welcome;
  }

  /** Why it is over, once it is. */
  get failure(): TracewireError | undefined {
    return this.#failure;
  }

  get welcome(): Welcome {
    if (this.#failure) throw this.#failure;
    if (!this.#welcome) throw new Error('a request before the welcome');
    return this.#welcome;
  }

  /** A model's description. Rejects with the server's error, such as `unknown_model`. */
  async describe(model: string): Promise<Answer<'description'>['description']> {
    const { description } = await this.#request('description', (request) => ({
      type: 'describe',
      request,
      model,
    }));
    return description;
  }

  async tokenize(model: string, text: string): Promise<Answer<'tokens'>> {
    return this.#request('tokens', (request) => ({ type: 'tokenize', request, model, text }));
  }

  async detokenize(model: string, ids: readonly number[]): Promise<string> {
    const list = [...ids];
    const { text } = await this.#request('text', (request) => ({
      type: 'detokenize',
      request,
      model,
      ids: list,
    }));
    return text;
  }

  /** What the server makes of a function. Rejects with its error, such as `bad_function`. */
  async describeFunction(sha256: string, bytes: Uint8Array): Promise<Answer<'function_description'>> {
    if (this.#failure) throw this.#failure;
    await this.#uploads.ensure(sha256, bytes);
    return this.#request('function_description', (request) => ({
      type: 'function',
      request,
      sha256,
    }));
  }

  /** Whether a large constant has been sent before; from now on it has. */
  sendsAgain(sha256: string): boolean {
    if (this.#sent.has(sha256)) return true;
    if (this.#sent.size >= REMEMBERED) this.#sent.clear();
    this.#sent.add(sha256);
    return false;
  }

  /** What a run of this graph would do. Rejects with the server's errors. */
  async explain(
    model: string,
    { graph, payload, blobs }: Sendable,
  ): Promise<Answer<'explanation'>['explanation']> {
    if (this.#failure) throw this.#failure;
    await Promise.all([...blobs].map(([sha256, bytes]) => this.#uploads.ensure(sha256, bytes)));
    const { explanation } = await this.#request(
      'explanation',
      (request) => ({ type: 'explain', request, model, graph: graph as never }),
      payload,
    );
    return explanation;
  }

  /** Starts a run, or follows one; beyond what the server takes at a time it waits its turn. */
  run(request: RunRequest, listener: RunListener): OpenRun {
    const run = this.#runs.start(request, listener, this.welcome.limits);
    this.#updateBusy();
    return run;
  }

  /** Ends the conversation; all that waits on it fails with the error. Idempotent. */
  close(error: TracewireError, code = 1000): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#closing.abort(error);
    this.#requests.rejectAll(error);
    this.#uploads.rejectAll(error);
    this.#runs.refuseAll(error.body);
    this.#connection?.close(error, code);
    this.#dialled?.close(error, code);
    this.#onClose();
  }

  async #dial(): Promise<{ readonly connection: Connection; readonly welcome: Welcome }> {
    const transport = await this.#open();
    if (this.#failure) {
      transport.close();
      throw this.#failure;
    }
    const connection = new Connection(transport, this.address, this.#handlers, (closed, error, lost) =>
      this.#closed(closed, error, lost),
    );
    this.#dialled = connection;
    const welcome = await connection.welcome;
    // It may have ended since.
    if (connection.failure) throw connection.failure;
    return { connection, welcome };
  }

  #use(connection: Connection, welcome: Welcome): void {
    this.#dialled = undefined;
    this.#connection = connection;
    this.#welcome = welcome;
    for (const { message, payload } of this.#requests.messages) connection.send(message, payload);
    this.#uploads.connect(connection, welcome.limits);
    this.#runs.connect(connection);
    this.#updateBusy();
  }

  /** One that was only dialled is the dialler's affair. */
  #closed(connection: Connection, error: TracewireError, lost: boolean): void {
    if (connection !== this.#connection) return;
    this.#connection = undefined;
    const awaits = this.#requests.size + this.#uploads.size + this.#runs.size > 0;
    if (lost && awaits && this.#welcome?.capabilities.includes('resume')) void this.#regain(error);
    else this.close(error);
  }

  async #regain(cause: TracewireError): Promise<void> {
    const { limits, epoch } = this.welcome;
    this.#uploads.disconnect();
    this.#runs.disconnect();
    this.#runs.tell({ state: 'lost' });
    try {
      await reconnect({
        forMs: limits.resumeMs ?? 0,
        signal: this.#closing.signal,
        attempt: () => this.#resume(epoch),
        tell: (event) => this.#runs.tell(event),
      });
    } catch (error) {
      this.close(notRegained(cause, error));
    }
  }

  async #resume(epoch: string): Promise<void> {
    const { connection, welcome } = await this.#dial();
    if (welcome.epoch === epoch) this.#use(connection, welcome);
    else this.close(newEpoch(this.address, this.#runs.size > 0));
  }

  async #request<K extends AnswerType>(
    wants: K,
    toMessage: (request: number) => ClientMessage,
    payload?: readonly Uint8Array[],
  ): Promise<Answer<K>> {
    if (this.#failure) throw this.#failure;
    const { message, request, answer } = this.#requests.open(wants, toMessage, payload);
    try {
      this.#connection?.send(message, payload);
    } catch (error) {
      this.#requests.reject(request, new TracewireError(toErrorBody(error)));
    }
    this.#updateBusy();
    return answer;
  }

  readonly #handlers: ServerHandlers = {
    description: (message) => this.#onAnswer(message),
    tokens: (message) => this.#onAnswer(message),
    text: (message) => this.#onAnswer(message),
    function_description: (message) => this.#onAnswer(message),
    blob_state: (message) => this.#uploads.state(message),
    explanation: (message) => this.#onAnswer(message),
    error: (message) => this.#onError(message),
    status: (message) => this.#onStatus(message),
    value: (message, payload) => this.#runs.get(message.run).value(message, payload),
    chunk: (message, payload) => this.#runs.get(message.run).chunk(message, payload),
    access_error: (message) => this.#runs.get(message.run).accessError(message),
    token: (message) => this.#runs.get(message.run).token(message),
    log: (message, payload) => this.#runs.get(message.run).log(message, payload),
    progress: (message) => this.#onProgress(message),
  };

  #onAnswer(message: Answer): void {
    this.#requests.answer(message);
    this.#updateBusy();
  }

  #onError({ request, run, errors }: MessageOf<ServerMessages, 'error'>): void {
    if (request !== undefined) this.#requests.reject(request, refusal(errors));
    else if (run !== undefined && this.#runs.again(run, errors)) {
      // It goes on when the server has its blobs once more.
    } else if (run !== undefined) {
      const refused = this.#runs.get(run);
      this.#runs.end(run);
      refused.refuse(errors);
      // It can't be told what was refused, so nothing that waits can be trusted to be answered.
    } else this.close(refusal(errors));
    this.#updateBusy();
  }

  #onStatus(message: MessageOf<ServerMessages, 'status'>): void {
    const ended = this.#runs.get(message.run).status(message);
    if (ended) this.#runs.end(message.run);
    this.#updateBusy();
  }

  /** Not numbered, so it may come after the end. */
  #onProgress(message: MessageOf<ServerMessages, 'progress'>): void {
    if (this.#runs.has(message.run)) this.#runs.get(message.run).progress(message);
  }

  #updateBusy(): void {
    this.#connection?.busy(this.#requests.size + this.#uploads.size + this.#runs.size > 0);
  }
}
