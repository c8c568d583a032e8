/** The WebSocket itself, against real sockets. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { concat, SUBPROTOCOL } from '@tracewire/protocol';
import { afterEach, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { reason } from '../test/reason.ts';
import { openWebSocket } from './websocket-node.ts';

const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

async function listening(server: Server): Promise<string> {
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('carries messages both ways, whole, however they are fragmented, and tells of the close', async () => {
  const http = createServer();
  const sockets = new WebSocketServer({ server: http, perMessageDeflate: true });
  sockets.on('connection', (socket) => {
    expect(socket.protocol).toBe(SUBPROTOCOL);
    expect(socket.extensions).toBe('');
    socket.on('message', (data) => {
      socket.send((data as Buffer).subarray(0, 2), { fin: false });
      socket.send((data as Buffer).subarray(2), { fin: true });
      socket.close(1001, 'going away');
    });
  });
  const transport = await openWebSocket(await listening(http));
  const seen: unknown[] = [];
  const closed = new Promise<void>((resolve) => {
    transport.listen({
      message: (bytes) => seen.push([...bytes]),
      close: (code, why) => {
        seen.push([code, why]);
        resolve();
      },
    });
  });
  transport.send([Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5)]);
  await closed;
  expect(seen).toEqual([
    [1, 2, 3, 4, 5],
    [1001, 'going away'],
  ]);
  transport.send([concat([])]);
});

test('a large payload that is a fragment of its own is not joined with its header', async () => {
  const large = new Uint8Array(100_000).map((_, index) => index % 251);
  const small = Uint8Array.of(1, 2, 3);
  const http = createServer();
  const sockets = new WebSocketServer({ server: http });
  sockets.on('connection', (socket) => {
    const send = (parts: readonly Uint8Array[]): void => {
      for (const [index, part] of parts.entries()) socket.send(part, { fin: index === parts.length - 1 });
    };
    send([small, large]);
    send([small, small]);
    send([large]);
    send([small, small, large]);
    socket.close(1000);
  });
  const transport = await openWebSocket(await listening(http));
  const seen: (readonly [Uint8Array, (Uint8Array | undefined)?])[] = [];
  await new Promise((resolve) => {
    transport.listen({ message: (...message) => seen.push(message), close: resolve });
  });
  expect(seen.map((parts) => parts.map((part) => part?.byteLength))).toEqual([
    [3, 100_000],
    [6],
    [100_000],
    [100_006],
  ]);
  expect(Buffer.compare(seen[0]?.[1] ?? small, large)).toBe(0);
  expect([...(seen[1]?.[0] ?? [])]).toEqual([1, 2, 3, 1, 2, 3]);
});

test('a port where nobody listens is unreachable, with the address and what to do', async () => {
  const http = createServer();
  const url = await listening(http);
  http.close();
  const error = await reason(openWebSocket(url));
  expect(error.code).toBe('unreachable');
  expect(error.message).toContain(url);
  expect(error.message).toContain('npx tracewire serve');
});

test('a refused upgrade says what the server said', async () => {
  const http = createServer();
  http.on('upgrade', (_, socket) => {
    socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 14\r\n\r\nwrong host, eh');
  });
  const error = await reason(openWebSocket(await listening(http)));
  expect(error.code).toBe('refused_upgrade');
  expect(error.message).toMatch(/\(HTTP 403\): wrong host, eh/);
});

test('a server of something else is refused', async () => {
  const http = createServer((_, response) => response.end('hello'));
  expect((await reason(openWebSocket(await listening(http)))).code).toBe('refused_upgrade');
  const other = createServer();
  new WebSocketServer({ server: other, handleProtocols: () => false });
  expect((await reason(openWebSocket(await listening(other)))).message).toContain(SUBPROTOCOL);
});

test('a socket that is cut tells at once', async () => {
  const http = createServer();
  const sockets = new WebSocketServer({ server: http });
  sockets.on('connection', (socket) => socket.terminate());
  const transport = await openWebSocket(await listening(http));
  const code = await new Promise((resolve) => transport.listen({ message: () => undefined, close: resolve }));
  expect(code).toBe(1006);
});

test('while something waits, a peer that answers no ping is gone; one that answers is not', async () => {
  const http = createServer();
  const sockets = new WebSocketServer({ server: http, autoPong: false });
  let pings = 0;
  sockets.on('connection', (socket) => {
    socket.on('ping', () => {
      pings += 1;
      if (pings < 4) socket.pong();
    });
  });
  const transport = await openWebSocket(await listening(http), undefined, 20);
  const closed = new Promise((resolve) => transport.listen({ message: () => undefined, close: resolve }));
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(pings).toBe(0);
  transport.busy?.(true);
  expect(await closed).toBe(1006);
  expect(pings).toBe(4);
});

test('while nothing waits, silence is no loss, nor is it counted later', async () => {
  const http = createServer();
  new WebSocketServer({ server: http });
  const transport = await openWebSocket(await listening(http), undefined, 20);
  let closes = 0;
  transport.listen({
    message: () => undefined,
    close: () => {
      closes += 1;
    },
  });
  for (const busy of [true, false, true]) {
    transport.busy?.(busy);
    await new Promise((resolve) => setTimeout(resolve, 70));
  }
  expect(closes).toBe(0);
  transport.close();
  expect(closes).toBe(1);
});

test('a refusal that passes says when another try may work', async () => {
  const http = createServer();
  http.on('upgrade', (_, socket) => {
    socket.end('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 7\r\n\r\nloading');
  });
  const error = await reason(openWebSocket(await listening(http)));
  expect([error.code, error.body.retryAfterMs]).toEqual(['refused_upgrade', 1000]);
});
