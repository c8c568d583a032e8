import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { socketTransport } from './socket-transport.ts';

let folder: string;
let open: Socket[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tracewire-test-'));
});

afterEach(() => {
  for (const socket of open) socket.destroy();
  open = [];
  rmSync(folder, { recursive: true });
});

/** Two ends of a Unix socket. */
async function sockets(): Promise<[Socket, Socket]> {
  const path = join(folder, 's');
  const server = createServer();
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const client = connect(path);
  open = [client, await accepted];
  server.close();
  return [client, await accepted];
}

function collect(socket: Socket) {
  const messages: Uint8Array[] = [];
  let wake = (): void => {};
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socketTransport(socket).listen({
      message: (bytes) => {
        messages.push(bytes);
        wake();
      },
      close: (code, reason) => resolve({ code, reason }),
    });
  });
  const until = async (count: number) => {
    while (messages.length < count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return messages;
  };
  return { until, closed };
}

it('carries messages of any size, given in parts, each at offset 0 of its own buffer', async () => {
  const [a, b] = await sockets();
  const sender = socketTransport(a);
  const big = new Uint8Array(3_000_000).map((_, index) => index % 251);
  sender.send([new Uint8Array([1, 2]), new Uint8Array(0), new Uint8Array([3])]);
  sender.send([]);
  sender.send([big.subarray(0, 8), big.subarray(8)]);
  const messages = await collect(b).until(3);
  expect(messages.map((message) => message.byteLength)).toEqual([3, 0, big.byteLength]);
  expect(Buffer.compare(messages[2] as Uint8Array, big)).toBe(0);
  for (const message of messages) expect(message.byteOffset).toBe(0);
});

it('puts messages together from single bytes', async () => {
  const [a, b] = await sockets();
  a.setNoDelay(true);
  const inbox = collect(b);
  for (const byte of [2, 0, 0, 0, 8, 9, 1, 0, 0, 0, 7]) {
    a.write(Uint8Array.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect((await inbox.until(2)).map((message) => [...message])).toEqual([[8, 9], [7]]);
});

it('closes on a length that no message has, without allocating it', async () => {
  const [a, b] = await sockets();
  a.on('error', () => {});
  a.write(new Uint8Array([255, 255, 255, 255]));
  expect(await collect(b).closed).toEqual({
    code: 1006,
    reason: 'a message of 4294967295 bytes was announced',
  });
});

it('delivers what was sent before a close, then the close', async () => {
  const [a, b] = await sockets();
  const sender = socketTransport(a);
  sender.send([new Uint8Array(500_000)]);
  sender.close();
  const inbox = collect(b);
  await inbox.until(1);
  expect(await inbox.closed).toEqual({ code: 1000, reason: '' });
});
