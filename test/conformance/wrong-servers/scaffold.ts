/**
 * What the wrong servers stand on: a proxy before a right one that decodes every message, so that each of them need
 * say only what it does wrong.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { decodeFrame, encodeFrame, SUBPROTOCOL } from '@tracewire/protocol';
import { type ServerOptions, WebSocket, WebSocketServer } from 'ws';

export type Header = Readonly<Record<string, unknown>> & { readonly type: string };
export type Send = (header: Header, payload?: Uint8Array) => void;

/** One connection's corruption. What is absent is passed on as it is. */
export interface Corruption {
  /** A message of the server; `pass` sends to the client, `answer` to the server. */
  toClient?(header: Header, payload: Uint8Array, pass: Send, answer: Send): void;
  /** A message of the client; `pass` sends to the server, `answer` to the client. */
  toServer?(header: Header, payload: Uint8Array, pass: Send, answer: Send): void;
  /** Bytes that are no frame; they are passed on without it. */
  notFrame?(bytes: Buffer, pass: (bytes: Uint8Array) => void, answer: Send): void;
  /** Every message of the client as bytes; true keeps it from going on. */
  bytes?(bytes: Buffer, answer: Send): boolean;
  text?(): void;
  /** Gets what closes the client's socket, and what writes to it. */
  opened?(close: (code: number) => void, raw: (bytes: Uint8Array) => void): void;
}

export interface WrongServer {
  /** What it does wrong, in a few words. */
  readonly wrong: string;
  /** Cases that must fail. */
  readonly caughtBy: readonly string[];
  readonly corrupt?: () => Corruption;
  readonly webSocket?: ServerOptions;
}

/** Listens before the right server. */
export async function startProxy(
  upstream: string,
  { corrupt = () => ({}), webSocket = {} }: Omit<WrongServer, 'wrong' | 'caughtBy'>,
) {
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
    verifyClient: ({ req }, decide) =>
      decide(String(req.headers['sec-websocket-protocol']).includes(SUBPROTOCOL), 400),
    ...webSocket,
  });
  server.on('connection', (client) => void connect(client, upstream, corrupt()));
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    for (const client of server.clients) client.terminate();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `ws://127.0.0.1:${port}`, stop };
}

async function connect(client: WebSocket, upstream: string, corruption: Corruption): Promise<void> {
  const server = new WebSocket(upstream, SUBPROTOCOL, { perMessageDeflate: false });
  const early: [Buffer, boolean][] = [];
  const keep = (bytes: Buffer, binary: boolean): void => void early.push([bytes, binary]);
  client.on('message', keep);
  client.on('error', () => undefined);
  server.on('error', () => client.terminate());
  await once(server, 'open');
  client.off('message', keep);

  const sendTo = (socket: WebSocket): Send => {
    return (header, payload = new Uint8Array()) => socket.send(Buffer.concat(encodeFrame(header, [payload])));
  };
  const fromClient = (bytes: Buffer, binary: boolean): void => {
    if (!binary) return corruption.text ? corruption.text() : server.send(bytes.toString());
    if (corruption.bytes?.(bytes, sendTo(client))) return;
    const frame = framed(bytes);
    if (!frame) {
      const pass = (instead: Uint8Array): void => server.send(instead);
      return corruption.notFrame ? corruption.notFrame(bytes, pass, sendTo(client)) : pass(bytes);
    }
    if (!corruption.toServer) return server.send(bytes);
    corruption.toServer(frame.header, frame.payload, sendTo(server), sendTo(client));
  };
  const fromServer = (bytes: Buffer): void => {
    const frame = framed(bytes);
    if (frame && corruption.toClient)
      corruption.toClient(frame.header, frame.payload, sendTo(client), sendTo(server));
    else client.send(bytes);
  };
  corruption.opened?.(
    (code) => client.close(code),
    (bytes) => client.send(bytes),
  );
  for (const [bytes, binary] of early) fromClient(bytes, binary);
  client.on('message', fromClient);
  server.on('message', fromServer);
  client.on('close', () => server.close());
  server.on('close', (code) => client.close(code >= 1000 && code !== 1005 && code !== 1006 ? code : 1011));
}

function framed(bytes: Uint8Array) {
  try {
    return decodeFrame(bytes);
  } catch {
    return undefined;
  }
}

/**
 * For servers that add, drop or reorder a run's messages: they number what the client gets afresh, acknowledge to the
 * right server at once, and keep the client's acks.
 */
export function renumbering(
  corrupt: (header: Header, payload: Uint8Array, say: Send) => void,
): () => Corruption {
  return () => {
    const next = new Map<unknown, number>();
    return {
      toClient(header, payload, pass, answer) {
        if (typeof header['seq'] !== 'number') return pass(header, payload);
        const { run } = header;
        answer({ type: 'ack', run, seq: header['seq'] });
        corrupt(header, payload, (out, bytes) => {
          const seq = (next.get(run) ?? 0) + 1;
          next.set(run, seq);
          pass({ ...out, seq }, bytes);
        });
      },
      toServer: (header, payload, pass) => {
        if (header.type !== 'ack') pass(header, payload);
      },
    };
  };
}

/** Changes the nodes of every graph. */
export function rewriting(change: (node: Header) => object): () => Corruption {
  return () => ({
    toServer(header, payload, pass) {
      const graph = header['graph'] as { readonly nodes: readonly Header[] } | undefined;
      if (header.type !== 'run' || !graph) return pass(header, payload);
      pass({ ...header, graph: { ...graph, nodes: graph.nodes.map(change) } }, payload);
    },
  });
}

/** Changes messages of the server, one for one. */
export function retelling(change: (header: Header) => Header): () => Corruption {
  return () => ({ toClient: (header, payload, pass) => pass(change(header), payload) });
}

export const isTerminal = ({ type, state }: Header): boolean =>
  type === 'status' && ['completed', 'failed', 'cancelled'].includes(String(state));
