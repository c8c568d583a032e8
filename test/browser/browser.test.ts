/** The same client package in a real browser against a real server. Run by `npm run test:browser`. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { LanguageModel, type Tensor } from '@tracewire/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { functionBytes, op } from '../support/function-file.ts';
import { makeKey, startServer, type TestServer } from '../support/server.ts';
import { type ClientPage, openClientPage } from './page.ts';

const PROMPT = 'The Eiffel Tower is in the city of';

const DOUBLE = functionBytes({
  inputs: { x: [3] },
  outputs: { y: [3] },
  nodes: [op('Add', ['x', 'x'], ['y'])],
});
const LOOP = { inputs: { x: [1] }, outputs: { y: [1] }, nodes: [op('Loop', ['x'], ['y'])] };

/** What the page's script sees of the client; the browser has no TypeScript. */
declare const tracewire: typeof import('@tracewire/client');

let server: TestServer;
let client: ClientPage;
beforeAll(async () => {
  server = await startServer();
  client = await openClientPage();
});
afterAll(async () => {
  await client.close();
  await server.stop();
});

it('runs the tutorial’s trace with the same bytes as in Node', async () => {
  const there = await client.page.evaluate(
    async ([url, prompt]) => {
      const model = new tracewire.LanguageModel('tiny-gpt2', { url });
      const { l1, l2 } = await model.trace(prompt, (m) => {
        const l2 = m.transformer.h[1].output.save();
        const l1 = m.transformer.h[0].output.save();
        m.transformer.h[0].output.stop();
        return { l1, l2 };
      });
      await model.close();
      const tensors = l1.value as readonly Tensor[];
      return {
        tensors: tensors.map(({ dtype, dims, data }) => ({
          dtype,
          dims,
          data: Array.from(data as Float32Array),
        })),
        error: l2.error?.message,
        printed: String(tensors[0]).slice(0, 8),
      };
    },
    [server.url, PROMPT] as const,
  );
  const model = new LanguageModel('tiny-gpt2', { url: server.url });
  const here = await model.trace(PROMPT, (m) => m.transformer.h[0].output.save());
  await model.close();
  const wanted = here.value as readonly Tensor[];
  expect(there.tensors.map(({ dims }) => dims)).toEqual(wanted.map(({ dims }) => dims));
  for (const [index, { data }] of there.tensors.entries()) {
    expect(Float32Array.from(data)).toEqual(wanted[index]?.data);
  }
  expect(there.error).toBe(
    "Accessing value before it's been set. transformer.h.1.output was not reached: the forward pass stopped after transformer.h.0.",
  );
  expect(there.printed).toBe('tensor([');
});

it('sends large literals and takes values of many chunks', async () => {
  const sum = await client.page.evaluate(async (url) => {
    const model = new tracewire.LanguageModel('tiny-gpt2', { url });
    const big = new Float32Array(600_000).fill(0.5);
    const saved = await model.trace('The', (m) =>
      m
        .constant(new tracewire.Tensor('float32', [600, 1000], big))
        .mul(2)
        .save(),
    );
    await model.close();
    return (saved.value.data as Float32Array).reduce((total, value) => total + value, 0);
  }, server.url);
  expect(sum).toBe(600_000);
});

it('says that a server can’t be reached, and what a page can’t do', async () => {
  const codes = await client.page.evaluate(async () => {
    const nowhere = new tracewire.LanguageModel('tiny-gpt2', { url: 'ws://127.0.0.1:9' });
    const local = new tracewire.LanguageModel('tiny-gpt2', { remote: false });
    const code = (error: unknown) => (error as { code?: string }).code;
    return [
      await nowhere.trace('x', (m) => m.lm_head.output.save()).catch(code),
      await local.trace('x', (m) => m.lm_head.output.save()).catch(code),
    ];
  });
  expect(codes).toEqual(['unreachable', 'not_installed']);
});

describe('a server that wants keys', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-browser-keys-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('lets a page in by ticket, and tells it why not', async () => {
    const file = path.join(folder, 'keys.json');
    const key = await makeKey(file, 'page');
    const keyed = await startServer('--keys', file);
    const outcomes = await client.page.evaluate(
      async ([url, key]) => {
        const trace = async (options: { key?: string }): Promise<string> => {
          const model = new tracewire.LanguageModel('tiny-gpt2', { url, ...options });
          try {
            const saved = await model.trace('The', (m) => m.transformer.h[0].output[0].save());
            return (saved.value as Tensor).dims.join();
          } catch (error) {
            return (error as { code: string }).code;
          } finally {
            await model.close();
          }
        };
        return [await trace({ key }), await trace({ key }), await trace({ key: `${key}x` }), await trace({})];
      },
      [keyed.url, key] as const,
    );
    await keyed.stop();
    expect(outcomes).toEqual(['1,1,128', '1,1,128', 'unauthorized', 'unreachable']);
  });
});

describe.each(['connecting', 'writing'])('the part of the client for %s', (part) => {
  it('is loaded when it is first used, and its absence told', async () => {
    const { page, asked, close } = await openClientPage((name) => name.startsWith(`/${part}`));
    const bare = [...asked];
    const message = await page.evaluate(async (url) => {
      const model = new tracewire.LanguageModel('tiny-gpt2', { url });
      const error = await model
        .trace('The', (m) => m.lm_head.output.save())
        .catch((thrown: unknown) => thrown);
      await model.close();
      return (error as { message: string }).message;
    }, server.url);
    await close();
    const later = (name: string): boolean => /^\/(connecting|writing)/.test(name);
    expect(bare.filter(later)).toEqual([]);
    expect(asked.filter((name) => name.startsWith(`/${part}`)).length).toBeGreaterThan(0);
    expect(message).toMatch(
      /^not_installed: A part of the client could not be loaded: .*publish all the files/,
    );
  });
});

it('reads a function with the first trace that calls it', async () => {
  const outcomes = await client.page.evaluate(
    async ([url, double, broken]) => {
      const model = new tracewire.LanguageModel('tiny-gpt2', { url });
      const twice = model.fn(Uint8Array.from(double));
      const nothing = model.fn(Uint8Array.from(broken));
      const thrown = (run: () => unknown): string => {
        try {
          return String(run());
        } catch (error) {
          return (error as Error).message;
        }
      };
      const early = thrown(() => twice.inputs);
      const saved = await model.trace('The', (m) => twice(m.constant([1, 2, 3])).save());
      const wrong = await model
        .trace('The', (m) => [nothing(m.constant([1])).save(), nothing(m.constant([2])).save()])
        .catch((error: { errors: readonly { body: { code: string } }[] }) =>
          error.errors.map(({ body }) => body.code),
        );
      const described = await twice.describe();
      await model.close();
      return {
        early,
        value: Array.from((saved.value as Tensor).data as Float32Array),
        inputs: twice.inputs.map(({ name }) => name),
        described: described.inputs.map(({ name }) => name),
        sha256: twice.sha256,
        wrong,
      };
    },
    [server.url, [...DOUBLE], [...functionBytes(LOOP)]] as const,
  );
  expect(outcomes).toEqual({
    early: expect.stringContaining('once a trace has called it'),
    value: [2, 4, 6],
    inputs: ['x'],
    described: ['x'],
    sha256: createHash('sha256').update(DOUBLE).digest('hex'),
    wrong: ['unknown_operator'],
  });
});
