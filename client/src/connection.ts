/**
 * One WebSocket to a server, or whatever carries messages in its place: hello and welcome, and checked messages both
 * ways. What is said on it is the conversation's (conversation.ts), which goes on on another one when this one is lost.
 */
import {
  CAPABILITIES,
  type ClientMessage,
  checkFrame,
  clientMessages,
  decodeMessage,
  dispatch,
  encodeFrame,
  type Handlers,
  isLost,
  PROTOCOL_VERSION,
  serverMessages,
  type TracewireError,
  type Transport,
  type Welcome,
} from '@tracewire/protocol/wire';
import { connectionEnded, noWelcome, tooLarge, versionFault } from './faults.ts';
import { toViolation, violation } from './violation.ts';

/** A transport may let the process exit while nothing is asked of it; those that can't just stay. */
export interface ClientTransport extends Transport {
  /** Whether something waits for an answer. */
  busy?(busy: boolean): void;
}

/** Everything a server says but its welcome. */
export type ServerHandlers = Omit<Handlers<typeof serverMessages>, 'welcome'>;

/** A server that says so may be back, with its runs: the client tries (PROTOCOL.md, section 1.4). */
const GOING_AWAY = 1001;
/** The server's time for its welcome. */
const WELCOME_MS = 10_000;
/** Of a log's value (PROTOCOL.md, section 2.2). */
const LOG_BYTES = 64 * 1024;
const CLIENT = { name: '@tracewire/client', version: '0.1.0' };

export class Connection {
  /** Settles with the server's welcome, or with why there was none. */
  readonly welcome: Promise<Welcome>;
  readonly #transport: ClientTransport;
  readonly #onClose: (connection: Connection, error: TracewireError, lost: boolean) => void;
  readonly #handlers: Handlers<typeof serverMessages>;
  readonly #settleWelcome: { resolve: (welcome: Welcome) => void; reject: (error: TracewireError) => void };
  readonly #timer: ReturnType<typeof setTimeout>;
  #messageBytes = Number.POSITIVE_INFINITY;
  #chunkBytes = 0;
  #welcomed = false;
  #failure: TracewireError | undefined;

  /**
   * Says hello. `onClose` is called once, when the connection is of no more use: with the reason, and whether it was
   * lost, so that another one may take its place (PROTOCOL.md, section 2.4).
   */
  constructor(
    transport: ClientTransport,
    address: string,
    handlers: ServerHandlers,
    onClose: (connection: Connection, error: TracewireError, lost: boolean) => void,
  ) {
    this.#transport = transport;
    this.#onClose = onClose;
    this.#handlers = { ...handlers, welcome: (message) => this.#onWelcome(message) };
    const { promise, ...settle } = withResolvers<Welcome>();
    this.welcome = promise;
    this.#settleWelcome = settle;
    this.#timer = setTimeout(() => this.close(noWelcome(address, WELCOME_MS)), WELCOME_MS);
    transport.listen({
      message: (bytes, payload) => this.#receive(bytes, payload),
      close: (code, reason) =>
        this.#end(connectionEnded(address, code, reason), 1000, isLost(code) || code === GOING_AWAY),
    });
    this.send({ type: 'hello', protocol: PROTOCOL_VERSION, client: CLIENT, capabilities: [...CAPABILITIES] });
  }

  /** Why the connection is of no more use, once it isn't. */
  get failure(): TracewireError | undefined {
    return this.#failure;
  }

  /** Throws `bad_message` or `message_too_large` for what the server would refuse. After a close it does nothing. */
  send(message: ClientMessage, payload: readonly Uint8Array[] = []): void {
    checkFrame(clientMessages, { header: message, payload: new Uint8Array() });
    const parts = encodeFrame(message, payload);
    const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
    if (bytes > this.#messageBytes) throw tooLarge(bytes, this.#messageBytes);
    if (!this.#failure) this.#transport.send(parts);
  }

  busy(busy: boolean): void {
    if (!this.#failure) this.#transport.busy?.(busy);
  }

  /** Idempotent. */
  close(error: TracewireError, code = 1000): void {
    this.#end(error, code, false);
  }

  #end(error: TracewireError, code: number, lost: boolean): void {
    if (this.#failure) return;
    this.#failure = error;
    clearTimeout(this.#timer);
    this.#settleWelcome.reject(error);
    this.#transport.busy?.(false);
    this.#transport.close(code, error.code);
    this.#onClose(this, error, lost);
  }

  #receive(bytes: Uint8Array, payload?: Uint8Array): void {
    if (this.#failure) return;
    try {
      const decoded = decodeMessage(serverMessages, bytes, payload);
      this.#mustFit(decoded.message.type, decoded.payload);
      dispatch(this.#handlers, decoded);
    } catch (error) {
      this.close(toViolation(error), 4400);
    }
  }

  /** Only a welcome or an error may come before the welcome, and nothing larger than it said after. */
  #mustFit(type: string, { byteLength }: Uint8Array): void {
    if (!this.#welcomed && type !== 'welcome' && type !== 'error')
      throw violation(`${type} came before the welcome`);
    if (byteLength > this.#chunkBytes) throw violation(`a payload of ${byteLength} bytes`);
    if (type === 'log' && byteLength > LOG_BYTES) throw violation(`a log of ${byteLength} bytes`);
  }

  #onWelcome(welcome: Welcome): void {
    if (this.#welcomed) throw violation('a second welcome');
    const fault = versionFault(welcome);
    if (fault) throw fault;
    this.#welcomed = true;
    this.#messageBytes = welcome.limits.messageBytes;
    this.#chunkBytes = welcome.limits.chunkBytes;
    clearTimeout(this.#timer);
    this.#settleWelcome.resolve(welcome);
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
