/** A value of 25 MB over loopback, from another process: raw TCP, `ws`, our gateway and client, and a whole server. */
import { spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { LanguageModel } from '@tracewire/client';
import type { Graph } from '@tracewire/protocol';
import { WebSocket } from 'ws';
import { Conversation } from '../../client/src/conversation.ts';
import { openWebSocket } from '../../client/src/websocket-node.ts';
import { startServer } from '../../docs/examples/start-server.ts';
import { interleave, median } from './interleave.ts';
import { printTable, ratio } from './report.ts';

const SIDE = 2500;
const BYTES = SIDE * SIDE * 4;
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const RAW = 'raw TCP, read and dropped';
const COPIED = 'raw TCP, read into a new buffer';
const OURS = 'our client and gateway (framing, chunks, acks)';

export async function benchLoopback(rounds: number): Promise<void> {
  const peer = await startPeer();
  const socket = await openTcp(peer.tcp);
  const plain = await openPlainWs(peer.ws);
  const conversation = new Conversation(
    () => openWebSocket(peer.gateway),
    peer.gateway,
    () => {},
  );
  await conversation.connect();
  const timings = await interleave(
    {
      [RAW]: () => receiveRaw(socket),
      [COPIED]: () => receiveRaw(socket, new Uint8Array(BYTES)),
      '`ws`, one message': () => receiveMessage(plain),
      [OURS]: () => receiveValue(conversation),
    },
    rounds,
  );
  printTable(`${BYTES / 1e6} MB over loopback`, timings, COPIED, 'raw');
  const ours = timings.get(OURS);
  const speed = ours ? (BYTES / 1e6 / median(ours)).toFixed(2) : '?';
  const [dropped, kept] = [ratio(timings, RAW, OURS), ratio(timings, COPIED, OURS)];
  // Like is compared with like: both end with the value in memory of its own.
  console.log(
    `  ours: ${speed} GB/s, ${kept.toFixed(2)} of raw TCP into a buffer (at least 0.6: ${kept >= 0.6 ? 'yes' : 'NO'}),`,
  );
  console.log(`  ${dropped.toFixed(2)} of raw TCP whose bytes are dropped\n`);

  socket.destroy();
  plain.terminate();
  peer.stop();
  await benchWholeServer(rounds);
}

/** The same value from a whole server, which computes it first; apart, for it leaves much garbage to the others. */
async function benchWholeServer(rounds: number): Promise<void> {
  const server = await startServer('--model', `${ROOT}server/models/tiny-gpt2`);
  const model = new LanguageModel('tiny-gpt2', { url: server.url });
  const column = Array.from({ length: SIDE }, (_, row) => [row]);
  const row = [Array.from({ length: SIDE }, (_, column) => column)];
  const whole = 'a sum of 25 MB: computed, host, gateway, client';
  const timings = await interleave(
    {
      [whole]: () =>
        model.trace([1], (m) => m.constant(column, 'float32').add(m.constant(row, 'float32')).save()),
    },
    rounds,
  );
  printTable(`${BYTES / 1e6} MB from a whole server`, timings, whole, 'itself');
  await model.close();
  await server.stop();
}

interface Peer {
  readonly tcp: number;
  readonly ws: number;
  readonly gateway: string;
  stop(): void;
}

async function startPeer(): Promise<Peer> {
  const script = fileURLToPath(new URL('protocol-peer.ts', import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, script, String(BYTES)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface(child.stdout)) {
    return { ...(JSON.parse(line) as Omit<Peer, 'stop'>), stop: () => child.kill() };
  }
  throw new Error('The peer ended before it listened.');
}

function openTcp(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });
}

function receiveRaw(socket: Socket, into?: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    let received = 0;
    const take = (data: Buffer): void => {
      into?.set(data, received);
      received += data.byteLength;
      if (received < BYTES) return;
      socket.off('data', take);
      resolve();
    };
    socket.on('data', take);
    socket.write('.');
  });
}

function openPlainWs(port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(socket));
    socket.once('error', reject);
  });
}

function receiveMessage(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('message', () => resolve());
    socket.send('.');
  });
}

const GRAPH: Graph = {
  invokes: [{ input: { ids: [1] } }],
  nodes: [
    { kind: 'read', place: { module: 'h.0', port: 'output' } },
    { kind: 'save', value: 0 },
  ],
};

function receiveValue(conversation: Conversation): Promise<void> {
  return new Promise((resolve, reject) => {
    const ignore = (): void => {};
    let values = 0;
    conversation.run(
      { model: 'toy', traces: [{ graph: GRAPH, saves: [1] }], isSession: false, payload: [] },
      {
        status: ignore,
        value: () => {
          values += 1;
        },
        accessError: (_, error) => reject(new Error(error.message)),
        token: ignore,
        log: ignore,
        progress: ignore,
        connection: ignore,
        end: () => (values === 1 ? resolve() : reject(new Error('no value'))),
        refused: ([error]) => reject(new Error(error.message)),
      },
    );
  });
}
