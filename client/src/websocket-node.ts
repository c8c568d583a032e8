/** Node's WebSocket as a transport: the only file that knows `ws`. */
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket, TcpNetConnectOpts } from 'node:net';
import { copyOf, Inbox, SUBPROTOCOL, TracewireError } from '@tracewire/protocol';
import { type ClientOptions, WebSocket } from 'ws';
import type { ClientTransport } from './connection.ts';
import { unauthorized } from './faults.ts';
import { connectWithLargeReads } from './large-reads.ts';

const CONNECT_MS = 10_000;
/** How long to wait for the peer's half of a close. */
const CLOSE_MS = 2_000;
const OPTIONS = {
  // On float32 compression saves 8% and costs 25 times the time.
  perMessageDeflate: false,
  handshakeTimeout: CONNECT_MS,
  closeTimeout: CLOSE_MS,
};
/**
 * While something is awaited, a peer of which not a byte has come since the last ping is gone, whatever TCP believes. On a
 * slow link the pong waits behind values, so bytes are looked at.
 */
const PING_MS = 20_000;
/** A payload no longer than this is cheaper to copy than to carry apart. */
const SMALL_BYTES = 64 * 1024;
/** When it may be worth another try. */
const REFUSED_RETRY_MS = 1000;
/** Of a refusal's text. */
const MOST_REFUSAL_BYTES = 4096;

/**
 * Without a key TRACEWIRE_KEY is sent, where there is one. Rejects with `unreachable` when nobody answers within 10 s,
 * `unauthorized` when the server wants a key or another one, `refused_upgrade` when it says no.
 */
export function openWebSocket(
  url: string,
  key = process.env['TRACEWIRE_KEY']?.trim() || undefined,
  pingMs = PING_MS,
): Promise<ClientTransport> {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const socket = new WebSocket(url, SUBPROTOCOL, { ...OPTIONS, headers, ...readingOf(url) });
  socket.binaryType = 'fragments';
  const inbox = new Inbox();
  socket.on('message', (data, isBinary) => {
    if (isBinary && Array.isArray(data)) deliver(inbox, data);
    // No frame at all.
    else inbox.deliver(new Uint8Array());
  });
  socket.on('close', (code, reason) => inbox.end(code, reason.toString()));
  return new Promise((resolve, reject) => {
    let connection: Socket | undefined;
    socket.on('upgrade', (response) => {
      connection = response.socket;
    });
    socket.on('open', () => resolve(transportOf(socket, inbox, pingMs, connection)));
    socket.on('unexpected-response', (request, response) => {
      refusalOf(request, response, url, key !== undefined).then(reject, reject);
    });
    // After the opening, an error is always followed by a close, which tells.
    socket.on('error', (cause) => reject(unreachable(url, cause)));
  });
}

/** Over TLS Node reads into memory of its own. */
function readingOf(url: string): ClientOptions {
  if (!/^ws:/i.test(url)) return {};
  // To `http`, `path` is the URL's; to `net` it would be a Unix socket's.
  const createConnection = ({ path: _, ...options }: TcpNetConnectOpts & { path?: string }): Socket =>
    connectWithLargeReads(options);
  return { createConnection: createConnection as NonNullable<ClientOptions['createConnection']> };
}

/** A large payload that came as a fragment of its own stays one. */
function deliver(inbox: Inbox, fragments: readonly Uint8Array[]): void {
  const [head, payload, ...more] = fragments;
  if (head && payload && more.length === 0 && payload.byteLength > SMALL_BYTES) inbox.deliver(head, payload);
  else inbox.deliver(copyOf(fragments));
}

function transportOf(
  socket: WebSocket,
  inbox: Inbox,
  pingMs: number,
  connection: Socket | undefined,
): ClientTransport {
  const heart = heartbeat(socket, () => connection?.bytesRead ?? 0, pingMs);
  socket.on('close', () => heart.stop());
  return {
    send(parts) {
      if (inbox.closed) return;
      // Fragments of one message, which saves copying a payload behind its header.
      for (const [index, part] of parts.entries()) {
        socket.send(part, { binary: true, fin: index === parts.length - 1 });
      }
    },
    listen: (handlers) => inbox.listen(handlers),
    close(code = 1000, reason = '') {
      inbox.abandon(code, reason);
      heart.stop();
      // So that the peer is told even if the process has nothing else to do.
      connection?.ref();
      socket.close(code, reason);
    },
    busy(busy) {
      if (busy) {
        connection?.ref();
        heart.start();
      } else {
        connection?.unref();
        heart.stop();
      }
    },
  };
}

/** Pings while it runs; silence after one ends the socket, and with it all that waits. */
function heartbeat(
  socket: WebSocket,
  bytesRead: () => number,
  pingMs: number,
): { start(): void; stop(): void } {
  let timer: ReturnType<typeof setInterval> | undefined;
  let had = -1;
  const beat = (): void => {
    if (bytesRead() === had) return socket.terminate();
    had = bytesRead();
    socket.ping();
  };
  return {
    start() {
      if (timer !== undefined) return;
      had = -1;
      timer = setInterval(beat, pingMs);
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}

async function refusalOf(
  request: ClientRequest,
  response: IncomingMessage,
  url: string,
  hadKey: boolean,
): Promise<TracewireError> {
  const status = `HTTP ${response.statusCode}`;
  let text = '';
  for await (const part of response) {
    text += String(part);
    if (text.length >= MOST_REFUSAL_BYTES) break;
  }
  request.destroy();
  const said = text.slice(0, MOST_REFUSAL_BYTES).trim() || response.statusMessage || 'no reason given';
  if (response.statusCode === 401) return unauthorized(url, hadKey, said);
  return new TracewireError({
    code: 'refused_upgrade',
    message: `${url} refused the WebSocket (${status}): ${said}`,
    retryAfterMs: isPassing(response.statusCode) ? retryAfterOf(response) : undefined,
  });
}

function retryAfterOf({ headers }: IncomingMessage): number {
  const seconds = Number(headers['retry-after']);
  return Number.isSafeInteger(seconds) && seconds > 0 ? seconds * 1000 : REFUSED_RETRY_MS;
}

/** A server that loads its models, or a proxy that finds no server just now. */
function isPassing(status = 0): boolean {
  return status === 429 || (status >= 502 && status <= 504);
}

function unreachable(url: string, cause: Error & { readonly code?: string }): TracewireError {
  if (/subprotocol/i.test(cause.message)) {
    const message = `${url} is no Tracewire server of this version: it does not speak ${SUBPROTOCOL}.`;
    return new TracewireError({ code: 'refused_upgrade', message }, { cause });
  }
  const why = cause.message || cause.code || 'no answer';
  const message = `No server answers at ${url} (${why}). Start one with: npx tracewire serve. Or check the url.`;
  return new TracewireError({ code: 'unreachable', message }, { cause });
}
