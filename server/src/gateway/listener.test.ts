import { get } from 'node:http';
import { Inbox, SUBPROTOCOL, type Transport } from '@tracewire/protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { eventually } from '../../../test/support/eventually.ts';
import { Listener } from './listener.ts';
import { SILENT } from './log.ts';
import { isLoopback, originFault, originRules } from './origin.ts';
import { DESCRIPTION } from './testing/scripted-host.ts';
import { TestClient } from './testing/test-client.ts';
import { floats, type Toy, TWO_SAVES, toy } from './testing/toy.ts';

let listener: Listener;
let server: Toy;
const sockets: WebSocket[] = [];

beforeEach(async () => {
  server = await toy();
  listener = await Listener.bind({ host: '127.0.0.1', port: 0, pingMs: 1000 });
  listener.open(server.gateway);
});

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.terminate();
  server.gateway.close();
  listener.close();
});

function socketTo(
  headers: Record<string, string> = {},
  protocol: string | undefined = SUBPROTOCOL,
  autoPong = true,
) {
  const options = { headers, perMessageDeflate: false, autoPong };
  const socket =
    protocol === '' ? new WebSocket(listener.url, options) : new WebSocket(listener.url, protocol, options);
  sockets.push(socket);
  return socket;
}

function transportOf(socket: WebSocket): Transport {
  const inbox = new Inbox();
  socket.on('message', (data: Buffer) => inbox.deliver(data));
  socket.on('close', (code, reason) => inbox.end(code, reason.toString()));
  return {
    send: (parts) => {
      for (const [index, part] of parts.entries()) socket.send(part, { fin: index === parts.length - 1 });
    },
    listen: (handlers) => inbox.listen(handlers),
    close: (code) => socket.close(code),
  };
}

async function clientOf(socket: WebSocket): Promise<TestClient> {
  await opened(socket);
  return new TestClient(transportOf(socket));
}

const opened = (socket: WebSocket) =>
  new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });

/** The HTTP status and text of a refused upgrade. */
const refusal = (socket: WebSocket) =>
  new Promise<string>((resolve, reject) => {
    socket.once('open', () => reject(new Error('it was let in')));
    socket.once('error', () => {});
    socket.once('unexpected-response', (_, response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve(`${response.statusCode} ${text.trim()}`));
    });
  });

const fetchText = (path: string) =>
  new Promise<string>((resolve, reject) => {
    get(`${listener.url.replace('ws', 'http')}${path}`, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve(`${response.statusCode} ${text.trim()}`));
    }).on('error', reject);
  });

describe('the upgrade', () => {
  it('takes a client that offers the subprotocol, without compression', async () => {
    const socket = socketTo();
    const client = await clientOf(socket);
    expect(socket.protocol).toBe(SUBPROTOCOL);
    expect(socket.extensions).toBe('');
    expect((await client.hello()).models).toEqual(['toy']);
  });

  it('refuses others with 400', async () => {
    expect(await refusal(socketTo({}, ''))).toMatch(/^400 .*tracewire/);
    expect(await refusal(socketTo({}, 'graphql-ws'))).toMatch(/^400 /);
  });

  it('refuses web pages of other hosts and rebound names with 403', async () => {
    expect(await refusal(socketTo({ Origin: 'https://evil.example' }))).toMatch(/^403 .*web pages/);
    expect(await refusal(socketTo({ Origin: 'null' }))).toMatch(/^403 /);
    expect(await refusal(socketTo({ Host: 'evil.example:7331' }))).toMatch(/^403 .*loopback/);
    await opened(socketTo({ Origin: 'http://localhost:5173', Host: 'localhost:1' }));
  });

  it('refuses everybody with 503 until the models are loaded', async () => {
    const early = await Listener.bind({ host: '127.0.0.1', port: 0 });
    const socket = new WebSocket(early.url, SUBPROTOCOL);
    expect(await refusal(socket)).toMatch(/^503 /);
    early.close();
  });
});

describe('plain HTTP', () => {
  it('answers health checks and says what it is', async () => {
    expect(await fetchText('/v2/health/ready')).toBe('200 {"ready":true}');
    expect(await fetchText('/')).toMatch(/^200 This is a Tracewire server/);
    expect(await fetchText('/elsewhere')).toMatch(/^404 This is a Tracewire server/);
  });
});

describe('a port that is taken', () => {
  it('is an error with advice', async () => {
    const port = Number(new URL(listener.url).port);
    await expect(Listener.bind({ host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'address_in_use',
      message: expect.stringContaining('--port'),
    });
  });

  it('an address that is not ours is bad_configuration', async () => {
    await expect(Listener.bind({ host: '192.0.2.1', port: 0 })).rejects.toMatchObject({
      code: 'bad_configuration',
    });
  });
});

describe('a peer that breaks the rules', () => {
  it.each([
    ['a text frame', (socket: WebSocket) => socket.send('hello'), 1003],
    ['no frame of ours', (socket: WebSocket) => socket.send(new Uint8Array(20)), 4400],
    [
      'a message beyond the limit',
      (socket: WebSocket) => socket.send(new Uint8Array(17 * 1024 * 1024)),
      1009,
    ],
  ])('%s closes its connection, and another client goes on', async (_, misbehave, code) => {
    const good = await clientOf(socketTo());
    await good.hello();
    const bad = socketTo();
    const client = await clientOf(bad);
    bad.on('error', () => {});
    misbehave(bad);
    expect(await client.closed).toMatchObject({ code });
    good.send({ type: 'describe', request: 1, model: 'toy' });
    await good.next('description');
  });

  it('has its runs cancelled, though it could resume: it was not lost', async () => {
    const socket = socketTo();
    socket.on('error', () => {});
    const client = await clientOf(socket);
    await client.hello('resume');
    client.send({ type: 'run', run: 'a', model: 'toy', graph: TWO_SAVES });
    await client.nextStatus('received');
    socket.send(new Uint8Array(17 * 1024 * 1024));
    await client.closed;
    await eventually(() => expect(server.gateway.runs.size).toBe(0));
  });

  it('WebSocket garbage closes its connection only', async () => {
    const good = await clientOf(socketTo());
    const bad = socketTo();
    await opened(bad);
    const closed = new Promise((resolve) => bad.once('close', resolve));
    bad.on('error', () => {});
    (bad as unknown as { _socket: NodeJS.WritableStream })._socket.write(
      Buffer.from([0xff, 0xff, 0xff, 0xff]),
    );
    await closed;
    expect((await good.hello()).models).toEqual(['toy']);
  });

  it('one that answers no ping is cut off, and its runs are cancelled', async () => {
    const dead = socketTo({}, SUBPROTOCOL, false);
    const client = await clientOf(dead);
    await client.hello();
    client.send({ type: 'run', run: 'a', model: 'toy', graph: TWO_SAVES });
    expect(await client.closed).toMatchObject({ code: 1006 });
    while (server.host().commands.at(-1)?.type !== 'cancel')
      await new Promise((resolve) => setImmediate(resolve));
  });
});

it('one that asks and never reads is cut off, before its answers fill the memory', async () => {
  const parameters = Array.from({ length: 2000 }, (_, index) => ({
    name: `${index}`.padEnd(500, 'x'),
    dtype: 'float32' as const,
    dims: [1],
  }));
  const big = await toy({
    limits: { runs: 1 },
    answer: (host, command) => {
      if (command.type === 'load') host.send({ type: 'loaded', description: { ...DESCRIPTION, parameters } });
    },
  });
  listener.open(big.gateway);
  const socket = socketTo();
  const client = await clientOf(socket);
  await client.hello();
  socket.pause();
  const gone = vi.spyOn(SILENT, 'info');
  for (let request = 0; request < 80; request++) client.send({ type: 'describe', request, model: 'toy' });
  await vi.waitFor(
    () => expect(gone).toHaveBeenCalledWith(expect.objectContaining({ code: 1008 }), 'client gone'),
    10_000,
  );
  gone.mockRestore();
  big.gateway.close();
});

it('carries a run’s values over a real socket', async () => {
  const client = await clientOf(socketTo());
  await client.hello();
  client.send({ type: 'run', run: 'a', model: 'toy', graph: TWO_SAVES });
  await client.nextStatus('received');
  await client.nextStatus('running');
  const command = server.host().commands.at(-1);
  if (command?.type !== 'run') throw new Error('the host got no run');
  const { value, bytes, payload } = floats(100_000);
  server.host().send({ type: 'value', run: command.run, save: 1, value, bytes }, [payload]);
  server.host().send({ type: 'done', run: command.run, state: 'completed' });
  await client.next('value');
  expect(Buffer.compare(client.payload, payload)).toBe(0);
  await client.next('access_error');
  await client.nextStatus('completed');
});

describe('loopback', () => {
  it.each(['localhost', 'LOCALHOST', 'app.localhost', '127.0.0.1', '127.9.9.9', '::1', '[::1]'])(
    '%s is',
    (name) => {
      expect(isLoopback(name)).toBe(true);
    },
  );
  it.each(['0.0.0.0', '127.0.0.1.evil.example', 'localhost.evil.example', '10.0.0.1', ''])(
    '%s is not',
    (name) => {
      expect(isLoopback(name)).toBe(false);
    },
  );
  it('a missing or malformed Host is refused', () => {
    expect(originFault({}, originRules('127.0.0.1'))).toBeDefined();
    expect(originFault({ host: 'local host' }, originRules('127.0.0.1'))).toBeDefined();
    expect(
      originFault({ host: '[::1]:7331', origin: 'http://127.0.0.1' }, originRules('127.0.0.1')),
    ).toBeUndefined();
  });
});
