/**
 * The door to the network: one HTTP server that answers health checks and upgrades to WebSockets
 * (PROTOCOL.md, section 1). It binds before the models load, so that a taken port is heard of at once, and
 * lets nobody in before `open`.
 */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { SUBPROTOCOL, TracewireError } from '@tracewire/protocol';
import type { Gateway } from './gateway.ts';
import { isLoopback, originFault } from './origin.ts';
import { type AcceptUpgrade, webSockets } from './websocket.ts';

const ABOUT =
  'This is a Tracewire server. Trace a model with @tracewire/client, over a WebSocket at this address.\n';

export interface ListenOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly pingMs?: number;
}

export class Listener {
  readonly #server: Server;
  readonly #options: ListenOptions;
  #gateway: Gateway | undefined;
  #accept: AcceptUpgrade | undefined;

  private constructor(options: ListenOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** Binds the address. Throws `address_in_use` or `bad_configuration`. */
  static bind(options: ListenOptions): Promise<Listener> {
    const listener = new Listener(options);
    return new Promise((resolve, reject) => {
      listener.#server.once('error', (error: NodeJS.ErrnoException) => reject(bindError(error, options)));
      listener.#server.listen(options.port, options.host, () => resolve(listener));
    });
  }

  /** `ws://127.0.0.1:7331` */
  get url(): string {
    const { address, port, family } = this.#server.address() as AddressInfo;
    return `ws://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** Lets clients in. */
  open(gateway: Gateway): void {
    this.#gateway = gateway;
    this.#accept = webSockets(gateway.limits, this.#options.pingMs);
  }

  /** Takes no more connections; those that are there belong to the gateway. */
  close(): void {
    this.#gateway = undefined;
    this.#server.close();
    this.#server.closeIdleConnections();
  }

  #answer({ method, url }: IncomingMessage, response: ServerResponse): void {
    response.setHeader('content-type', 'text/plain; charset=utf-8');
    const health = url === '/v2/health/ready' && (method === 'GET' || method === 'HEAD');
    if (!health) {
      response.statusCode = url === '/' ? 200 : 404;
      return void response.end(ABOUT);
    }
    response.statusCode = this.#gateway ? 200 : 503;
    response.end(this.#gateway ? 'ready\n' : 'loading\n');
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const gateway = this.#gateway;
    if (!gateway || !this.#accept) return refuse(socket, 503, 'The server is not ready.');
    const fault = isLoopback(this.#options.host) ? originFault(request.headers) : undefined;
    if (fault) return refuse(socket, 403, fault);
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    if (!offered.includes(SUBPROTOCOL)) return refuse(socket, 400, `Offer the subprotocol ${SUBPROTOCOL}.`);
    this.#accept(request, socket, head, (transport) => gateway.serve(transport));
  }
}

function refuse(socket: Duplex, status: number, why: string): void {
  const body = `${why}\n`;
  socket.once('finish', () => socket.destroy());
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Connection: close',
      'Content-Type: text/plain; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n'),
  );
}

function bindError(error: NodeJS.ErrnoException, { host, port }: ListenOptions): TracewireError {
  if (error.code === 'EADDRINUSE') {
    const message = `Another program listens on port ${port} of ${host}. Choose another with --port, or --port 0 for any free one.`;
    return new TracewireError({ code: 'address_in_use', message });
  }
  const message = `Can’t listen on port ${port} of ${host}: ${error.message}.`;
  return new TracewireError({ code: 'bad_configuration', message });
}
