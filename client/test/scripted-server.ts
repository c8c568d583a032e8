/** The server's end of a conversation in tests: answers hello and describe, keeps what comes, says what a test scripts. */
import {
  type ClientMessage,
  clientMessages,
  decodeMessage,
  encodeFrame,
  type Graph,
  type Header,
  type ModelDescription,
  PayloadReader,
  PayloadWriter,
  type TensorLike,
  type Transport,
  tracesOf,
  transportPair,
  type Value,
} from '@tracewire/protocol';
import { LanguageModel } from '../src/index.ts';
import { gpt2 } from './description.ts';

export const LIMITS = {
  messageBytes: 1_000_000,
  nodes: 1000,
  savedBytes: 1_000_000,
  windowBytes: 4096,
  chunkBytes: 1024,
  runs: 8,
};

type Of<K extends ClientMessage['type']> = Extract<ClientMessage, { type: K }>;

export interface Received {
  readonly message: ClientMessage;
  readonly payload: Uint8Array;
}

/** One run as the server sees it, numbering what it says. */
export class ScriptedRun {
  seq = 0;
  readonly id: string;
  readonly graph: Graph;
  /** Of a session all graphs. */
  readonly graphs: readonly Graph[];
  readonly payload: Uint8Array;
  #server: ScriptedServer;
  #state: string | undefined;

  constructor(server: ScriptedServer, { message, payload }: Received) {
    if (message.type !== 'run') throw new Error(message.type);
    this.id = message.run;
    const [graph, ...rest] = tracesOf(message).map((trace) => trace.graph);
    if (!graph) throw new Error('a run without a graph');
    this.graph = graph;
    this.graphs = [graph, ...rest];
    this.payload = payload;
    this.#server = server;
  }

  /** Ids of the save nodes. */
  get saves(): number[] {
    return this.graph.nodes.flatMap((node, id) => (node.kind === 'save' ? [id] : []));
  }

  /** The tensor of a constant node. */
  constant(node: number): TensorLike {
    const reader = new PayloadReader(this.payload);
    for (const [id, entry] of this.graph.nodes.entries()) {
      if (entry.kind !== 'constant' || !entry.tensor) continue;
      const tensor = reader.tensor(entry.tensor, 'constant');
      if (id === node) return tensor;
    }
    throw new Error(`no constant ${node}`);
  }

  /** The run goes on on another connection, after this message. */
  moveTo(server: ScriptedServer, after: number): void {
    this.#server = server;
    this.seq = after;
  }

  /** A numbered message; the states that must come before it are said first, where the test has not. */
  say(header: Header, payload: readonly Uint8Array[] = []): void {
    const state = header.type === 'status' ? String(header['state']) : undefined;
    if (this.#state === undefined && state !== 'received') this.status('received');
    if (this.#state !== 'running' && needsRunning(header)) this.status('running');
    this.#state = state ?? this.#state;
    this.seq += 1;
    this.#server.send({ run: this.id, seq: this.seq, ...header }, payload);
  }

  status(state: string, more: object = {}): void {
    this.say({ type: 'status', state, ...more });
  }

  value(save: number, value: Value): void {
    const writer = new PayloadWriter();
    const ref = writer.value(value);
    this.say({ type: 'value', save, value: ref, bytes: writer.bytes }, writer.parts);
  }

  accessError(save: number, error: object): void {
    this.say({ type: 'access_error', save, error });
  }

  complete(report: object = {}): void {
    this.status('completed', { report: { ...REPORT, ...report } });
  }
}

const needsRunning = ({ type, state }: Header): boolean =>
  type === 'value' || type === 'chunk' || type === 'log' || state === 'completed';

export const REPORT = {
  modulesRun: 3,
  modulesTotal: 12,
  segmentsRun: 1,
  segmentsTotal: 5,
  tokens: 4,
  milliseconds: 1.5,
};

export class ScriptedServer {
  readonly client: Transport;
  readonly received: Received[] = [];
  /** How the conversation ended, once it has. */
  closed: { readonly code: number; readonly reason: string } | undefined;
  readonly #transport: Transport;
  readonly #waiting: (() => void)[] = [];
  readonly #taken = new Set<Received>();
  readonly #description: ModelDescription;

  constructor(description = gpt2(), welcome: object | null = {}) {
    this.#description = description;
    const [client, server] = transportPair();
    this.client = client;
    this.#transport = server;
    server.listen({
      message: (bytes) => this.#receive(decodeMessage(clientMessages, bytes), welcome),
      close: (code, reason) => {
        this.closed = { code, reason };
      },
    });
  }

  send(header: Header, payload: readonly Uint8Array[] = []): void {
    this.#transport.send(encodeFrame(header, payload));
  }

  /** Anything, a message or not. */
  sendBytes(bytes: Uint8Array): void {
    this.#transport.send([bytes]);
  }

  close(code: number, reason: string): void {
    this.#transport.close(code, reason);
  }

  /** The next message of this type, which may have come already. */
  async next<K extends ClientMessage['type']>(type: K): Promise<Received & { readonly message: Of<K> }> {
    for (;;) {
      const found = this.received.find((entry) => entry.message.type === type && !this.#taken.has(entry));
      if (found) {
        this.#taken.add(found);
        return found as Received & { readonly message: Of<K> };
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async nextRun(): Promise<ScriptedRun> {
    return new ScriptedRun(this, await this.next('run'));
  }

  /** All messages of this type so far. */
  all<K extends ClientMessage['type']>(type: K): Of<K>[] {
    return this.received.flatMap(({ message }) => (message.type === type ? [message as Of<K>] : []));
  }

  #receive(received: Received, welcome: object | null): void {
    this.received.push(received);
    const { message } = received;
    if (message.type === 'hello' && welcome) this.send({ ...WELCOME, ...welcome });
    if (message.type === 'describe') {
      this.send({ type: 'description', request: message.request, description: this.#description });
    }
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

const WELCOME = {
  type: 'welcome',
  protocol: 1,
  server: { name: 'scripted', version: '1' },
  epoch: 'e1',
  capabilities: [],
  opset: 21,
  models: ['tiny-gpt2', 'other'],
  limits: LIMITS,
};

/** What a server adds to its welcome that keeps runs for lost clients. */
export const RESUMES = {
  capabilities: ['resume', 'detach'],
  limits: { ...LIMITS, resumeMs: 60_000, retainMs: 60_000 },
};

/** A model on a scripted server; each connection gets the next one. */
export function scripted(...servers: readonly ScriptedServer[]): {
  readonly model: LanguageModel;
  readonly server: ScriptedServer;
} {
  const server = servers[0] ?? new ScriptedServer();
  const queue = [server, ...servers.slice(1)];
  const connect = async (): Promise<Transport> => {
    const next = queue.shift();
    if (!next) throw new Error('no server left');
    return next.client;
  };
  return { model: new LanguageModel('tiny-gpt2', { connect }), server };
}

export const f32 = (dims: readonly number[], ...values: readonly number[]): TensorLike => ({
  dtype: 'float32',
  dims,
  data: Float32Array.from(values),
});
