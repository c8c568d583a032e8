/**
 * A client that sees the numbers: it starts one run, acknowledges what comes, comes back after each loss, and keeps
 * account of every numbered message. What the server may not do (a gap, a message behind the terminal status, a second
 * one, a save without its one outcome) is a violation.
 */
import { once } from 'node:events';
import {
  type ClientMessage,
  decodeMessage,
  encodeFrame,
  type Graph,
  isTerminal,
  type ServerMessage,
  SUBPROTOCOL,
  serverMessages,
} from '@tracewire/protocol';
import { WebSocket } from 'ws';

export interface Outcome {
  /** The terminal state, or the code of the error that ended the run. */
  readonly ended: string;
  /** What was wrong, in words. */
  readonly violations: readonly string[];
  /** Connections that it had. */
  readonly connections: number;
  /** Every payload of its values, by seq. */
  readonly payloads: ReadonlyMap<number, Buffer>;
}

export interface WireRunOptions {
  readonly url: string;
  readonly run: string;
  readonly model: string;
  readonly graph: Graph;
  readonly payload?: readonly Uint8Array[];
  readonly detach?: boolean;
  readonly deadlineMs?: number;
  /** Fetch what is there, in place of starting it. */
  readonly fetchOnly?: boolean;
  /** Sees every message that was taken. */
  seen?(message: ServerMessage): void;
  /** A run that takes longer hangs, which is a violation; while this process itself is stopped no time passes. */
  readonly mostMs?: number;
}

const RETRY_MS = 50;
const TICK_MS = 250;

/** Runs to the end of the run, whatever becomes of connections. */
export async function wireRun(options: WireRunOptions): Promise<Outcome> {
  const one = new WireRun(options);
  let left = options.mostMs ?? 60_000;
  const timer = setInterval(() => {
    left -= TICK_MS;
    if (left <= 0) one.finish('nothing', 'the run came to no end');
  }, TICK_MS);
  try {
    return await one.outcome();
  } finally {
    clearInterval(timer);
  }
}

class WireRun {
  readonly #options: WireRunOptions;
  readonly #violations: string[] = [];
  readonly #payloads = new Map<number, Buffer>();
  /** Saves that have their outcome. */
  readonly #settled = new Set<number>();
  #socket: WebSocket | undefined;
  #last = 0;
  #ended: string | undefined;
  #connections = 0;
  #epoch: string | undefined;

  constructor(options: WireRunOptions) {
    this.#options = options;
  }

  async outcome(): Promise<Outcome> {
    while (this.#ended === undefined) await this.#connection();
    return {
      ended: this.#ended,
      violations: this.#violations,
      connections: this.#connections,
      payloads: this.#payloads,
    };
  }

  finish(ended: string, violation?: string): void {
    this.#ended ??= ended;
    if (violation) this.#violations.push(violation);
    this.#socket?.terminate();
  }

  /** One connection, until it is lost or the run has ended. */
  async #connection(): Promise<void> {
    const socket = new WebSocket(this.#options.url, SUBPROTOCOL, { perMessageDeflate: false });
    this.#socket = socket;
    const closed = once(socket, 'close').catch(() => {});
    socket.on('error', () => {});
    socket.on('open', () => {
      this.#connections += 1;
      this.#send({
        type: 'hello',
        protocol: 1,
        client: { name: 'wire-run', version: '0' },
        capabilities: ['resume', 'detach'],
      });
    });
    socket.on('message', (data: Buffer) => this.#receive(data));
    await closed;
    if (this.#ended === undefined) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }

  #send(message: ClientMessage, payload: readonly Uint8Array[] = []): void {
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#socket.send(Buffer.concat(encodeFrame(message, payload)));
    }
  }

  #receive(data: Buffer): void {
    const { message, payload } = decodeMessage(serverMessages, data);
    if (this.#ended === undefined) this.#take(message, payload);
    if (this.#ended === undefined) this.#options.seen?.(message);
  }

  #take(message: ServerMessage, payload: Uint8Array): void {
    if (message.type === 'welcome') return this.#begin(message.epoch);
    if (message.type === 'error') return this.finish(message.errors[0]?.code ?? 'an error without a code');
    if (!('seq' in message)) return;
    const { seq } = message;
    if (seq !== this.#last + 1) this.#violations.push(`message ${seq} came after ${this.#last}`);
    this.#last = seq;
    if (payload.byteLength > 0) this.#payloads.set(seq, Buffer.from(payload));
    this.#send({ type: 'ack', run: this.#options.run, seq });
    if (message.type === 'value' || message.type === 'access_error') {
      const { save } = message;
      if (this.#settled.has(save)) this.#violations.push(`save ${save} had two outcomes`);
      this.#settled.add(save);
    }
    if (message.type === 'status' && isTerminal(message.state)) this.#settle(message.state);
  }

  /** A little longer, for what must not come any more. */
  #settle(state: string): void {
    const { run, detach, graph } = this.#options;
    this.#ended = state;
    for (const [save, { kind }] of graph.nodes.entries()) {
      if (kind === 'save' && !this.#settled.has(save)) this.#violations.push(`save ${save} had no outcome`);
    }
    const socket = this.#socket;
    socket?.removeAllListeners('message');
    socket?.on('message', (data: Buffer) => {
      const { message } = decodeMessage(serverMessages, data);
      if ('run' in message && message.run === run && message.type !== 'progress') {
        this.#violations.push(`${message.type} came behind the terminal status`);
      }
    });
    setTimeout(() => socket?.close(1000), detach ? 0 : 20);
  }

  #begin(epoch: string): void {
    const { run, model, graph, payload, detach, deadlineMs, fetchOnly } = this.#options;
    const known = this.#epoch === undefined || this.#epoch === epoch;
    this.#epoch = epoch;
    if (!known && !detach) return this.finish('run_lost');
    if (this.#last > 0 || fetchOnly) return this.#send({ type: 'resume', run, after: this.#last });
    const options =
      detach || deadlineMs
        ? { ...(detach ? { detach } : {}), ...(deadlineMs ? { deadlineMs } : {}) }
        : undefined;
    this.#send({ type: 'run', run, model, graph, options }, payload);
  }
}
