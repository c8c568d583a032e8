/** The browser's WebSocket as a transport. It tells no reason for a refusal: browsers show only code 1006. */
import { concat, Inbox, SUBPROTOCOL, TracewireError } from '@tracewire/protocol/wire';
import type { ClientTransport } from './connection.ts';
import { ticketFor } from './ticket.ts';

/** The part of the DOM's WebSocket that is used here. */
interface BrowserSocket {
  binaryType: string;
  readonly protocol: string;
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    type: 'close',
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
}

const CONNECT_MS = 10_000;

/** Rejects with `unreachable` when it does not open within 10 s, and as `ticketFor` does. */
export async function openWebSocket(url: string, key?: string): Promise<ClientTransport> {
  const { WebSocket } = globalThis as unknown as {
    WebSocket: new (url: string, protocols: readonly string[]) => BrowserSocket;
  };
  const ticket = key === undefined ? undefined : await ticketFor(url, key);
  const socket = new WebSocket(url, [
    SUBPROTOCOL,
    ...(ticket === undefined ? [] : [`tracewire.ticket.${ticket}`]),
  ]);
  socket.binaryType = 'arraybuffer';
  const inbox = new Inbox();
  return new Promise((resolve, reject) => {
    const refuse = (what: string): void => {
      reject(
        new TracewireError({
          code: 'unreachable',
          message: `${url}: ${what}. Is a Tracewire server running there, does it take this page’s origin, and does it want a key?`,
        }),
      );
      socket.close();
    };
    const timer = setTimeout(() => refuse('no answer within 10 s'), CONNECT_MS);
    socket.addEventListener('open', () => {
      clearTimeout(timer);
      resolve(transportOf(socket, inbox));
    });
    socket.addEventListener('message', ({ data }) => {
      if (data instanceof ArrayBuffer) inbox.deliver(new Uint8Array(data));
      // No frame at all; a page may not close with 1003.
      else inbox.deliver(new Uint8Array());
    });
    socket.addEventListener('close', ({ code, reason }) => {
      clearTimeout(timer);
      refuse(`the connection was refused (code ${code})`);
      inbox.end(code, reason);
    });
  });
}

function transportOf(socket: BrowserSocket, inbox: Inbox): ClientTransport {
  return {
    send(parts) {
      if (!inbox.closed) socket.send(concat(parts));
    },
    listen: (handlers) => inbox.listen(handlers),
    close(code = 1000, reason = '') {
      inbox.abandon(code, reason);
      // Pages may send 1000 and 3000 to 4999 only.
      socket.close(code === 1000 || code >= 3000 ? code : 1000, reason);
    },
  };
}
