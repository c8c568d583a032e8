/**
 * The client's side of one conversation: hello and welcome, requests with their answers, runs with their
 * messages. It works on any transport, a WebSocket or the engine in this process, and whatever ends it ends
 * everything that waits on it, at once.
 */
import {
  type ClientMessage,
  checkFrame,
  clientMessages,
  decodeMessage,
  dispatch,
  encodeFrame,
  type Handlers,
  type MessageOf,
  PROTOCOL_VERSION,
  serverMessages,
  TracewireError,
  type Transport,
  toErrorBody,
  type Welcome,
} from '@tracewire/protocol';
import { connectionLost, noWelcome, refusal, tooLarge, versionFault } from './faults.ts';
import { type Answer, type AnswerType, Requests } from './requests.ts';
import type { RunListener } from './run.ts';
import { type RunRequest, Runs } from './runs.ts';
import { toViolation, violation } from './violation.ts';

/** A transport may let the process exit while nothing is asked of it; those that can't just stay. */
export interface ClientTransport extends Transport {
  /** Whether something waits for an answer. */
  busy?(busy: boolean): void;
}

type ServerMessages = typeof serverMessages;

/** The server's time for its welcome. */
const WELCOME_MS = 10_000;
const CLIENT = { name: '@tracewire/client', version: '0.1.0' };

export class Connection {
  /** Where it leads, for messages. */
  readonly address: string;
  /** Settles with the server's welcome, or with why there was none. */
  readonly welcome: Promise<Welcome>;
  readonly #transport: ClientTransport;
  readonly #requests = new Requests();
  readonly #runs = new Runs((message, payload) => this.#send(message, payload));
  readonly #onClose: () => void;
  #welcomed: Welcome | undefined;
  #settleWelcome: { resolve: (welcome: Welcome) => void; reject: (error: TracewireError) => void };
  #failure: TracewireError | undefined;
  readonly #timer: ReturnType<typeof setTimeout>;

  /** Says hello. `onClose` is called once, when the connection is of no more use. */
  constructor(transport: ClientTransport, address: string, onClose: () => void) {
    this.address = address;
    this.#transport = transport;
    this.#onClose = onClose;
    const { promise, ...settle } = withResolvers<Welcome>();
    this.welcome = promise;
    this.#settleWelcome = settle;
    this.#timer = setTimeout(() => this.close(noWelcome(address, WELCOME_MS)), WELCOME_MS);
    transport.listen({
      message: (bytes) => this.#receive(bytes),
      close: (code, reason) => this.close(connectionLost(address, code, reason)),
    });
    this.#send({ type: 'hello', protocol: PROTOCOL_VERSION, client: CLIENT, capabilities: [] });
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

  /**
   * Starts a run, after the welcome; beyond what the server takes at a time it waits its turn. The result cancels
   * the run.
   */
  run(request: RunRequest, listener: RunListener): () => void {
    const cancel = this.#runs.start(request, listener, this.#assertWelcomed().limits);
    this.#updateBusy();
    return cancel;
  }

  /** Ends the conversation; all that waits on it fails with the error. Idempotent. */
  close(error: TracewireError, code = 1000): void {
    if (this.#failure) return;
    this.#failure = error;
    clearTimeout(this.#timer);
    this.#settleWelcome.reject(error);
    this.#requests.rejectAll(error);
    this.#runs.refuseAll(error.body);
    this.#transport.busy?.(false);
    this.#transport.close(code, error.code);
    this.#onClose();
  }

  async #request<K extends AnswerType>(
    wants: K,
    message: (request: number) => ClientMessage,
  ): Promise<Answer<K>> {
    this.#assertWelcomed();
    const { request, answer } = this.#requests.open(wants);
    try {
      this.#send(message(request));
    } catch (error) {
      this.#requests.reject(request, new TracewireError(toErrorBody(error)));
    }
    this.#updateBusy();
    return answer;
  }

  /** Throws `bad_message` or `message_too_large` for what the server would refuse. */
  #send(message: ClientMessage, payload: readonly Uint8Array[] = []): void {
    if (this.#failure) throw this.#failure;
    checkFrame(clientMessages, { header: message, payload: new Uint8Array() });
    const parts = encodeFrame(message, payload);
    const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
    const most = this.#welcomed?.limits.messageBytes ?? Number.POSITIVE_INFINITY;
    if (bytes > most) throw tooLarge(bytes, most);
    this.#transport.send(parts);
  }

  #receive(bytes: Uint8Array): void {
    if (this.#failure) return;
    try {
      dispatch(this.#handlers, decodeMessage(serverMessages, bytes));
    } catch (error) {
      this.close(toViolation(error), 4400);
    }
    if (!this.#failure) this.#updateBusy();
  }

  readonly #handlers: Handlers<ServerMessages> = {
    welcome: (message) => this.#onWelcome(message),
    description: (message) => this.#requests.answer(message),
    tokens: (message) => this.#requests.answer(message),
    text: (message) => this.#requests.answer(message),
    error: (message) => this.#onError(message),
    status: (message) => this.#onStatus(message),
    value: (message, payload) => this.#runs.get(message.run).value(message, payload),
    chunk: (message, payload) => this.#runs.get(message.run).chunk(message, payload),
    access_error: (message) => this.#runs.get(message.run).accessError(message),
    log: (message, payload) => this.#runs.get(message.run).log(message, payload),
    progress: (message) => this.#onProgress(message),
  };

  #onWelcome(welcome: Welcome): void {
    if (this.#welcomed) throw violation('a second welcome');
    const fault = versionFault(welcome);
    if (fault) throw fault;
    this.#welcomed = welcome;
    clearTimeout(this.#timer);
    this.#settleWelcome.resolve(welcome);
  }

  #onError({ request, run, errors }: MessageOf<ServerMessages, 'error'>): void {
    if (request !== undefined) this.#requests.reject(request, refusal(errors));
    else if (run !== undefined) {
      const refused = this.#runs.get(run);
      this.#runs.end(run, this.#assertWelcomed().limits);
      refused.refuse(errors);
      // It can't be told what was refused, so nothing that waits can be trusted to be answered.
    } else this.close(refusal(errors), 4400);
  }

  #onStatus(message: MessageOf<ServerMessages, 'status'>): void {
    const ended = this.#runs.get(message.run).status(message);
    if (ended) this.#runs.end(message.run, this.#assertWelcomed().limits);
  }

  /** Not numbered, so it may come after the end. */
  #onProgress(message: MessageOf<ServerMessages, 'progress'>): void {
    if (this.#runs.has(message.run)) this.#runs.get(message.run).progress(message);
  }

  #assertWelcomed(): Welcome {
    if (this.#failure) throw this.#failure;
    if (!this.#welcomed) throw new Error('a request before the welcome');
    return this.#welcomed;
  }

  #updateBusy(): void {
    this.#transport.busy?.(!this.#welcomed || this.#requests.size > 0 || this.#runs.size > 0);
  }
}

/** `Promise.withResolvers`, which Node 20 lacks. A rejection that nobody awaits yet is no unhandled one. */
function withResolvers<T>() {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: TracewireError) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
