/**
 * Connections that break in the middle of runs, with a real server and real sockets behind a proxy that cuts them: every
 * run completes with the bytes it would have had, once each; where that can't be, one typed error, at once.
 */
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ConnectionEvent, LanguageModel, type Trace } from '@tracewire/client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from './support/eventually.ts';
import { failure } from './support/failure.ts';
import { fingerprint } from './support/fingerprint.ts';
import { modelOn, served } from './support/served.ts';
import { CACHE, runCli, startServer } from './support/server.ts';
import { type Cut, TcpProxy } from './support/tcp-proxy.ts';

/** Its logits are longer than a chunk. */
const IDS = Array.from({ length: 200 }, (_, index) => (index * 7) % 1500);

const server = await served();
const direct = modelOn(server);
let proxy: TcpProxy;
let model: LanguageModel;
let wanted: readonly string[];

beforeAll(async () => {
  proxy = await TcpProxy.start(server.url);
  const result = await direct.trace(IDS, many);
  wanted = result.saves.map(({ value }) => fingerprint(value));
});
beforeEach(() => {
  model = new LanguageModel('tiny-gpt2', { url: proxy.url });
  return () => model.close();
});
afterAll(() => proxy.stop());

/** Values from every part of the model, small ones and one in several chunks. */
const many = (m: Trace) => {
  const blocks = [0, 1, 2, 3].flatMap((block) => {
    const { [block]: h } = m.transformer.h as unknown as readonly Trace[];
    return h ? [h.output, h.attn.output, h.mlp.output] : [];
  });
  return { saves: [...blocks.map((place) => place.save()), m.lm_head.output.save()], report: m.report() };
};

/** Runs `many`, and says what came: every value, how often each came, and what became of the connection. */
async function runMany() {
  const events: ConnectionEvent[] = [];
  const came = new Map<unknown, number>();
  const states: string[] = [];
  const { saves } = await model.trace(
    IDS,
    {
      onConnection: (event) => events.push(event),
      onValue: (saved) => came.set(saved, (came.get(saved) ?? 0) + 1),
      onStatus: ({ state }) => states.push(state),
    },
    many,
  );
  expect(saves.map(({ value }) => fingerprint(value))).toEqual(wanted);
  expect(saves.map((saved) => came.get(saved))).toEqual(saves.map(() => 1));
  expect(states.filter((state) => state !== 'queued')).toEqual(['received', 'running', 'completed']);
  return events;
}

describe('a connection that is cut', () => {
  // Frame 1 is the welcome, 2 the description. It ends with the first frame that an undisturbed run doesn't have.
  it.each<[Cut['at'], number]>([
    ['before', 2],
    ['inside', 3],
    ['behind', 2],
  ])('%s one frame of the server’s after the other: nothing is lost or doubled', async (at, first) => {
    let cuts = 0;
    for (let frame = first; ; frame += 2) {
      proxy.rule((connection) => (connection === 0 ? { from: 'server', frame, at } : undefined));
      model = new LanguageModel('tiny-gpt2', { url: proxy.url });
      const events = await runMany();
      await model.close();
      if (proxy.connections === 1) break;
      cuts += 1;
      expect(proxy.connections).toBe(2);
      // A loss before the run was there is no affair of its.
      if (frame > 2) expect(events.map(({ state }) => state)).toEqual(['lost', 'reconnecting', 'resumed']);
    }
    expect(cuts).toBeGreaterThan(10);
  });

  it('again and again, every few frames', async () => {
    proxy.rule((connection) => ({
      from: 'server',
      frame: 4 + (connection % 5),
      at: (['before', 'inside', 'behind'] as const)[connection % 3] ?? 'before',
    }));
    const events = await runMany();
    expect(events.filter(({ state }) => state === 'resumed').length).toBeGreaterThan(5);
  });

  // Of the client's frames, 1 is hello, 2 asks for the description, 3 is the run.
  it.each<[string, Cut]>([
    ['before the run was on its way', { from: 'client', frame: 3, at: 'before' }],
    ['in the middle of the run message', { from: 'client', frame: 3, at: 'inside' }],
    ['when the server had the run, and nothing had come of it', { from: 'client', frame: 3, at: 'behind' }],
  ])('%s: the run is run', async (_, cut) => {
    proxy.rule((connection) => (connection === 0 ? cut : undefined));
    const events = await runMany();
    expect(events.map(({ state }) => state)).toEqual(['lost', 'reconnecting', 'resumed']);
  });

  it('in the middle of an ack, when the rest of the run may be on its way already', async () => {
    proxy.rule((connection) => (connection === 0 ? { from: 'client', frame: 4, at: 'inside' } : undefined));
    const states = (await runMany()).map(({ state }) => state);
    expect(states).toEqual(states.length === 0 ? [] : ['lost', 'reconnecting', 'resumed']);
  });

  it('while many runs share it: all complete', async () => {
    proxy.rule((connection) => (connection < 3 ? { from: 'server', frame: 40, at: 'inside' } : undefined));
    await Promise.all(Array.from({ length: 6 }, runMany));
    expect(proxy.connections).toBe(4);
  });

  it('at the client’s end only: the run moves from the connection that the server takes for alive', async () => {
    proxy.rule(() => undefined);
    await model.describe();
    let cut = false;
    const { saves } = await model.trace(
      IDS,
      {
        onValue: () => {
          if (!cut) proxy.halfOpen();
          cut = true;
        },
      },
      many,
    );
    expect(saves.map(({ value }) => fingerprint(value))).toEqual(wanted);
    expect(proxy.connections).toBe(2);
  });
});

describe('a run that can’t be had again', () => {
  it('for the server was started anew: run_lost at once', async () => {
    const other = await startServer();
    proxy.rule(() => undefined);
    await model.describe();
    const began = performance.now();
    const error = await failure(
      model.trace(
        IDS,
        {
          onValue: () => {
            proxy.lead(other.url);
            proxy.cut();
          },
        },
        many,
      ),
    );
    expect(error.code).toBe('run_lost');
    expect(performance.now() - began).toBeLessThan(3000);
    proxy.lead(server.url);
    await runMany();
    await other.stop();
  });
});

describe('a detached run', () => {
  it('goes on when its client has gone, and another fetches it, twice', async () => {
    proxy.rule(() => undefined);
    const { run } = await model.start(IDS, many);
    await model.close();
    for (const url of [proxy.url, server.url]) {
      const later = new LanguageModel('tiny-gpt2', { url });
      const { result, wait } = await later.attach(run, many);
      await wait();
      expect(result.saves.map(({ value }) => fingerprint(value))).toEqual(wanted);
      await later.close();
    }
    const error = await failure(direct.attach('nobody', many));
    expect(error.code).toBe('run_lost');
  });

  it('is fetched from the next server, after a kill -9', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-kept-'));
    const first = await startServer('--results', folder);
    const starter = new LanguageModel('tiny-gpt2', { url: first.url });
    const { run, wait } = await starter.start(IDS, many);
    await wait();
    await eventually(() => expect(readdirSync(folder).some((name) => name.endsWith('.json'))).toBe(true));
    const taken = await runCli('serve', '--port', '0', '--cache', CACHE, '--results', folder);
    expect([taken.code, taken.stderr]).toEqual([2, expect.stringContaining('--results')]);
    const ended = once(first.process, 'exit');
    first.process.kill('SIGKILL');
    await ended;
    await starter.close();
    const second = await startServer('--results', folder);
    const later = new LanguageModel('tiny-gpt2', { url: second.url });
    const attached = await later.attach(run, many);
    await attached.wait();
    expect(attached.result.saves.map(({ value }) => fingerprint(value))).toEqual(wanted);
    await later.close();
    await second.stop();
    rmSync(folder, { recursive: true });
  });

  it('works in this process too, as long as its engine is in use', async () => {
    const local = new LanguageModel('tiny-gpt2', { remote: false });
    const other = new LanguageModel('tiny-gpt2', { remote: false });
    await other.describe();
    const { run } = await local.start(IDS, many);
    await local.close();
    const { result, wait } = await other.attach(run, many);
    await wait();
    expect(result.saves.map(({ value }) => fingerprint(value))).toEqual(wanted);
    await other.close();
  });
});

it('a deadline ends a run as deadline_exceeded', async () => {
  const busy = Array.from({ length: 8 }, () => direct.trace(IDS, many));
  const error = await failure(direct.trace(IDS, { deadlineMs: 1 }, many));
  expect(error.code).toBe('deadline_exceeded');
  await Promise.all(busy);
});
