/** Errors of a server: busy, closed, gone, another than was thought, or with limits that a run is past. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LanguageModel, type Trace } from '@tracewire/client';
import type { Limits } from '@tracewire/protocol';
import { childrenOf } from '../support/processes.ts';
import { makeKey, startServer } from '../support/server.ts';
import { startLimited } from './limited-server.ts';
import type { Row } from './row.ts';

const PROMPT = 'a';
const save = (m: Trace) => m.lm_head.output.save();
const LONG = { maxNewTokens: 240, stopTokens: [] };

/** Calls `use` with a model on a server that has these limits. */
async function limited(limits: Partial<Limits>, use: (model: LanguageModel) => unknown): Promise<unknown> {
  const server = await startLimited(limits);
  const model = new LanguageModel('tiny-gpt2', { url: server.url });
  try {
    return await use(model);
  } finally {
    await model.close();
    server.close();
  }
}

/** Calls `use` with a model on a server process of its own, while a generation runs. */
async function busy(use: (model: LanguageModel, process: { readonly pid?: number | undefined }) => unknown) {
  const server = await startServer();
  const model = new LanguageModel('tiny-gpt2', { url: server.url });
  try {
    return await use(model, server.process);
  } finally {
    await model.close();
    await server.stop();
  }
}

/** Calls `use` with the address of a server that asks for keys. */
async function keyed(use: (url: string) => unknown): Promise<unknown> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-keyed-'));
  const keys = path.join(folder, 'keys.json');
  await makeKey(keys, 'alice');
  const server = await startServer('--keys', keys);
  try {
    return await use(server.url);
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}

export const SERVERS: readonly Row[] = [
  {
    what: 'nobody at the address',
    code: 'unreachable',
    provoke: () => {
      const model = new LanguageModel('tiny-gpt2', { url: 'ws://127.0.0.1:9' });
      return model.trace(PROMPT, save); // ✗
    },
    facts: {},
    says: /npx tracewire serve/,
  },
  {
    what: 'another program at the address',
    code: 'refused_upgrade',
    provoke: async () => {
      const other = createServer((_, response) => response.writeHead(404).end('Nothing here.'));
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
      const { port } = other.address() as AddressInfo;
      const model = new LanguageModel('tiny-gpt2', { url: `ws://127.0.0.1:${port}` });
      const answer = model.trace(PROMPT, save); // ✗
      return answer.finally(() => other.close());
    },
    facts: {},
    says: /HTTP 404/,
  },
  {
    what: 'no key, where one is wanted',
    code: 'unauthorized',
    provoke: () =>
      keyed((url) => {
        const model = new LanguageModel('tiny-gpt2', { url });
        return model.trace(PROMPT, save); // ✗
      }),
    facts: {},
    says: /new LanguageModel\(name, \{ url, key \}\)/,
  },
  {
    what: 'a key that nobody made',
    code: 'unauthorized',
    provoke: () =>
      keyed((url) => {
        const model = new LanguageModel('tiny-gpt2', { url, key: 'hunter2' });
        return model.trace(PROMPT, save); // ✗
      }),
    facts: {},
  },
  {
    what: 'a model that was closed',
    code: 'closed',
    provoke: async ({ url }) => {
      const model = new LanguageModel('tiny-gpt2', { url });
      await model.close();
      return model.trace(PROMPT, save); // ✗
    },
    facts: {},
    says: /Make a new LanguageModel/,
  },
  {
    what: 'more runs than a key may have',
    code: 'too_many_runs',
    provoke: () =>
      limited({ keyRuns: 1 }, (model) => {
        model.generate(PROMPT, LONG).then(undefined, () => undefined);
        return model.trace(PROMPT, save); // ✗
      }),
    facts: {},
    says: /Await/,
  },
  {
    what: 'more runs than wait',
    code: 'queue_full',
    provoke: () =>
      limited({ queuedRuns: 1 }, async (model) => {
        for (let run = 0; run < 3; run++) model.generate(PROMPT, LONG).then(undefined, () => undefined);
        await sleep(100);
        return model.trace(PROMPT, save); // ✗
      }),
    facts: {},
    says: /Try again in \d+ ms/,
  },
  {
    what: 'more requests than may be made',
    code: 'too_many_requests',
    provoke: () =>
      limited({ requestsPerSecond: 2 }, async (model) => {
        for (;;) await model.trace(PROMPT, save); // ✗
      }),
    facts: {},
    says: /Try again in \d+ ms/,
  },
  {
    what: 'a value past what may be saved',
    code: 'too_large',
    provoke: () =>
      limited({ savedBytes: 1000 }, async (model) => {
        const saved = await model.trace(PROMPT, (m) => {
          return m.lm_head.output.save(); // ✗
        });
        return saved.value;
      }),
    facts: { wanted: '1000', got: '6144' },
    says: /slice, mean, topK/,
  },
  {
    what: 'prompts that make too many tokens together',
    code: 'input_too_long',
    provoke: () =>
      limited(
        { batchTokens: 3 },
        (model) => model.trace((t) => [t.invoke([1, 2], save), t.invoke([1, 2], save)]), // ✗
      ),
    facts: { path: 'graph.invokes', wanted: 'at most 3', got: '4' },
    says: /fewer or shorter/,
  },
  {
    what: 'a graph of more nodes than a server takes',
    code: 'bad_message',
    provoke: () =>
      limited(
        { nodes: 3 },
        (model) => model.trace(PROMPT, (m) => m.lm_head.output.add(1).add(1).save()), // ✗
      ),
    facts: { path: 'graph.nodes', wanted: 'at most 3', got: '6' },
    says: /at most 3/,
  },
  {
    what: 'more data than a message may have',
    code: 'message_too_large',
    provoke: () =>
      limited(
        { messageBytes: 10_000 },
        (model) => model.trace('a'.repeat(20_000), save), // ✗
      ),
    facts: { wanted: 'at most 10000', got: '20176' },
  },
  {
    what: 'a server that is stopped',
    code: 'shutting_down',
    provoke: () =>
      busy(async (model, { pid = 0 }) => {
        for await (const _ of model.generate(PROMPT, LONG)) {
          process.kill(pid, 'SIGTERM');
          await sleep(100);
          await model.trace(PROMPT, save); // ✗
        }
      }),
    facts: {},
  },
  {
    what: 'a server that dies',
    code: 'connection_lost',
    cause: 'unreachable',
    provoke: () =>
      busy(async (model, { pid = 0 }) => {
        const generation = model.generate(PROMPT, LONG); // ✗
        for await (const _ of generation) process.kill(pid, 'SIGKILL');
      }),
    facts: {},
  },
  {
    what: 'a model’s process that dies',
    code: 'host_lost',
    provoke: () =>
      busy(async (model, { pid = 0 }) => {
        const generation = model.generate(PROMPT, LONG); // ✗
        for await (const _ of generation) for (const host of childrenOf(pid)) process.kill(host, 'SIGKILL');
      }),
    facts: {},
  },
];
