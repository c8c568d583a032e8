/**
 * WebSockets as transports: the only file of the server that knows `ws`. Binary messages only, no
 * compression, pings to find dead peers, and an end for a peer that asks and never reads.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Inbox, type Limits, SUBPROTOCOL, type Transport } from '@tracewire/protocol';
import { type WebSocket, WebSocketServer } from 'ws';
import { PING_MS, socketBytes } from './limits.ts';

/** How long a peer may take to answer a close. */
const CLOSE_GRACE_MS = 1000;
/** RFC 6455: a close frame has 125 bytes, two of them the code. */
const MAX_REASON_BYTES = 123;

/** Finishes an upgrade that the listener has checked. */
export type AcceptUpgrade = (
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  accepted: (transport: Transport) => void,
) => void;

export function webSockets(limits: Limits, pingMs = PING_MS): AcceptUpgrade {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.messageBytes,
    handleProtocols: () => SUBPROTOCOL,
  });
  return (request, socket, head, accepted) =>
    server.handleUpgrade(request, socket, head, (webSocket) => {
      keepAlive(webSocket, request.socket, pingMs);
      accepted(webSocketTransport(webSocket, request.socket, socketBytes(limits)));
    });
}

function webSocketTransport(socket: WebSocket, connection: Socket, maxBuffered: number): Transport {
  const inbox = new Inbox();
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary) return inbox.deliver(data);
    close(1003, 'text frames are not part of the protocol');
  });
  // `ws` closes the socket by itself then, and would report 1006 unless the peer answered.
  socket.on('error', (error) => inbox.abandon(closeCodeOf(error), error.message));
  socket.on('close', (code, reason) => inbox.end(code, reason.toString()));

  function close(code: number, reason: string): void {
    inbox.abandon(code, reason);
    socket.close(code, clip(reason));
    const timer = setTimeout(() => socket.terminate(), CLOSE_GRACE_MS);
    socket.once('close', () => clearTimeout(timer));
  }

  return {
    send(parts) {
      if (inbox.closed) return;
      if (socket.bufferedAmount > maxBuffered) {
        inbox.abandon(1008, 'the client does not read what it asked for');
        return socket.terminate();
      }
      // A write is a call to the kernel, which hands the bytes on: what is sent in one turn goes out in one.
      if (connection.writableCorked === 0) {
        connection.cork();
        process.nextTick(() => connection.uncork());
      }
      sendParts(socket, parts);
    },
    listen: (handlers) => inbox.listen(handlers),
    close: (code = 1000, reason = '') => {
      if (!inbox.closed) close(code, reason);
    },
  };
}

/** One message, each part a fragment, so that header and payload need not be copied together. */
function sendParts(socket: WebSocket, parts: readonly Uint8Array[]): void {
  for (const [index, part] of parts.entries()) {
    socket.send(part, { binary: true, fin: index === parts.length - 1 }, () => {});
  }
}

/**
 * A peer of which not a byte has come since the last ping is taken for dead. Bytes are looked at, not pongs: on a slow
 * link a pong waits behind what the peer is sending.
 */
function keepAlive(socket: WebSocket, connection: Socket, pingMs: number): void {
  let had = -1;
  const timer = setInterval(() => {
    if (connection.bytesRead === had) return socket.terminate();
    had = connection.bytesRead;
    socket.ping();
  }, pingMs);
  socket.once('close', () => clearInterval(timer));
}

/** What `ws` tells a peer that it can't go on with (its `lib/receiver.js`): too large, or no WebSocket frame. */
function closeCodeOf(error: Error & { readonly code?: string }): number {
  return error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' ? 1009 : 1002;
}

function clip(reason: string): string {
  return Buffer.from(reason).subarray(0, MAX_REASON_BYTES).toString().replace(/�$/, '');
}
