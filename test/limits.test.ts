/** Every limit that a welcome announces, and those of the protocol itself: what is at the limit is taken, and one past it isn't. */
import { createHash } from 'node:crypto';
import { encodeFrame, type Graph, type GraphNode, type Limits, SUBPROTOCOL } from '@tracewire/protocol';
import { afterEach, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { GraphBuilder, runGraph } from '../server/src/engine/testing/graphs.ts';
import { loadEngine, TINY_GPT2 } from '../server/src/engine/testing/models.ts';
import { DEFAULT_LIMITS, KEY_BLOBS, OPEN_REQUESTS } from '../server/src/gateway/limits.ts';
import { Listener } from '../server/src/gateway/listener.ts';
import { begin, give, refusals, runOf } from '../server/src/gateway/testing/runs.ts';
import { DESCRIPTION, polite } from '../server/src/gateway/testing/scripted-host.ts';
import { settle, type TestClient } from '../server/src/gateway/testing/test-client.ts';
import { floats, type Toy, TWO_SAVES, toy } from '../server/src/gateway/testing/toy.ts';
import { eventually } from './support/eventually.ts';

/** Two things that a limit tells apart: what became of the last that fits, and of the first that doesn't. */
type Outcomes = readonly [at: unknown, past: unknown];
interface Case {
  readonly limit: number;
  readonly wanted: Outcomes;
  outcomes(limit: number): Promise<Outcomes>;
}

const closing: (() => void)[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const close of closing.splice(0)) close();
});

const limited = async (limits: Partial<Limits>, more: Parameters<typeof toy>[0] = {}): Promise<Toy> => {
  const made = await toy({ limits, ...more });
  closing.push(() => made.gateway.close());
  return made;
};

/** The codes of what was refused; `taken` for a run that was received. */
async function fate(client: TestClient, id: string, graph: Graph): Promise<unknown> {
  client.send(runOf(id, graph));
  await settle();
  return refusals(client, id)[0] ?? 'taken';
}

const prompts = (...lengths: number[]): Graph => ({
  ...TWO_SAVES,
  invokes: lengths.map((length) => ({ input: { ids: new Array<number>(length).fill(1) } })),
});

const logs = (count: number): Graph => ({
  ...TWO_SAVES,
  nodes: Array.from({ length: count }, (): GraphNode => ({ kind: 'log', text: 'a' })),
});

/** On a real listener. */
async function sockets(limits: Partial<Limits>) {
  const { gateway } = await limited(limits);
  const listener = await Listener.bind({ host: '127.0.0.1', port: 0 });
  listener.open(gateway);
  closing.push(() => listener.close());
  return async () => {
    const socket = new WebSocket(listener.url, SUBPROTOCOL, { perMessageDeflate: false });
    closing.push(() => socket.terminate());
    const status = await new Promise<unknown>((resolve) => {
      socket.once('open', () => resolve('open'));
      socket.once('unexpected-response', (_, { statusCode, headers }) =>
        resolve([statusCode, headers['retry-after']]),
      );
      socket.once('error', () => {});
    });
    return { socket, status };
  };
}

/** Runs that save, or compute, so many bytes. */
async function engineWith(limits: { savedBytes?: number; intermediateBytes?: number }, bytes: number) {
  const engine = await loadEngine(TINY_GPT2, limits);
  closing.push(() => void engine.release());
  const outcome = async (elements: number): Promise<unknown> => {
    const graph = new GraphBuilder();
    // How many is known at run time only.
    const count = graph.operator('Mul', [
      graph.integers(elements),
      graph.operator('Shape', [graph.integers(0)]),
    ]);
    const save = graph.save(graph.operator('Expand', [graph.constant(byte), count]));
    const { values, accessErrors } = await runGraph(engine, { ids: [1] }, graph);
    return values.has(save)
      ? 'a value'
      : (accessErrors.get(save)?.cause?.code ?? accessErrors.get(save)?.code);
  };
  return [await outcome(bytes), await outcome(bytes + 1)] as const;
}

const byte = { dtype: 'uint8', dims: [1], data: Uint8Array.of(1) } as const;

/** Whether a run is still there for its client so long after the connection was lost. */
async function resumed(limit: number, afterMs: number): Promise<unknown> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
  const server = await limited({ resumeMs: limit });
  const old = await server.client('resume');
  await begin(server, old);
  old.cut();
  await settle();
  await vi.advanceTimersByTimeAsync(afterMs);
  const fresh = await server.client('resume');
  fresh.send({ type: 'resume', run: 'a', after: 2 });
  await settle();
  return refusals(fresh, 'a')[0] ?? 'there';
}

async function retained(limit: number, afterMs: number): Promise<unknown> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
  const server = await limited({ retainMs: limit });
  const one = await server.client('resume', 'detach');
  const run = await begin(server, one, 'a', { detach: true });
  server.host().send({ type: 'done', run, state: 'completed' });
  await settle();
  one.close();
  await vi.advanceTimersByTimeAsync(afterMs);
  const fresh = await server.client('resume', 'detach');
  fresh.send({ type: 'resume', run: 'a', after: 0 });
  await settle();
  return refusals(fresh, 'a')[0] ?? 'there';
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** What is answered to the offer of a blob: its state, or the code of what refuses it. */
async function offered(client: TestClient, sha256: string, size: number): Promise<unknown> {
  const before = client.received.length;
  client.send({ type: 'blob', sha256, size });
  await settle();
  const [answer] = client.received.slice(before).map(({ message }) => message);
  return answer?.type === 'blob_state' ? (answer.error?.code ?? answer.state) : answer?.type;
}

/** Of the key that a client has of its own. */
async function uploader({ stranger }: Toy, key: string): Promise<TestClient> {
  const client = stranger(key);
  await client.hello('blobs');
  return client;
}

/** Whether a blob is still there so long after it came. */
async function blobAfter(limit: number, afterMs: number): Promise<unknown> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
  const client = await uploader(await limited({ blobMs: limit }), 'k');
  await offered(client, hashOf('abc'), 3);
  client.send({ type: 'blob_chunk', sha256: hashOf('abc'), offset: 0 }, [Buffer.from('abc')]);
  await settle();
  // The server looks a few times in that while, so a look must come behind the end.
  await vi.advanceTimersByTimeAsync(afterMs);
  return offered(client, hashOf('abc'), 3);
}

/** A message whose innermost value lies within so many maps and lists, and the code that it is refused with. */
async function nested(levels: number): Promise<unknown> {
  const client = await (await limited({})).client();
  const text = (word: string): number[] => [0xa0 + word.length, ...Buffer.from(word)];
  const lists = new Array<number>(levels - 1).fill(0x91);
  const header = Buffer.from([0x82, ...text('type'), ...text('x'), ...text('a'), ...lists, 1]);
  const bytes = Buffer.alloc(Math.ceil((4 + header.byteLength) / 8) * 8);
  bytes.writeUInt32LE(header.byteLength);
  header.copy(bytes, 4);
  client.sendRaw(bytes);
  await settle();
  const last = client.received.at(-1)?.message;
  return last?.type === 'error' ? last.errors[0]?.code : last?.type;
}

const CASES: Readonly<Record<string, Case>> = {
  messageBytes: {
    limit: 4096,
    wanted: ['error', 1009],
    outcomes: async (limit) => {
      const connect = await sockets({ messageBytes: limit });
      const sent = async (bytes: number): Promise<unknown> => {
        const { socket } = await connect();
        const [head = new Uint8Array()] = encodeFrame({ type: 'x' });
        const answer = new Promise((resolve) => {
          socket.once('message', (data: Buffer) => resolve(/error/.exec(data.toString())?.[0]));
          socket.once('close', resolve);
        });
        socket.send(Buffer.concat([head, Buffer.alloc(bytes - head.byteLength)]));
        return answer;
      };
      return [await sent(limit), await sent(limit + 1)];
    },
  },
  nodes: {
    limit: 5,
    wanted: ['taken', 'bad_message'],
    outcomes: async (limit) => {
      const client = await (await limited({ nodes: limit })).client();
      return [await fate(client, 'a', logs(limit)), await fate(client, 'b', logs(limit + 1))];
    },
  },
  savedBytes: {
    limit: 1000,
    wanted: ['a value', 'too_large'],
    outcomes: (limit) => engineWith({ savedBytes: limit }, limit),
  },
  intermediateBytes: {
    // Of this the count takes 16.
    limit: 1016,
    wanted: ['a value', 'too_much_memory'],
    outcomes: (limit) => engineWith({ intermediateBytes: limit }, limit - 16),
  },
  windowBytes: {
    limit: 64,
    wanted: [
      ['value', 'value', 'value', 'value'],
      ['value', 'value', 'value'],
    ],
    outcomes: async (limit) => {
      const values = async (bytes: number): Promise<unknown> => {
        const server = await limited({ windowBytes: limit });
        const client = await server.client();
        const four = [0, 1, 2, 3].flatMap((): GraphNode[] => [{ kind: 'save', value: 0 }]);
        client.send(runOf('a', { ...TWO_SAVES, nodes: [TWO_SAVES.nodes[0] as GraphNode, ...four] }));
        await settle();
        for (const save of [1, 2, 3]) give(server, 'r1', save, 4);
        const { value, payload } = floats(bytes);
        server.host().send({ type: 'value', run: 'r1', save: 4, value, bytes: bytes * 4 }, [payload]);
        await settle();
        return client.received.flatMap(({ message }) => (message.type === 'value' ? ['value'] : []));
      };
      return [await values(4), await values(5)];
    },
  },
  chunkBytes: {
    limit: 256,
    wanted: [[256], [256, 4]],
    outcomes: async (limit) => {
      // What cuts values is the host, which is told.
      const server = await limited({ chunkBytes: limit });
      const sizes = async (id: string, parts: readonly number[]): Promise<unknown> => {
        const client = await server.client();
        const run = await begin(server, client, id);
        const total = parts.reduce((sum, part) => sum + part, 0);
        const { value } = floats(total / 4);
        for (const [index, part] of parts.entries()) {
          const payload = [new Uint8Array(part)];
          if (index === 0) server.host().send({ type: 'value', run, save: 1, value, bytes: total }, payload);
          else server.host().send({ type: 'chunk', run, save: 1, offset: limit }, payload);
        }
        server.host().send({ type: 'done', run, state: 'completed' });
        await settle();
        return client.received.flatMap(({ message, payload }) =>
          message.type === 'value' || message.type === 'chunk' ? [payload.byteLength] : [],
        );
      };
      return [await sizes('a', [limit]), await sizes('b', [limit, 4])];
    },
  },
  traces: {
    limit: 3,
    wanted: ['taken', 'bad_message'],
    outcomes: async (limit) => {
      const client = await (await limited({ traces: limit })).client('sessions');
      const session = async (run: string, count: number): Promise<unknown> => {
        const traces = Array.from({ length: count }, () => ({ graph: TWO_SAVES }));
        client.send({ type: 'run', run, model: 'toy', traces });
        await settle();
        return refusals(client, run)[0] ?? 'taken';
      };
      return [await session('a', limit), await session('b', limit + 1)];
    },
  },
  blobBytes: {
    limit: 100,
    wanted: ['wanted', 'too_large'],
    outcomes: async (limit) => {
      const server = await limited({ blobBytes: limit });
      const [one, other] = [await uploader(server, 'k'), await uploader(server, 'j')];
      // One blob fills it, or the second of two is a byte too much: of this key, not of the other.
      expect(await offered(one, hashOf('a'), limit)).toBe('wanted');
      expect(await offered(other, hashOf('a'), limit - 1)).toBe('wanted');
      return [await offered(other, hashOf('b'), 1), await offered(one, hashOf('b'), 1)];
    },
  },
  blobMs: {
    limit: 8000,
    wanted: ['known', 'wanted'],
    outcomes: async (limit) => [await blobAfter(limit, limit - 1), await blobAfter(limit, limit)],
  },
  runs: {
    limit: 3,
    wanted: ['taken', 'too_many_runs'],
    outcomes: async (limit) => {
      const client = await (await limited({ runs: limit })).client();
      const fates = [];
      for (let n = 0; n <= limit; n++) fates.push(await fate(client, `r${n}`, TWO_SAVES));
      return [fates[limit - 1], fates[limit]];
    },
  },
  invokes: {
    limit: 3,
    wanted: ['taken', 'bad_message'],
    outcomes: async (limit) => {
      const client = await (await limited({ invokes: limit })).client('invokes');
      const rows = (count: number) => prompts(...new Array<number>(count).fill(1));
      return [await fate(client, 'a', rows(limit)), await fate(client, 'b', rows(limit + 1))];
    },
  },
  batchTokens: {
    limit: 12,
    wanted: ['taken', 'input_too_long'],
    outcomes: async (limit) => {
      const client = await (await limited({ batchTokens: limit })).client('invokes');
      return [await fate(client, 'a', prompts(4, 1, 1)), await fate(client, 'b', prompts(5, 1, 1))];
    },
  },
  resumeMs: {
    limit: 5000,
    wanted: ['there', 'run_lost'],
    outcomes: async (limit) => [await resumed(limit, limit - 1), await resumed(limit, limit + 1)],
  },
  retainMs: {
    limit: 5000,
    wanted: ['there', 'run_lost'],
    outcomes: async (limit) => [await retained(limit, limit - 1), await retained(limit, limit + 1)],
  },
  runMs: {
    limit: 5000,
    wanted: [[], ['cancel']],
    outcomes: async (limit) => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
      const server = await limited({}, { runMs: limit });
      await begin(server, await server.client());
      const cancels = async (ms: number): Promise<unknown> => {
        await vi.advanceTimersByTimeAsync(ms);
        await settle();
        return server.host().commands.flatMap(({ type }) => (type === 'cancel' ? [type] : []));
      };
      return [await cancels(limit - 1), await cancels(2)];
    },
  },
  queuedRuns: {
    limit: 2,
    wanted: ['taken', 'queue_full'],
    outcomes: async (limit) => {
      const client = await (await limited({}, { queuedRuns: limit })).client();
      const fates = [];
      for (let n = 0; n <= limit + 1; n++) fates.push(await fate(client, `r${n}`, TWO_SAVES));
      return [fates[limit], fates[limit + 1]];
    },
  },
  keyRuns: {
    limit: 2,
    wanted: ['taken', 'too_many_runs'],
    outcomes: async (limit) => {
      const server = await limited({ keyRuns: limit });
      const fates = [];
      for (let n = 0; n <= limit; n++) fates.push(await fate(await server.client(), `r${n}`, TWO_SAVES));
      return [fates[limit - 1], fates[limit]];
    },
  },
  connections: {
    limit: 2,
    wanted: ['open', [503, '1']],
    outcomes: async (limit) => {
      const connect = await sockets({ connections: limit });
      const all = [];
      for (let n = 0; n <= limit; n++) all.push(await connect());
      // One that goes makes room.
      all[0]?.socket.close();
      await eventually(async () => expect((await connect()).status).toBe('open'));
      return [all[limit - 1]?.status, all[limit]?.status];
    },
  },
  requestsPerSecond: {
    limit: 3,
    wanted: [undefined, 'too_many_requests'],
    outcomes: async (limit) => {
      vi.useFakeTimers({ toFake: ['performance'] });
      const server = await limited({ requestsPerSecond: limit });
      // On two connections of one key; another one's is not touched, and what asks for nothing isn't counted.
      const [a, b, other] = [server.stranger('k'), server.stranger('k'), server.stranger('j')];
      for (const one of [a, b, other]) await one.hello();
      for (let n = 0; n <= limit; n++) {
        const one = n % 2 === 0 ? b : a;
        one.send({ type: 'cancel', run: 'x' });
        one.send({ type: 'describe', request: n, model: 'toy' });
        await settle();
      }
      other.send({ type: 'describe', request: 9, model: 'toy' });
      await settle();
      const answers = [a, b, other].flatMap(({ received }) =>
        received.flatMap(({ message }) =>
          message.type === 'description' || message.type === 'error' ? [message] : [],
        ),
      );
      const errorOf = (n: number) => {
        const answer = answers.find((one) => one.request === n);
        return answer?.type === 'error' ? answer.errors[0] : undefined;
      };
      expect(errorOf(limit)?.retryAfterMs).toBeGreaterThan(0);
      expect(errorOf(9)).toBeUndefined();
      return [errorOf(limit - 1)?.code, errorOf(limit)?.code];
    },
  },
};

/** Those that no welcome tells: of the protocol, of a model, and of the server alone. */
const OTHERS: Readonly<Record<string, Case>> = {
  'depth of a message': {
    limit: 16,
    wanted: ['unknown_message', 'bad_frame'],
    outcomes: async (limit) => [await nested(limit), await nested(limit + 1)],
  },
  'tokens of a prompt, of the model': {
    limit: 9,
    wanted: ['taken', 'input_too_long'],
    outcomes: async (limit) => {
      const server = await limited(
        {},
        {
          answer: (host, command, payload) => {
            if (command.type !== 'load') return polite(host, command, payload);
            host.send({ type: 'loaded', description: { ...DESCRIPTION, contextLength: limit } });
          },
        },
      );
      const client = await server.client();
      return [await fate(client, 'a', prompts(limit)), await fate(client, 'b', prompts(limit + 1))];
    },
  },
  'tokens of a prompt, of the protocol': {
    limit: 65_536,
    wanted: ['taken', 'bad_message'],
    outcomes: async (limit) => {
      const client = await (await limited({ batchTokens: 2 * limit })).client();
      return [await fate(client, 'a', prompts(limit)), await fate(client, 'b', prompts(limit + 1))];
    },
  },
  'uploads of a key': {
    limit: KEY_BLOBS,
    wanted: ['wanted', 'too_large'],
    outcomes: async (limit) => {
      const client = await uploader(await limited({ requestsPerSecond: 2 * limit }), 'k');
      const answers = [];
      for (let n = 0; n <= limit; n++) answers.push(await offered(client, hashOf(String(n)), 1));
      return [answers[limit - 1], answers[limit]];
    },
  },
  'requests without an answer': {
    limit: OPEN_REQUESTS,
    wanted: [undefined, 'queue_full'],
    outcomes: async (limit) => {
      // A host that answers none.
      const server = await limited(
        {},
        {
          answer: (host, command, payload) => {
            if (command.type !== 'tokenize') polite(host, command, payload);
          },
        },
      );
      const client = await server.client();
      for (let request = 1; request <= limit + 1; request++) {
        client.send({ type: 'tokenize', request, model: 'toy', text: 'a' });
      }
      await settle();
      const refused = client.received.flatMap(({ message }) => (message.type === 'error' ? [message] : []));
      const codeOf = (request: number) => refused.find((one) => one.request === request)?.errors[0]?.code;
      return [codeOf(limit), codeOf(limit + 1)];
    },
  },
};

it.each([...Object.entries(CASES), ...Object.entries(OTHERS)])(
  '%s',
  { timeout: 60_000 },
  async (_, { limit, wanted, outcomes }) => {
    expect(await outcomes(limit)).toEqual(wanted);
  },
);

it('are all announced, and all tested', async () => {
  const { gateway, stranger } = await toy();
  closing.push(() => gateway.close());
  const { limits } = await stranger().hello('invokes', 'resume', 'detach', 'sessions', 'blobs');
  expect(limits).toEqual(DEFAULT_LIMITS);
  expect(Object.keys(CASES).sort()).toEqual(Object.keys(DEFAULT_LIMITS).sort());
});
