/**
 * The scripted server's side of one connection. It answers as a server must, unless the script says otherwise, and
 * notes what the client does against the page.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  type ClientMessage,
  checkTraces,
  clientMessages,
  decodeMessage,
  type Limits,
  ModelIndex,
  PROTOCOL_VERSION,
  readFunction,
  tracesOf,
} from '@tracewire/protocol';
import { DOUBLE } from '../double.ts';
import { sleep } from '../mismatch.ts';
import { frame } from '../pack.ts';
import type { IncomingSocket } from '../websocket.ts';
import type { Closing } from '../wire.ts';
import { DESCRIPTION, MODEL } from './fixture.ts';
import type { ScriptedBlobs } from './scripted-blobs.ts';
import { ScriptedRun } from './scripted-run.ts';

export const LIMITS: Limits = {
  messageBytes: 1024 * 1024,
  nodes: 1000,
  savedBytes: 64 * 1024 * 1024,
  windowBytes: 1024 * 1024,
  chunkBytes: 256 * 1024,
  runs: 4,
};

/** How the scripted server differs from a plain one. */
export interface Script {
  readonly limits?: Partial<Limits>;
  readonly capabilities?: readonly string[];
  /** The bytes of a message, in the fragments that are sent; plain where it is absent. */
  readonly encode?: (header: object, payload: Uint8Array) => readonly Uint8Array[];
  /** Refuses the upgrade with this HTTP status. */
  readonly refuses?: number;
  /** Selected in place of the page's; false for none. */
  readonly subprotocol?: string | false;
  /** In place of the welcome. */
  readonly greet?: (connection: ScriptedConnection) => void;
  /** In place of the run's right answer. */
  readonly run?: (run: ScriptedRun, connection: ScriptedConnection) => Promise<void> | void;
  /** A `run` that the server has already, with the content that it had. */
  readonly retry?: (run: ScriptedRun, connection: ScriptedConnection) => Promise<void> | void;
  /** In place of the answer to an offer of a blob. */
  readonly offer?: (
    message: Extract<ClientMessage, { type: 'blob' }>,
    connection: ScriptedConnection,
  ) => void;
  /** When a part of a blob comes, before it is taken in. */
  readonly part?: (
    message: Extract<ClientMessage, { type: 'blob_chunk' }>,
    connection: ScriptedConnection,
  ) => void;
  /** In place of the description. */
  readonly describe?: (request: number, connection: ScriptedConnection) => void;
  /** What comes with a `resume`. */
  readonly resume?: (
    message: Extract<ClientMessage, { type: 'resume' }>,
    connection: ScriptedConnection,
  ) => void;
}

const INDEX = new ModelIndex(DESCRIPTION);
/** The welcome is held back for so long, to see whether the client waits for it. */
const WELCOME_DELAY_MS = 60;
const PART_DELAY_MS = 10;
/** A function that the server only says that it has. */
const PRETENDED = readFunction(DOUBLE, { nodes: 10 });

export class ScriptedConnection {
  readonly socket: IncomingSocket;
  /** What the client did wrong. */
  readonly faults: string[] = [];
  /** The server's runs, whichever connection began them. */
  readonly runs: ScriptedRun[];
  /** The server's blobs. */
  readonly blobs: ScriptedBlobs;
  readonly closed: Promise<Closing>;
  /** What the client's hello announced. */
  announced: readonly string[] = [];
  /** A hello has come. */
  greeted = false;
  /** A `describe` has come. */
  described = false;
  /** From 0, of one case's connections. */
  readonly index: number;
  /** Milliseconds from its opening to its end; undefined while it is open. */
  openFor: number | undefined;
  readonly #script: Script;
  /** Of each blob, what the client was told that was taken in. */
  readonly #acked = new Map<string, number>();
  #welcomed = false;
  #broken: unknown;

  constructor(
    socket: IncomingSocket,
    script: Script,
    { runs, blobs }: { readonly runs: ScriptedRun[]; readonly blobs: ScriptedBlobs },
    index: number,
  ) {
    this.index = index;
    this.runs = runs;
    this.blobs = blobs;
    this.socket = socket;
    this.#script = script;
    this.closed = socket.wire.closed;
    const opened = performance.now();
    void this.closed.then(() => {
      this.openFor = performance.now() - opened;
    });
    if (/permessage-deflate/.test(socket.offeredExtensions) && !socket.isBrowser)
      this.faults.push('it offers compression');
    socket.wire.listen((bytes) => void this.#receive(bytes));
  }

  get limits(): Limits {
    return { ...LIMITS, ...this.#script.limits };
  }

  /** What a script stumbled over. */
  get broken(): unknown {
    return this.#broken;
  }

  send(header: object, payload: Uint8Array = new Uint8Array()): void {
    this.socket.wire.sendFragments(this.#script.encode?.(header, payload) ?? [frame(header, payload)]);
  }

  sendBytes(bytes: Uint8Array): void {
    this.socket.wire.send(bytes);
  }

  welcome(fields: object = {}): void {
    this.#welcomed = true;
    this.send({
      type: 'welcome',
      protocol: PROTOCOL_VERSION,
      server: { name: 'tracewire-conformance', version: '1' },
      epoch: 'conformance',
      capabilities: this.#script.capabilities ?? [],
      opset: 21,
      models: [MODEL],
      limits: this.limits,
      ...fields,
    });
  }

  async #receive(bytes: Uint8Array): Promise<void> {
    let decoded: { readonly message: ClientMessage; readonly payload: Uint8Array };
    try {
      decoded = decodeMessage(clientMessages, bytes);
    } catch (error) {
      this.faults.push(`a message that is none: ${error instanceof Error ? error.message : error}`);
      return;
    }
    const { message, payload } = decoded;
    if (!this.#welcomed && (message.type !== 'hello' || this.greeted))
      this.faults.push(`${message.type} came before the welcome`);
    try {
      await this.#handle(message, payload);
    } catch (error) {
      this.#broken ??= error;
    }
  }

  async #handle(message: ClientMessage, payload: Uint8Array): Promise<void> {
    switch (message.type) {
      case 'hello':
        return this.#hello(message);
      case 'describe':
        return this.#describe(message.request);
      case 'tokenize':
      case 'detokenize':
        return this.send({
          type: 'error',
          request: message.request,
          errors: [{ code: 'internal', message: 'The scripted server has no tokenizer.' }],
        });
      case 'ack':
        return this.#ack(message);
      case 'run':
        return this.#run(message, payload);
      case 'resume':
        if (!this.#agreed('resume')) this.faults.push('a resume without the capability');
        return this.#script.resume?.(message, this);
      case 'cancel':
        return;
      case 'blob':
        if (!this.#agreed('blobs')) this.faults.push('a blob without the capability');
        if (this.#script.offer) return this.#script.offer(message, this);
        return this.#tell(message.sha256, this.blobs.offer(message));
      case 'blob_chunk':
        return this.#part(message, payload);
      case 'function':
        return this.#function(message);
    }
  }

  #tell(sha256: string, state: object): void {
    this.#acked.set(sha256, (state as { readonly received: number }).received);
    this.send(state);
  }

  /** Answered after a while, to see how far ahead the client goes. */
  async #part(message: Extract<ClientMessage, { type: 'blob_chunk' }>, payload: Uint8Array): Promise<void> {
    const { sha256 } = message;
    this.#script.part?.(message, this);
    const fault = this.blobs.take(message, payload, this.limits, this.#acked.get(sha256) ?? 0);
    if (fault) this.faults.push(fault);
    const state = this.blobs.state(sha256);
    await sleep(PART_DELAY_MS);
    this.#tell(sha256, state);
  }

  #function({ request, sha256 }: Extract<ClientMessage, { type: 'function' }>): void {
    const { body } = this.blobs.function(sha256) ?? {};
    if (!body) this.faults.push(`a question about the function ${sha256}, which was not sent`);
    const { inputs = [], outputs = [] } = body ?? {};
    this.send({ type: 'function_description', request, inputs, outputs });
  }

  #agreed(capability: string): boolean {
    return this.announced.includes(capability) && (this.#script.capabilities ?? []).includes(capability);
  }

  async #hello({ protocol, capabilities }: Extract<ClientMessage, { type: 'hello' }>): Promise<void> {
    if (this.greeted) this.faults.push('a second hello');
    this.greeted = true;
    this.announced = capabilities;
    if (protocol !== PROTOCOL_VERSION) this.faults.push(`a hello of protocol ${protocol}`);
    await sleep(WELCOME_DELAY_MS);
    if (this.#script.greet) this.#script.greet(this);
    else this.welcome();
  }

  #describe(request: number): void {
    this.described = true;
    if (this.#script.describe) this.#script.describe(request, this);
    else this.send({ type: 'description', request, description: DESCRIPTION });
  }

  #ack({ run, seq }: Extract<ClientMessage, { type: 'ack' }>): void {
    const fault = this.runs.find(({ id }) => id === run)?.ack(seq);
    if (fault) this.faults.push(fault);
  }

  async #run(message: Extract<ClientMessage, { type: 'run' }>, payload: Uint8Array): Promise<void> {
    if (message.model !== MODEL) this.faults.push(`a run of the model ${message.model}`);
    if (message.options?.detach && !this.#agreed('detach'))
      this.faults.push('options.detach without the capability');
    const known = this.runs.find(({ id }) => id === message.run);
    if (known) return this.#again(known, message);
    if (message.traces && !this.#agreed('sessions'))
      this.faults.push('a run of several traces without the capability');
    if (message.options?.generate && !this.#agreed('generation'))
      this.faults.push('options.generate without the capability');
    const checked = checkTraces(tracesOf(message), INDEX, {
      function: (sha256) => this.blobs.function(sha256) ?? PRETENDED,
    });
    for (const error of checked.flatMap(({ errors }) => errors))
      this.faults.push(`its graph is wrong: ${error.message}`);
    const run = new ScriptedRun(message, payload, this.limits, (header, bytes) => this.send(header, bytes));
    this.runs.push(run);
    await (this.#script.run ?? ((plain: ScriptedRun) => plain.answer()))(run, this);
  }

  async #again(known: ScriptedRun, message: Extract<ClientMessage, { type: 'run' }>): Promise<void> {
    const graphs = tracesOf(message).map(({ graph }) => graph);
    if (!this.#script.retry) this.faults.push(`the run id ${known.id} twice`);
    else if (!isDeepStrictEqual(graphs, known.graphs))
      this.faults.push('it sent a run again with another graph');
    else await this.#script.retry(known, this);
  }
}
