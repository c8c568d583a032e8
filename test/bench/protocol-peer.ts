/**
 * The server's side of `npm run bench:protocol`, a process of its own: a value of so many bytes over a raw TCP socket,
 * over `ws` as one message, and over the gateway with its listener, its outbox and a host that answers from memory.
 * Prints its three addresses.
 */
import { createServer } from 'node:net';
import { encodeFrame, type MessageOf } from '@tracewire/protocol';
import { WebSocketServer } from 'ws';
import { Gateway } from '../../server/src/gateway/gateway.ts';
import { DEFAULT_LIMITS } from '../../server/src/gateway/limits.ts';
import { Listener } from '../../server/src/gateway/listener.ts';
import { SILENT } from '../../server/src/gateway/log.ts';
import { ServedModel } from '../../server/src/gateway/served-model.ts';
import { polite, type ScriptedHost, scriptedHosts } from '../../server/src/gateway/testing/scripted-host.ts';
import type { hostEvents } from '../../server/src/host/messages.ts';

const BYTES = Number(process.argv[2]);
const HOST = '127.0.0.1';
/** Room for a header in front of a payload, so that the host here copies nothing. */
const HEAD = 4096;

const value = new Uint8Array(BYTES).map((_, index) => index % 251);
const { chunkBytes } = DEFAULT_LIMITS;
const slots = Array.from({ length: Math.ceil(BYTES / chunkBytes) }, (_, index) => {
  const payload = value.subarray(index * chunkBytes, (index + 1) * chunkBytes);
  const slot = new Uint8Array(HEAD + payload.byteLength);
  slot.set(payload, HEAD);
  return slot;
});

console.log(JSON.stringify({ tcp: await rawTcp(), ws: await plainWs(), gateway: await gateway() }));

/** Sends the value for each byte that comes. */
async function rawTcp(): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('data', () => socket.write(value));
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  return (server.address() as { port: number }).port;
}

/** Sends the value as one message for each message that comes. */
async function plainWs(): Promise<number> {
  const server = new WebSocketServer({ host: HOST, port: 0, perMessageDeflate: false });
  server.on('connection', (socket) => socket.on('message', () => socket.send(value)));
  await new Promise((resolve) => server.once('listening', resolve));
  return (server.address() as { port: number }).port;
}

async function gateway(): Promise<string> {
  const { start } = scriptedHosts((host, command, payload) => {
    if (command.type === 'run') answer(host, command.run);
    else polite(host, command, payload);
  });
  const { savedBytes, intermediateBytes } = DEFAULT_LIMITS;
  const model = new ServedModel({
    config: {
      name: 'toy',
      folder: '',
      cache: '',
      provider: 'cpu',
      threads: 0,
      chunkBytes,
      savedBytes,
      intermediateBytes,
    },
    start,
    log: SILENT,
  });
  await model.load();
  const listener = await Listener.bind({ host: HOST, port: 0 });
  listener.open(new Gateway({ models: [model], log: SILENT, version: '0.0.0' }));
  return listener.url;
}

/** The value of node 1, and the end. */
function answer(host: ScriptedHost, run: string): void {
  const tensor = { dtype: 'uint8', dims: [BYTES], offset: 0, length: BYTES } as const;
  for (const [index, slot] of slots.entries()) {
    const event: MessageOf<typeof hostEvents> =
      index === 0
        ? { type: 'value', run, save: 1, value: { tensor }, bytes: BYTES }
        : { type: 'chunk', run, save: 1, offset: index * chunkBytes };
    const [head = new Uint8Array()] = encodeFrame(event);
    slot.set(head, HEAD - head.byteLength);
    host.sendRaw(slot.subarray(HEAD - head.byteLength));
  }
  host.send({ type: 'done', run, state: 'completed' });
}
