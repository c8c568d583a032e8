/** Where messages wait: memory up to a budget, then disk; what detached runs came to outlives the gateway. */
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { SILENT } from './log.ts';
import { ResultStore, type ResultStoreOptions } from './result-store.ts';
import { begin, give, refusals, runOf, seqs, states } from './testing/runs.ts';
import { REPORT } from './testing/scripted-host.ts';
import { settle, type TestClient } from './testing/test-client.ts';
import { type Toy, toy } from './testing/toy.ts';

let folder: string;
const stores: ResultStore[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tracewire-results-'));
});
afterEach(() => {
  for (const store of stores.splice(0)) store.close();
  rmSync(folder, { recursive: true, force: true });
});

function store(options: Partial<ResultStoreOptions> = {}): ResultStore {
  const made = new ResultStore({ folder, memoryBytes: 0, diskBytes: 1e6, log: SILENT, ...options });
  stores.push(made);
  return made;
}

const files = (): string[] => readdirSync(folder).filter((name) => name !== 'lock');
const data = (): string[] => files().filter((name) => name.endsWith('.data'));
const DETACH = { detach: true } as const;
const BOTH = ['resume', 'detach'];

/** Runs a detached run to its end, with two values of 400 bytes. */
async function detachedRun(server: Toy, client: TestClient, id = 'a'): Promise<void> {
  const run = await begin(server, client, id, DETACH);
  give(server, run, 1, 100);
  give(server, run, 3, 100);
  server.host().send({ type: 'done', run, state: 'completed', report: REPORT });
  await settle();
}

/** The messages of a run, with their payloads, as a connection gets them. */
const whole = (client: TestClient, run: string) =>
  client.received
    .filter(({ message }) => 'seq' in message && message.run === run)
    .map(({ message, payload }) => ({ message, payload: Buffer.from(payload) }));

describe('a reader slower than the model', () => {
  it('finds on disk, in order and as it was, what memory had no room for; its acks free it', async () => {
    const results = store();
    const server = await toy({ results, limits: { windowBytes: 10 } });
    const client = await server.client();
    const run = await begin(server, client);
    give(server, run, 1, 100);
    give(server, run, 3, 50);
    server.host().send({ type: 'done', run, state: 'completed' });
    await eventually(() => expect(results.memoryBytes).toBe(0));
    expect(data()).toHaveLength(1);
    expect(statSync(join(folder, data()[0] ?? '')).mode & 0o777).toBe(0o600);
    expect(results.diskBytes).toBeGreaterThan(600);
    for (const seq of [2, 3, 4, 5]) {
      client.send({ type: 'ack', run: 'a', seq: Math.min(seq, seqs(client, 'a').length) });
      await eventually(() => expect(seqs(client, 'a').length).toBeGreaterThanOrEqual(seq));
    }
    expect(seqs(client, 'a')).toEqual([1, 2, 3, 4, 5]);
    const [, , first, second] = whole(client, 'a');
    expect([first?.payload, second?.payload]).toEqual([Buffer.alloc(400, 7), Buffer.alloc(200, 7)]);
    client.send({ type: 'ack', run: 'a', seq: 5 });
    await eventually(() => expect(files()).toEqual([]));
    expect([results.memoryBytes, results.diskBytes, server.gateway.runs.size]).toEqual([0, 0, 0]);
  });

  it('of several runs, the one that holds most gives first', async () => {
    const results = store({ memoryBytes: 1500 });
    const server = await toy({ results, limits: { windowBytes: 10 } });
    const client = await server.client();
    const small = await begin(server, client, 'small');
    give(server, small, 1, 100);
    give(server, small, 3, 20);
    server.host().send({ type: 'done', run: small, state: 'completed' });
    client.send(runOf('large'));
    await settle();
    const command = server.host().commands.at(-1);
    if (command?.type !== 'run') throw new Error('the second run did not begin');
    give(server, command.run, 1, 10);
    give(server, command.run, 3, 300);
    await settle();
    await eventually(() => expect(results.diskBytes).toBeGreaterThan(1200));
    await eventually(() => expect(data()).toHaveLength(1));
    expect(results.diskBytes).toBeLessThan(1400);
  });

  it('that goes away takes its file along', async () => {
    const results = store();
    const server = await toy({ results, limits: { windowBytes: 10 } });
    const client = await server.client();
    const run = await begin(server, client);
    give(server, run, 1, 100);
    give(server, run, 3, 100);
    await eventually(() => expect(data()).toHaveLength(1));
    client.cut();
    await eventually(() => expect(files()).toEqual([]));
    expect([results.memoryBytes, results.diskBytes]).toEqual([0, 0]);
  });

  it('whose file is cut short gets run_lost, and the next run is served', async () => {
    const server = await toy({ results: store(), limits: { windowBytes: 10 } });
    const client = await server.client();
    const run = await begin(server, client);
    give(server, run, 1, 100);
    give(server, run, 3, 100);
    server.host().send({ type: 'done', run, state: 'completed' });
    await eventually(() => expect(data()).toHaveLength(1));
    // Both values and what is around them, but for the first that was sent.
    await eventually(() => expect(statSync(join(folder, data()[0] ?? '')).size).toBeGreaterThan(400));
    await new Promise((resolve) => setTimeout(resolve, 200));
    truncateSync(join(folder, data()[0] ?? ''), 20);
    client.send({ type: 'ack', run: 'a', seq: 3 });
    await eventually(() => expect(refusals(client, 'a')).toEqual(['run_lost']));
    await begin(server, await server.client(), 'b');
    expect(server.gateway.runs.size).toBe(1);
  });
});

describe('a disk that takes no more', () => {
  it.each<[string, Partial<ResultStoreOptions>]>([
    ['for the kernel says so', { open: () => open('/dev/full', 'r+') }],
    ['for its budget is used up', { diskBytes: 100 }],
  ])(
    '%s: what is there is delivered, the next value is too_large, and other runs don’t notice',
    async (_, options) => {
      const server = await toy({ results: store(options), limits: { windowBytes: 10 } });
      const client = await server.client();
      const run = await begin(server, client);
      give(server, run, 1, 100);
      await eventually(() => expect(seqs(client, 'a')).toEqual([1, 2, 3]));
      await new Promise((resolve) => setTimeout(resolve, 50));
      give(server, run, 3, 100);
      server.host().send({ type: 'done', run, state: 'completed' });
      await settle();
      client.send({ type: 'ack', run: 'a', seq: 3 });
      await settle();
      const last = client.received.slice(-2).map(({ message }) => message);
      expect(last).toMatchObject([
        { type: 'access_error', seq: 4, save: 3, error: { code: 'too_large' } },
        { type: 'status', seq: 5, state: 'completed' },
      ]);
      client.send({ type: 'ack', run: 'a', seq: 5 });
      const other = await server.client();
      const next = await begin(server, other, 'b');
      give(server, next, 1, 1);
      await settle();
      expect(seqs(other, 'b')).toEqual([1, 2, 3]);
    },
  );
});

describe('a detached run’s results', () => {
  it('are fetched from the next gateway as often as wanted, byte for byte, by a retry too', async () => {
    const one = await toy({ results: store() });
    const client = await one.client(...BOTH);
    await detachedRun(one, client);
    await eventually(() => expect(files().some((name) => name.endsWith('.json'))).toBe(true));
    one.gateway.close();

    const two = await toy({ results: store() });
    expect(two.gateway.runs.size).toBe(1);
    for (const after of [0, 3, 0]) {
      const later = await two.client('resume');
      later.send({ type: 'resume', run: 'a', after });
      await eventually(() => expect(states(later, 'a').at(-1)).toBe('completed'));
      expect(whole(later, 'a')).toEqual(whole(client, 'a').slice(after));
      later.send({ type: 'ack', run: 'a', seq: 5 });
      later.close();
      await settle();
    }
    const again = await two.client(...BOTH);
    again.send(runOf('a', undefined, DETACH));
    await eventually(() => expect(states(again, 'a').at(-1)).toBe('completed'));
    again.send({ type: 'resume', run: 'a', after: 6 });
    await settle();
    expect(refusals(again, 'a')).toEqual(['run_lost']);
  });

  it('that were still on their way to the disk when the gateway closed get there', async () => {
    const one = await toy({ results: store() });
    await detachedRun(one, await one.client(...BOTH));
    one.gateway.close();
    await eventually(() => expect(files().some((name) => name.endsWith('.json'))).toBe(true));
    const two = await toy({ results: store() });
    expect(two.gateway.runs.size).toBe(1);
  });

  it('belong to their key', async () => {
    const one = await toy({ results: store() });
    const client = one.stranger('k1');
    await client.hello(...BOTH);
    await detachedRun(one, client);
    await eventually(() => expect(files().some((name) => name.endsWith('.json'))).toBe(true));
    one.gateway.close();
    const two = await toy({ results: store() });
    const [other, own] = [two.stranger('k2'), two.stranger('k1')];
    for (const one of [other, own]) {
      await one.hello('resume');
      one.send({ type: 'resume', run: 'a', after: 0 });
    }
    await eventually(() => expect(states(own, 'a').at(-1)).toBe('completed'));
    expect(refusals(other, 'a')).toEqual(['run_lost']);
    two.gateway.revoke('k1');
    await eventually(() => expect(files()).toEqual([]));
  });

  it('go when their time is over, in the next gateway too', async () => {
    const limits = { retainMs: 300 };
    const one = await toy({ results: store(), limits });
    await detachedRun(one, await one.client(...BOTH));
    await eventually(() => expect(files()).toHaveLength(2));
    one.gateway.close();
    const two = await toy({ results: store(), limits });
    await eventually(() => expect([two.gateway.runs.size, files()]).toEqual([0, []]));
    const three = await toy({ results: store(), limits });
    await detachedRun(three, await three.client(...BOTH));
    await eventually(() => expect(files()).toHaveLength(2));
    three.gateway.close();
    await new Promise((resolve) => setTimeout(resolve, 350));
    expect(store().takeRestored()).toEqual([]);
    expect(files()).toEqual([]);
  });

  it('that the disk doesn’t take stay in memory', async () => {
    const server = await toy({ results: store({ memoryBytes: 1e6, diskBytes: 100 }) });
    const client = await server.client(...BOTH);
    await detachedRun(server, client);
    const later = await server.client('resume');
    later.send({ type: 'resume', run: 'a', after: 0 });
    await eventually(() => expect(whole(later, 'a')).toEqual(whole(client, 'a')));
    expect(files().filter((name) => name.endsWith('.json'))).toEqual([]);
  });
});

describe('the folder', () => {
  it('is cleared of what nobody can fetch, and of nothing else', () => {
    const id = '00000000-0000-4000-8000-000000000000';
    const broken = '11111111-0000-4000-8000-000000000000';
    for (const name of [`${id}.data`, `${id}.tmp`, `${broken}.json`, `${broken}.data`, 'notes.txt'])
      writeFileSync(join(folder, name), '{"run":"../../x","entries":[]}');
    expect(store().takeRestored()).toEqual([]);
    expect(files()).toEqual(['notes.txt']);
  });

  it('belongs to one server; a dead one holds nobody up', () => {
    writeFileSync(join(folder, 'lock'), `${process.ppid} 1`);
    store();
    const locked = readdirSync(folder);
    expect(locked).toEqual(['lock']);
    rmSync(join(folder, 'lock'));
    writeFileSync(join(folder, 'lock'), livingOwner());
    expect(() => store()).toThrow(/Another server, process \d+, keeps its results in .*--results/);
  });

  it('that can’t be used says so', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect(() => store({ folder: join(file, 'in') })).toThrow(/Can’t keep results in/);
  });
});

/** What the lock of a server with our parent's process id would say. */
function livingOwner(): string {
  const stat = readFileSync(`/proc/${process.ppid}/stat`, 'utf8');
  return `${process.ppid} ${stat.split(') ').at(-1)?.split(' ')[19]}`;
}

describe('a kept run', () => {
  it('is synced to disk: its messages, its index, and then their names', async () => {
    const synced: string[] = [];
    const openFile = async (path: string, flags: string, mode: number) => {
      const handle = await open(path, flags, mode);
      const sync = handle.sync.bind(handle);
      handle.sync = () => {
        synced.push(path.slice(folder.length).replace(/[^.]+/, '*'));
        return sync();
      };
      return handle;
    };
    const server = await toy({ results: store({ open: openFile }) });
    await detachedRun(server, await server.client(...BOTH));
    await eventually(() => expect(files().some((name) => name.endsWith('.json'))).toBe(true));
    await eventually(() => expect(synced).toEqual(['*.data', '*.tmp', '']));
    server.gateway.close();
  });
});
