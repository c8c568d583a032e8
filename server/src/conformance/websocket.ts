/**
 * The conformance suite's own WebSockets: a client that can misbehave, and a bare server for scripts. The gateway's
 * file has neither, for a server must not; this is the only other file of the server that knows `ws`.
 */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SUBPROTOCOL, TracewireError } from '@tracewire/protocol';
import { WebSocket, WebSocketServer } from 'ws';
import { isLoopback } from '../gateway/origin.ts';
import type { Closing, SocketWire, Target, Upgrade, UpgradeOptions } from './wire.ts';

const CONNECT_MS = 10_000;

/** A server at an address, with the key that all upgrades bring unless they say otherwise. */
export function socketTarget(
  url: string,
  { key, otherKey }: { readonly key?: string | undefined; readonly otherKey?: string | undefined } = {},
): Target {
  if (!URL.canParse(url) || !/^wss?:$/.test(new URL(url).protocol)) {
    throw new TracewireError({
      code: 'bad_configuration',
      message: `${JSON.stringify(url)} is no address of a server. One looks like ws://127.0.0.1:7331.`,
    });
  }
  const upgrade = (options: UpgradeOptions): Promise<Upgrade> =>
    openSocket(url, { key: key ?? '', ...options });
  return {
    name: url,
    loopback: isLoopback(new URL(url).hostname),
    upgrade,
    key,
    otherKey,
    connect: async (other) => {
      const opened = await upgrade(other === undefined ? {} : { key: other });
      if ('wire' in opened) return opened.wire;
      throw new TracewireError({
        code: 'refused_upgrade',
        message: `${url} refused the WebSocket with HTTP ${opened.status}.`,
      });
    },
  };
}

async function openSocket(url: string, options: UpgradeOptions & { readonly key: string }): Promise<Upgrade> {
  const authorization = options.key === '' ? {} : { authorization: `Bearer ${options.key}` };
  const socket = new WebSocket(
    `${url.replace(/\/$/, '')}/${options.path ?? ''}`,
    [...(options.subprotocols ?? [SUBPROTOCOL])],
    {
      perMessageDeflate: options.offerCompression ?? false,
      handshakeTimeout: CONNECT_MS,
      maxPayload: 0,
      headers: { ...authorization, ...options.headers },
    },
  );
  const wire = wireOf(socket);
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve({ wire }));
    socket.once('unexpected-response', (request, response) => {
      resolve({ status: response.statusCode ?? 0, headers: plainHeaders(response) });
      request.destroy();
    });
    socket.on('error', (cause: Error & { code?: string }) => {
      const message = `${url} doesn’t answer: ${cause.message || cause.code}.`;
      reject(new TracewireError({ code: 'unreachable', message }));
    });
  });
}

function plainHeaders({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

function wireOf(socket: WebSocket): SocketWire {
  const waiting: Uint8Array[] = [];
  let listener: ((bytes: Uint8Array) => void) | undefined;
  let text = false;
  socket.on('message', (data: Buffer, isBinary) => {
    if (!isBinary) text = true;
    else if (listener) listener(data);
    else waiting.push(data);
  });
  const closed = new Promise<Closing>((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  const sendFragments = (parts: readonly Uint8Array[]): void => {
    for (const [index, part] of parts.entries()) {
      socket.send(part, { binary: true, fin: index === parts.length - 1 }, () => {});
    }
  };
  return {
    send: (message) => sendFragments([message]),
    sendFragments,
    sendText: (message) => socket.send(message, () => {}),
    ping: async () => {
      socket.ping();
      await once(socket, 'pong');
    },
    listen: (message) => {
      listener = message;
      for (const bytes of waiting.splice(0)) message(bytes);
    },
    closed,
    close: () => socket.close(1000),
    destroy: () => socket.terminate(),
    get extensions() {
      return socket.extensions;
    },
    get subprotocol() {
      return socket.protocol;
    },
    textCame: () => text,
  };
}

/** A socket that came in at a `ScriptedSocketServer`. */
export interface IncomingSocket {
  readonly wire: SocketWire;
  /** The subprotocols that the peer offered. */
  readonly offered: readonly string[];
  readonly offeredExtensions: string;
  /** A browser sends the page's origin, and programs have none. It offers compression unasked. */
  readonly isBrowser: boolean;
  close(code: number, reason: string): void;
}

export interface ScriptedSocketServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Listens on a free port of loopback and takes whatever comes. */
export async function listenForScripts(
  connected: (socket: IncomingSocket) => void,
  {
    subprotocol = SUBPROTOCOL,
    refuses,
  }: { readonly subprotocol?: string | false; readonly refuses?: number } = {},
): Promise<ScriptedSocketServer> {
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? subprotocol : false),
    verifyClient: (_, decide) => decide(refuses === undefined, refuses),
  });
  server.on('connection', (socket, request) => {
    socket.on('error', () => {});
    const { headers } = request;
    connected({
      wire: wireOf(socket),
      offered: (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim()),
      offeredExtensions: headers['sec-websocket-extensions'] ?? '',
      isBrowser: headers.origin !== undefined,
      close: (code, reason) => socket.close(code, reason),
    });
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `ws://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        for (const socket of server.clients) socket.terminate();
        server.close(() => resolve());
      }),
  };
}
