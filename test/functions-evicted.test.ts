/** What a server has let go of the client sends again by itself; what it can't take ends that trace alone. */
import { LanguageModel, type Trace, type UserFunction } from '@tracewire/client';
import { type ClientMessage, decodeFrame, type Transport, transportPair } from '@tracewire/protocol';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { startEngineThread } from '../server/dist/host/engine-thread.js';
import { Gateway } from '../server/src/gateway/gateway.ts';
import { DEFAULT_LIMITS } from '../server/src/gateway/limits.ts';
import { SILENT } from '../server/src/gateway/log.ts';
import { ServedModel } from '../server/src/gateway/served-model.ts';
import { functionBytes, op } from './support/function-file.ts';
import { CACHE, TINY_GPT2 } from './support/server.ts';

const WIDTH = 128;
const { chunkBytes, savedBytes, intermediateBytes } = DEFAULT_LIMITS;
const CONFIG = { name: 'tiny-gpt2', folder: TINY_GPT2, cache: CACHE, provider: 'cpu', threads: 1 } as const;

let gateway: Gateway;
let model: LanguageModel;
/** What the client sends, by type. */
let sent: ClientMessage['type'][] = [];
/** Ends the connection as if it had been lost. */
let cut = (): void => undefined;
/** Called with each message of the client before it goes on. */
let onSend = (_: ClientMessage['type']): void => undefined;

beforeAll(async () => {
  const served = new ServedModel({
    config: { ...CONFIG, chunkBytes, savedBytes, intermediateBytes },
    log: SILENT,
    start: async () => {
      const { transport } = startEngineThread();
      return { transport, kill: () => transport.close(1001, '') };
    },
  });
  await served.load();
  // Room for one function, and no time at all: each offer lets go of what was there.
  const limits = {
    ...DEFAULT_LIMITS,
    blobBytes: 100_000,
    blobMs: 1,
    chunkBytes: 16_384,
    windowBytes: 16_384,
  };
  gateway = new Gateway({ models: [served], log: SILENT, version: '1', limits });
  model = new LanguageModel('tiny-gpt2', { connect });
});
afterAll(async () => {
  await model.close();
  gateway.close();
});
beforeEach(() => {
  sent = [];
  onSend = () => undefined;
});

async function connect(): Promise<Transport> {
  const [client, server] = transportPair();
  gateway.serve(server);
  cut = () => server.close(1006, 'cut');
  return {
    ...client,
    send: (parts) => {
      const [head] = parts;
      const { type } = head ? decodeFrame(Buffer.concat(parts)).header : { type: '' };
      sent.push(type as ClientMessage['type']);
      onSend(type as ClientMessage['type']);
      client.send(parts);
    },
  };
}

/** 64 KiB of weights that multiply by a number. */
const times = (factor: number): UserFunction => {
  const data = Float32Array.from({ length: WIDTH * WIDTH }, (_, at) => (at % (WIDTH + 1) === 0 ? factor : 0));
  return model.fn(
    functionBytes({
      inputs: { h: ['batch', 'position', WIDTH] },
      outputs: { y: ['batch', 'position', WIDTH] },
      weights: { W: { dims: [WIDTH, WIDTH], data } },
      nodes: [op('MatMul', ['h', 'W'], ['y'])],
    }),
  );
};
const sumOf = async (f: UserFunction): Promise<number> => {
  const ratio = (m: Trace) => {
    const h = m.transformer.h[0].output[0];
    return f(h).sum().div(h.sum()).save();
  };
  return Math.round(Number((await model.trace('Once upon a time', ratio)).value.item()) * 100) / 100;
};
const count = (type: ClientMessage['type']): number => sent.filter((one) => one === type).length;
const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

it('a function that was let go of is sent again, and then the run', async () => {
  const [two, three] = [times(2), times(3)];
  expect(await sumOf(two)).toBe(2);
  expect(count('blob')).toBe(1);
  await later();
  expect(await sumOf(three)).toBe(3);
  await later();
  // The client thinks that the server has it still.
  expect(await sumOf(two)).toBe(2);
  expect([count('blob'), count('run')]).toEqual([3, 4]);
});

it('an upload that was cut off goes on on the next connection', async () => {
  const five = times(5);
  onSend = () => {
    if (count('blob_chunk') !== 3) return;
    onSend = () => undefined;
    cut();
  };
  await later();
  expect(await sumOf(five)).toBe(5);
  // Five parts of 16 KiB, one at a time: two had been taken in, and at most the third is sent again.
  expect(count('hello')).toBe(1);
  expect(count('blob_chunk')).toBeLessThanOrEqual(6);
});

it('a trace that names more than the key may have is refused, and others run', async () => {
  const [two, three] = [times(2), times(3)];
  await later();
  const both = model.trace('x', (m) => {
    const h = m.transformer.h[0].output[0];
    return three(two(h)).save();
  });
  const [refused, done] = await Promise.allSettled([
    both,
    model.trace('x', (m) => m.lm_head.output.sum().save()),
  ]);
  expect(done.status).toBe('fulfilled');
  const { code } = (refused as PromiseRejectedResult).reason as { readonly code: string };
  expect(['too_large', 'unknown_blob']).toContain(code);
});
