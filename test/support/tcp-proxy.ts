/**
 * A TCP proxy that breaks connections in every way a network can: cut before, inside or behind the n-th WebSocket frame
 * from the server, before the client's n-th frame gets through, or half open, where only one end learns of it; or as slow as one likes.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { FrameCounter } from './websocket-frames.ts';

/** Where a connection is cut. Frames are counted from 1; a message may have several. */
export interface Cut {
  readonly from: 'server' | 'client';
  readonly frame: number;
  /** `inside` lets half of the frame through, `behind` all of it. */
  readonly at: 'before' | 'inside' | 'behind';
}

/** Decides for the n-th connection, from 0; undefined lets it live. */
export type CutRule = (connection: number) => Cut | undefined;

export class TcpProxy {
  /** Connections so far. */
  connections = 0;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #target: URL;
  #rule: CutRule;
  #bytesPerSecond: number | undefined;

  private constructor(target: string, rule: CutRule) {
    this.#target = new URL(target);
    this.#rule = rule;
    this.#server = createServer((client) => this.#accept(client));
  }

  static async start(target: string, rule: CutRule = () => undefined): Promise<TcpProxy> {
    const proxy = new TcpProxy(target, rule);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** For connections to come. */
  lead(target: string): void {
    this.#target = new URL(target);
  }

  rule(rule: CutRule): void {
    this.connections = 0;
    this.#rule = rule;
  }

  /** How fast the server's bytes get through on connections to come; undefined: as they come. */
  slow(bytesPerSecond: number | undefined): void {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Ends every connection at both ends. */
  cut(): void {
    for (const pair of this.#pairs) pair.cut();
  }

  /** The clients' ends are cut; the server believes that they are there, and simply silent. */
  halfOpen(): void {
    for (const pair of this.#pairs) pair.halfOpen();
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    const server = connect(Number(this.#target.port), this.#target.hostname);
    const pair = new Pair(client, server, this.#rule(this.connections), this.#bytesPerSecond);
    this.connections += 1;
    this.#pairs.add(pair);
    server.once('close', () => this.#pairs.delete(pair));
  }
}

const TRICKLE_MS = 20;

/** One connection's two halves. */
class Pair {
  readonly #client: Socket;
  readonly #server: Socket;
  #ended = false;

  constructor(client: Socket, server: Socket, cut: Cut | undefined, bytesPerSecond: number | undefined) {
    this.#client = client;
    this.#server = server;
    for (const socket of [client, server]) socket.on('error', () => this.cut()).on('close', () => this.cut());
    this.#pipe(client, server, cut?.from === 'client' ? cut : undefined);
    if (bytesPerSecond === undefined) this.#pipe(server, client, cut?.from === 'server' ? cut : undefined);
    else this.#trickle(server, client, bytesPerSecond);
  }

  cut(): void {
    this.#ended = true;
    this.#client.destroy();
    this.#server.destroy();
  }

  halfOpen(): void {
    this.#server.removeAllListeners('data');
    this.#server.resume();
    this.#client.removeAllListeners('close');
    this.#client.destroy();
  }

  /** Reads no faster than that either, so that the sender's own buffers fill. */
  #trickle(from: Socket, to: Socket, bytesPerSecond: number): void {
    const step = Math.max(1, Math.round((bytesPerSecond * TRICKLE_MS) / 1000));
    let waiting = Buffer.alloc(0);
    const timer = setInterval(() => {
      to.write(waiting.subarray(0, step));
      waiting = waiting.subarray(step);
      if (waiting.byteLength < step) from.resume();
    }, TRICKLE_MS);
    from.on('data', (bytes: Buffer) => {
      waiting = Buffer.concat([waiting, bytes]);
      if (waiting.byteLength >= step) from.pause();
    });
    from.once('close', () => clearInterval(timer));
  }

  #pipe(from: Socket, to: Socket, cut: Cut | undefined): void {
    const frames = cut && new FrameCounter(cut.frame);
    from.on('data', (bytes: Buffer) => {
      if (this.#ended) return;
      const range = frames?.find(bytes);
      if (!cut || !range) return void to.write(bytes);
      const [start, end] = range;
      const through = { before: start, inside: Math.floor((start + end) / 2), behind: end }[cut.at];
      this.#ended = true;
      to.write(bytes.subarray(0, Math.max(0, through)), () => this.cut());
    });
  }
}
