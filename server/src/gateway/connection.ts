/**
 * One client's conversation (PROTOCOL.md, sections 1.4 and 2), over any transport. What it does wrong is
 * answered here and is nobody else's affair; when it goes, its runs are cancelled, or wait for it to come back.
 */
import {
  type ClientMessage,
  checkFrame,
  clientMessages,
  decodeFrame,
  dispatch,
  encodeFrame,
  type Frame,
  type Handlers,
  isLost,
  type Limits,
  OPSET,
  PROTOCOL_VERSION,
  type ServerMessage,
  TracewireError,
  type Transport,
} from '@tracewire/protocol';
import { errorsOf } from './admission.ts';
import type { KeyBlobs } from './blobs/key-blobs.ts';
import { ConnectionRuns } from './connection-runs.ts';
import type { KeyRuns } from './key-runs.ts';
import { mustOffer } from './offered.ts';
import { Requests } from './requests.ts';
import type { Services } from './services.ts';

type Client<K extends ClientMessage['type']> = Extract<ClientMessage, { type: K }>;
type Subject = { readonly run?: string; readonly request?: number };

/** Who is at the other end. */
export interface Peer {
  /** Those of its key. */
  readonly runs: KeyRuns;
  readonly blobs: KeyBlobs;
  /** Whose turn it is in a queue: the key, or where there are none the connection. */
  readonly lane: string;
  /** Counts a request: the milliseconds to wait before it may be made. */
  mayAsk(): number;
}

/** Messages that ask for something, which nobody may do as often as they like. */
const REQUESTS: ReadonlySet<string> = new Set([
  'run',
  'resume',
  'describe',
  'tokenize',
  'detokenize',
  'blob',
  'function',
]);

export class Connection {
  readonly #gateway: Services;
  readonly #transport: Transport;
  readonly #onClose: () => void;
  readonly #runs: ConnectionRuns;
  readonly #requests: Requests;
  readonly #blobs: KeyBlobs;
  #shared: ReadonlySet<string> = new Set();
  readonly #mayAsk: () => number;
  #greeted = false;
  #closed = false;
  #helloTimer: NodeJS.Timeout | undefined;

  constructor(gateway: Services, peer: Peer, transport: Transport, onClose: () => void) {
    this.#gateway = gateway;
    this.#transport = transport;
    this.#onClose = onClose;
    this.#blobs = peer.blobs;
    this.#mayAsk = peer.mayAsk;
    this.#runs = new ConnectionRuns(gateway, peer, {
      send: (parts) => transport.send(parts),
      stuck: () => this.close(1008, 'the client takes nothing in of what it was sent'),
    });
    this.#requests = new Requests(gateway, peer.blobs, (message) => this.#send(message));
  }

  start(): void {
    this.#helloTimer = setTimeout(() => this.close(4408, 'no hello came'), this.#gateway.helloMs);
    this.#transport.listen({
      message: (bytes) => this.#receive(bytes),
      close: (code, reason) => this.#ended(code, reason),
    });
  }

  close(code: number, reason: string): void {
    this.#transport.close(code, reason);
    this.#ended(code, reason);
  }

  readonly #handlers: Handlers<typeof clientMessages> = {
    hello: (message) => this.#hello(message),
    describe: (message) => this.#requests.describe(message),
    tokenize: (message) => this.#requests.tokenize(message),
    detokenize: (message) => this.#requests.detokenize(message),
    explain: (message, payload) => this.#requests.explain(message, payload),
    run: (message, payload) => this.#runs.begin(message, payload),
    cancel: ({ run }) => this.#runs.cancel(run),
    ack: ({ run, seq }) => this.#runs.ack(run, seq),
    resume: (message) => this.#runs.resume(message),
    blob: ({ sha256, size }) => {
      mustOffer(this.#shared, 'blobs', 'type');
      this.#send({ type: 'blob_state', sha256, ...this.#blobs.offer(sha256, size) });
    },
    blob_chunk: ({ sha256, offset }, payload) => {
      mustOffer(this.#shared, 'blobs', 'type');
      this.#send({ type: 'blob_state', sha256, ...this.#blobs.take(sha256, offset, payload) });
    },
    function: (message) => {
      mustOffer(this.#shared, 'functions', 'type');
      this.#requests.function(message);
    },
  };

  #receive(bytes: Uint8Array): void {
    if (this.#closed) return;
    let frame: Frame;
    try {
      frame = decodeFrame(bytes);
    } catch (error) {
      this.#refuse(error, {});
      return this.close(4400, 'not a Tracewire message');
    }
    try {
      this.#mustBeInOrder(frame.header.type);
      this.#mustNotHurry(frame.header.type);
      dispatch(this.#handlers, checkFrame(clientMessages, frame));
    } catch (error) {
      this.#refuse(error, subjectOf(frame));
      // Without a welcome there is nothing to go on with (PROTOCOL.md, section 1.4).
      if (!this.#greeted) this.close(4400, 'no proper hello came');
    }
  }

  #mustBeInOrder(type: string): void {
    if (this.#greeted === (type !== 'hello')) return;
    const message = this.#greeted
      ? 'There has been a `hello` on this connection already.'
      : 'The first message of a connection is `hello`.';
    throw new TracewireError({ code: 'unexpected_message', message, path: 'type', got: type.slice(0, 200) });
  }

  #mustNotHurry(type: string): void {
    const waitMs = REQUESTS.has(type) ? this.#mayAsk() : 0;
    if (waitMs === 0) return;
    throw new TracewireError({
      code: 'too_many_requests',
      message: `This server takes ${this.#gateway.limits.requestsPerSecond} requests a second.`,
      retryAfterMs: waitMs,
    });
  }

  #hello({ protocol, client, capabilities: announced }: Client<'hello'>): void {
    if (protocol !== PROTOCOL_VERSION) {
      throw new TracewireError({
        code: 'unsupported_version',
        message: `This server speaks protocol version ${PROTOCOL_VERSION}, not ${protocol}.`,
        path: 'protocol',
        wanted: String(PROTOCOL_VERSION),
        got: String(protocol),
      });
    }
    clearTimeout(this.#helloTimer);
    this.#greeted = true;
    const offered = capabilitiesOf(this.#gateway.limits);
    const shared = new Set(offered.filter((capability) => announced.includes(capability)));
    this.#shared = shared;
    this.#runs.enable(shared);
    this.#requests.enable(shared);
    this.#gateway.log.info({ client }, 'client connected');
    this.#welcome(offered, shared);
  }

  #welcome(capabilities: string[], shared: ReadonlySet<string>): void {
    const { version, epoch, models, limits } = this.#gateway;
    const { resumeMs, retainMs, invokes, batchTokens, traces, blobBytes, blobMs, ...rest } = limits;
    this.#send({
      type: 'welcome',
      protocol: PROTOCOL_VERSION,
      server: { name: 'tracewire', version },
      epoch,
      capabilities,
      opset: OPSET,
      models: [...models.keys()],
      batching: shared.has('batching') ? this.#gateway.batching : undefined,
      limits: {
        ...rest,
        invokes: shared.has('invokes') ? invokes : undefined,
        batchTokens: shared.has('invokes') ? batchTokens : undefined,
        traces: shared.has('sessions') ? traces : undefined,
        resumeMs: shared.has('resume') ? resumeMs : undefined,
        retainMs: shared.has('detach') ? retainMs : undefined,
        blobBytes: shared.has('blobs') ? blobBytes : undefined,
        blobMs: shared.has('blobs') ? blobMs : undefined,
      },
    });
  }

  #refuse(thrown: unknown, subject: Subject): void {
    const errors = errorsOf(thrown);
    if (errors.some((error) => error.code === 'internal')) {
      this.#gateway.log.error({ fault: thrown instanceof Error ? thrown.stack : thrown }, 'internal fault');
    } else {
      this.#gateway.log.info({ ...subject, codes: errors.map((error) => error.code) }, 'refused');
    }
    this.#send({ type: 'error', ...subject, errors });
  }

  #send(message: ServerMessage): void {
    if (!this.#closed) this.#transport.send(encodeFrame(message));
  }

  #ended(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#helloTimer);
    this.#runs.leave(isLost(code));
    this.#gateway.log.info({ code, reason }, 'client gone');
    this.#onClose();
  }
}

/** What a server with these limits offers beyond the page's core (PROTOCOL.md, sections 2.4 and 6). */
function capabilitiesOf({ resumeMs, retainMs, invokes, traces, blobBytes }: Limits): string[] {
  return [
    ...(resumeMs === undefined ? [] : ['resume', 'moves']),
    ...(retainMs === undefined || resumeMs === undefined ? [] : ['detach']),
    ...(invokes === undefined ? [] : ['invokes', 'batching']),
    'generation',
    ...(invokes === undefined ? [] : ['batch_generation']),
    ...(traces === undefined ? [] : ['sessions']),
    ...(blobBytes === undefined ? [] : ['blobs', 'functions']),
    'explain',
  ];
}

/** What an error is about, where a header tells. An ack or cancel is about no refused run, so names none. */
function subjectOf({ header }: Frame): Subject {
  const { type, run, request } = header;
  if ((type === 'run' || type === 'resume') && typeof run === 'string' && /^[A-Za-z0-9._~-]{1,64}$/.test(run))
    return { run };
  if (ASKS.has(type) && typeof request === 'number' && Number.isSafeInteger(request) && request >= 0)
    return { request };
  return {};
}

const ASKS: ReadonlySet<string> = new Set(['describe', 'tokenize', 'detokenize', 'function', 'explain']);
