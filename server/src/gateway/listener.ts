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
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { TracewireError } from '@tracewire/protocol';
import { VERSION } from '../version.ts';
import { Door, type Refused } from './door.ts';
import type { Explorer } from './explorer.ts';
import type { Gateway } from './gateway.ts';
import { inferenceApi } from './inference-api.ts';
import { SILENT } from './log.ts';
import { originRules } from './origin.ts';
import { answerRuns, isRunsPath } from './runs-endpoint.ts';
import { answerTicket, TICKET_PATH } from './ticket-endpoint.ts';
import type { Tls } from './tls.ts';
import { type AcceptUpgrade, webSockets } from './websocket.ts';

const ABOUT =
  'This is a Tracewire server. Trace a model with @tracewire/client, over a WebSocket at this address.\n';

export interface ListenOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly pingMs?: number;
  /** Who may come in; without it anybody who comes by a loopback name. */
  readonly door?: Door;
  /** Absent: the connection is not encrypted. */
  readonly tls?: Tls | undefined;
  /** The page at `/`; absent: a line of text. */
  readonly explorer?: Explorer | undefined;
}

/** A request is a few lines; whoever takes longer to send it holds a socket for nothing. */
const REQUEST_MS = 10_000;

export class Listener {
  readonly #server: Server;
  readonly #options: ListenOptions;
  readonly #door: Door;
  #gateway: Gateway | undefined;
  #accept: AcceptUpgrade | undefined;

  private constructor(options: ListenOptions) {
    this.#options = options;
    this.#door = options.door ?? new Door({ rules: originRules(options.host), log: SILENT });
    const answer = (request: IncomingMessage, response: ServerResponse): void =>
      this.#answer(request, response);
    const timeouts = { headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS };
    this.#server = options.tls
      ? createTlsServer({ ...timeouts, cert: options.tls.cert, key: options.tls.key }, answer)
      : createServer(timeouts, answer);
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

  /** `ws://127.0.0.1:7331`, or `wss://…` */
  get url(): string {
    const { address, port, family } = this.#server.address() as AddressInfo;
    return `${this.#options.tls ? 'wss' : 'ws'}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
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

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method, url = '' } = request;
    if (url.split('?')[0] === TICKET_PATH) return answerTicket(this.#door, request, response);
    const path = url.split('?')[0] ?? '';
    if (isRunsPath(path)) return answerRuns(this.#door, this.#gateway, request, response);
    const answer = isRead(method) ? this.#inference(path, request) : undefined;
    if (answer) {
      response.writeHead(answer.status, { ...answer.headers, 'content-type': 'application/json' });
      return void response.end(`${JSON.stringify(answer.body)}\n`);
    }
    if (isRead(method) && this.#explore(path, request, response)) return;
    response.setHeader('content-type', 'text/plain; charset=utf-8');
    response.statusCode = path === '/' ? 200 : 404;
    response.end(ABOUT);
  }

  /** The page is for everybody who comes by a name of the server; under another one it could reach nothing. */
  #explore(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    const file = this.#options.explorer?.find(path, request);
    if (!file) return false;
    const refused = this.#door.originRefusal(request);
    if (!refused) file(response);
    else
      response
        .writeHead(refused.status, { 'content-type': 'text/plain; charset=utf-8' })
        .end(`${refused.why}\n`);
    return true;
  }

  /** Probes need no key; what models there are is for those who may use them. */
  #inference(path: string, request: IncomingMessage) {
    if (path.startsWith('/v2/models')) {
      const refused = this.#door.originRefusal(request);
      const entry = refused ? { refused } : this.#door.authorize(request);
      if ('refused' in entry) {
        const { status, why, headers } = entry.refused;
        return { status, headers, body: { error: why } };
      }
    }
    const answer = inferenceApi(path, this.#gateway, VERSION);
    return answer && { ...answer, headers: undefined };
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const gateway = this.#gateway;
    if (!gateway || gateway.draining || !this.#accept)
      return refuse(socket, { status: 503, why: 'The server is not ready.' });
    const entry = this.#door.admit(request);
    if ('refused' in entry) return refuse(socket, entry.refused);
    if (!gateway.hasRoomFor(entry.key)) return refuse(socket, tooManyConnections(gateway));
    const address = this.#door.addressOf(request);
    this.#accept(request, socket, head, (transport) => gateway.serve(transport, { ...entry, address }));
  }
}

const isRead = (method: string | undefined): boolean => method === 'GET' || method === 'HEAD';

function refuse(socket: Duplex, { status, why, headers = {} }: Refused): void {
  const body = `${why}\n`;
  socket.once('finish', () => socket.destroy());
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      'Connection: close',
      'Content-Type: text/plain; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n'),
  );
}

function tooManyConnections({ limits }: Gateway): Refused {
  const why = `There are ${limits.connections} connections, and no more may be opened. Close one, or wait.`;
  return { status: 503, why, headers: { 'Retry-After': '1' } };
}

function bindError(error: NodeJS.ErrnoException, { host, port }: ListenOptions): TracewireError {
  if (error.code === 'EADDRINUSE') {
    const message = `Another program listens on port ${port} of ${host}. Choose another with --port, or --port 0 for any free one.`;
    return new TracewireError({ code: 'address_in_use', message });
  }
  const message = `Can’t listen on port ${port} of ${host}: ${error.message}. Choose others with --host and --port.`;
  return new TracewireError({ code: 'bad_configuration', message });
}
