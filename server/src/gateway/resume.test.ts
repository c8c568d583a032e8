/** A connection is lost, and its runs wait for their client (PROTOCOL.md, section 2.4, `resume`). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WAITING_RUNS } from './limits.ts';
import { begin, give, refusals, runOf, seqs, states } from './testing/runs.ts';
import { settle, type TestClient } from './testing/test-client.ts';
import { floats, type Toy, TWO_SAVES, toy } from './testing/toy.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const resume = async (client: TestClient, run: string, after: number): Promise<void> => {
  client.send({ type: 'resume', run, after });
  await settle();
};
const cut = async (...clients: TestClient[]): Promise<void> => {
  for (const client of clients) client.cut();
  await settle();
};
const cancels = ({ host }: Toy): string[] =>
  host().commands.flatMap((command) => (command.type === 'cancel' ? [command.run] : []));

describe('the welcome', () => {
  it('offers resume and detach, and says their limits to those who understand', async () => {
    const server = await toy();
    const welcome = await server.stranger().hello('resume', 'detach', 'else');
    expect(welcome.capabilities).toEqual([
      'resume',
      'moves',
      'detach',
      'invokes',
      'batching',
      'generation',
      'batch_generation',
      'sessions',
      'blobs',
      'functions',
      'explain',
    ]);
    expect(welcome.limits).toMatchObject({ resumeMs: 60_000, retainMs: 900_000 });
    const plain = await server.stranger().hello();
    expect(Object.keys(plain.limits)).not.toEqual(expect.arrayContaining(['resumeMs']));
    expect(Object.keys(plain.limits)).not.toEqual(expect.arrayContaining(['retainMs']));
  });
});

describe('a lost connection', () => {
  it('leaves its run going; a later one takes up every message after the last, none twice', async () => {
    const server = await toy();
    const first = await server.client('resume');
    const run = await begin(server, first);
    give(server, run, 1);
    await settle();
    await cut(first);
    give(server, run, 3);
    server.host().send({ type: 'done', run, state: 'completed' });
    await settle();
    expect(cancels(server)).toEqual([]);
    const second = await server.client('resume');
    await resume(second, 'a', 3);
    expect(seqs(second, 'a')).toEqual([4, 5]);
    expect(states(second, 'a')).toEqual(['completed']);
    second.send({ type: 'ack', run: 'a', seq: 5 });
    await settle();
    expect([server.gateway.runs.size, server.gateway.runs.heldBytes]).toEqual([0, 0]);
  });

  it('cancels and forgets its run once the client has not come back in time', async () => {
    const server = await toy({ limits: { resumeMs: 1000 } });
    const first = await server.client('resume');
    const run = await begin(server, first);
    give(server, run, 1);
    await cut(first);
    await vi.advanceTimersByTimeAsync(999);
    expect([cancels(server), server.gateway.runs.size]).toEqual([[], 1]);
    await vi.advanceTimersByTimeAsync(1);
    await settle();
    expect([cancels(server), server.gateway.runs.size, server.gateway.runs.heldBytes]).toEqual([[run], 0, 0]);
    const second = await server.client('resume');
    await resume(second, 'a', 3);
    expect(refusals(second, 'a')).toEqual(['run_lost']);
  });

  it('that has been resumed in time is not given up later', async () => {
    const server = await toy({ limits: { resumeMs: 1000 } });
    const first = await server.client('resume');
    await begin(server, first);
    await cut(first);
    await vi.advanceTimersByTimeAsync(900);
    await resume(await server.client('resume'), 'a', 2);
    await vi.advanceTimersByTimeAsync(5000);
    expect([cancels(server), server.gateway.runs.size]).toEqual([[], 1]);
  });

  it('cancels at once where the client does not understand resume', async () => {
    const server = await toy();
    const client = await server.client();
    const run = await begin(server, client);
    await cut(client);
    expect([cancels(server), server.gateway.runs.size]).toEqual([[run], 0]);
  });

  it('is not one that the client closed', async () => {
    const server = await toy();
    const client = await server.client('resume');
    const run = await begin(server, client);
    client.close();
    await settle();
    expect([cancels(server), server.gateway.runs.size]).toEqual([[run], 0]);
  });

  it('is not one that broke the protocol', async () => {
    const server = await toy();
    const client = await server.client('resume');
    await begin(server, client);
    client.sendRaw(new Uint8Array([1, 2, 3]));
    await settle();
    expect(server.gateway.runs.size).toBe(0);
  });

  it('leaves what has ended and was not acknowledged until it is fetched', async () => {
    const server = await toy();
    const first = await server.client('resume');
    const run = await begin(server, first);
    server.host().send({ type: 'done', run, state: 'completed' });
    await settle();
    await cut(first);
    const second = await server.client('resume');
    await resume(second, 'a', 2);
    expect(seqs(second, 'a')).toEqual([3, 4, 5]);
  });
});

describe('a client that takes nothing in', () => {
  const stuck = { limits: { windowBytes: 10 }, readMs: 60 };
  beforeEach(() => {
    const toFake = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] as const;
    vi.useFakeTimers({ toFake: [...toFake] });
  });

  it('is closed with 1008, and its run waits for it', async () => {
    const server = await toy(stuck);
    const client = await server.client('resume');
    const run = await begin(server, client);
    give(server, run, 1);
    await settle();
    await vi.advanceTimersByTimeAsync(120);
    expect(await client.closed).toMatchObject({ code: 1008 });
    give(server, run, 3);
    server.host().send({ type: 'done', run, state: 'completed' });
    await settle();
    expect(cancels(server)).toEqual([]);
    const later = await server.client('resume');
    await resume(later, 'a', 3);
    later.send({ type: 'ack', run: 'a', seq: 4 });
    await settle();
    expect(seqs(later, 'a')).toEqual([4, 5]);
  });

  it('is none that acks, or that was sent nothing', async () => {
    const server = await toy({ ...stuck, limits: {} });
    const [client, idle] = [await server.client('resume'), await server.client('resume')];
    const ended: unknown[] = [];
    for (const one of [client, idle]) void one.closed.then((end) => ended.push(end));
    const run = await begin(server, client);
    for (let seq = 3; seq < 12; seq++) {
      server.host().send({ type: 'log', run, node: 0, value: floats(4).value }, [floats(4).payload]);
      await settle();
      await vi.advanceTimersByTimeAsync(50);
      client.send({ type: 'ack', run: 'a', seq });
      await settle();
    }
    expect([ended, seqs(client, 'a').at(-1)]).toEqual([[], 11]);
  });
});

describe('resume', () => {
  it('moves a run from a connection that is only half dead; the old one gets no more and its acks mean nothing', async () => {
    const server = await toy();
    const [old, fresh] = [await server.client('resume'), await server.client('resume')];
    const run = await begin(server, old);
    await resume(fresh, 'a', 1);
    give(server, run, 1);
    await settle();
    expect([seqs(old, 'a'), seqs(fresh, 'a')]).toEqual([
      [1, 2],
      [2, 3],
    ]);
    old.send({ type: 'ack', run: 'a', seq: 99 });
    await cut(old);
    give(server, run, 3);
    server.host().send({ type: 'done', run, state: 'completed' });
    await settle();
    expect(seqs(fresh, 'a')).toEqual([2, 3, 4, 5]);
    expect(old.received.filter(({ message }) => message.type === 'error')).toEqual([]);
    expect(cancels(server)).toEqual([]);
  });

  it('tells the old connection, where it understands, unless it was sent the end', async () => {
    const server = await toy();
    const [old, fresh] = [await server.client('resume', 'moves'), await server.client('resume', 'moves')];
    const run = await begin(server, old);
    await resume(fresh, 'a', 1);
    await settle();
    const moved = { run: 'a', errors: [{ code: 'run_moved' }] };
    expect(old.received.at(-1)?.message).toMatchObject({ type: 'error', ...moved });
    give(server, run, 1);
    give(server, run, 3);
    server.host().send({ type: 'done', run, state: 'completed' });
    await settle();
    expect(states(fresh, 'a').at(-1)).toBe('completed');
    const before = [old.received.length, fresh.received.length];
    await resume(old, 'a', 1);
    await settle();
    expect(states(old, 'a').at(-1)).toBe('completed');
    // The other one has seen the end; and who asks again for what it has is told nothing of itself.
    await resume(old, 'a', 1);
    await settle();
    expect(fresh.received).toHaveLength(before[1] ?? 0);
    expect(refusals(old, 'a')).toEqual(['run_moved']);
  });

  it('tells it, though the run has ended, where its window kept the end from it', async () => {
    const server = await toy({ limits: { windowBytes: 16 } });
    const [old, fresh] = [await server.client('resume', 'moves'), await server.client('resume', 'moves')];
    const run = await begin(server, old);
    give(server, run, 1);
    give(server, run, 3);
    server.host().send({ type: 'done', run, state: 'completed' });
    await settle();
    expect(states(old, 'a')).toEqual(['received', 'running']);
    await resume(fresh, 'a', 1);
    await settle();
    expect(refusals(old, 'a')).toEqual(['run_moved']);
  });

  it('counts as an ack, and starts the window anew', async () => {
    const server = await toy({ limits: { windowBytes: 100 } });
    const first = await server.client('resume');
    const run = await begin(server, first);
    give(server, run, 1, 16);
    give(server, run, 3, 16);
    await settle();
    expect(seqs(first, 'a')).toEqual([1, 2, 3]);
    await cut(first);
    const second = await server.client('resume');
    await resume(second, 'a', 2);
    expect(seqs(second, 'a')).toEqual([3]);
    const early = await server.client('resume');
    await resume(early, 'a', 1);
    expect(refusals(early, 'a')).toEqual(['run_lost']);
    second.send({ type: 'ack', run: 'a', seq: 3 });
    await settle();
    expect(seqs(second, 'a')).toEqual([3, 4]);
    await cut(second);
    const third = await server.client('resume');
    await resume(third, 'a', 2);
    expect(refusals(third, 'a')).toEqual(['run_lost']);
    await resume(third, 'a', 3);
    expect(seqs(third, 'a')).toEqual([4]);
  });

  it('is run_lost behind what was acknowledged and ahead of what was sent, and the run goes on where it was', async () => {
    const server = await toy();
    const [client, other] = [await server.client('resume'), await server.client('resume')];
    const run = await begin(server, client);
    client.send({ type: 'ack', run: 'a', seq: 1 });
    await settle();
    for (const [id, after] of [
      ['a', 0],
      ['a', 3],
      ['b', 0],
    ] as const) {
      await resume(other, id, after);
      expect(refusals(other, id).at(-1)).toBe('run_lost');
    }
    give(server, run, 1);
    await settle();
    expect(seqs(client, 'a')).toEqual([1, 2, 3]);
  });

  it('needs the capability', async () => {
    const client = await (await toy()).client();
    await resume(client, 'a', 0);
    expect(client.received.at(-1)?.message).toMatchObject({
      type: 'error',
      run: 'a',
      errors: [{ code: 'not_offered', path: 'type', wanted: 'resume' }],
    });
  });
});

describe('runs that wait', () => {
  it('are bounded: the one that has waited longest is given up', async () => {
    const server = await toy();
    for (let n = 0; n < WAITING_RUNS; n += 16) {
      const client = await server.client('resume');
      for (let m = n; m < n + 16; m++) client.send(runOf(`r${m}`));
      await settle();
      await cut(client);
    }
    expect(server.gateway.runs.size).toBe(WAITING_RUNS);
    const last = await server.client('resume');
    last.send(runOf('last'));
    await settle();
    await cut(last);
    expect(server.gateway.runs.size).toBe(WAITING_RUNS);
    expect(server.gateway.runs.get('r0')).toBeUndefined();
    expect(server.gateway.runs.get('last')).toBeDefined();
  });

  it('are bounded in bytes too', async () => {
    const server = await toy({ limits: { savedBytes: 100 } });
    const client = await server.client('resume');
    const run = await begin(server, client);
    await cut(client);
    give(server, run, 1, 60);
    await settle();
    expect(server.gateway.runs.size).toBe(1);
    server.host().send({ type: 'done', run, state: 'completed' });
    await settle();
    expect([server.gateway.runs.size, server.gateway.runs.heldBytes]).toEqual([0, 0]);
  });
});

describe('a second run message', () => {
  const LOGGED = { ...TWO_SAVES, nodes: [...TWO_SAVES.nodes, { kind: 'log' as const, text: 'x' }] };

  it('with the same content is a retry: answered from the first message on, and run once', async () => {
    const server = await toy();
    const first = await server.client('resume');
    const run = await begin(server, first);
    await cut(first);
    const second = await server.client('resume');
    second.send(runOf('a'));
    await settle();
    expect(states(second, 'a')).toEqual(['received', 'running']);
    server.host().send({ type: 'done', run, state: 'completed' });
    await settle();
    expect(seqs(second, 'a')).toEqual([1, 2, 3, 4, 5]);
    expect(server.host().commands.filter(({ type }) => type === 'run')).toHaveLength(1);
  });

  it.each([
    ['graph', runOf('a', LOGGED)],
    ['options', runOf('a', undefined, { deadlineMs: 5 })],
    ['model', { ...runOf('a'), model: 'other' }],
  ])('with another %s is a run_conflict, and the run goes on', async (_, message) => {
    const server = await toy();
    const [client, other] = [await server.client('resume'), await server.client('resume')];
    const run = await begin(server, client);
    other.send(message);
    await settle();
    expect(refusals(other, 'a')).toEqual(['run_conflict']);
    server.host().send({ type: 'done', run, state: 'completed' });
    await settle();
    expect(states(client, 'a').at(-1)).toBe('completed');
  });

  it('whose first messages have been acknowledged is run_lost', async () => {
    const server = await toy();
    const client = await server.client('resume');
    await begin(server, client);
    client.send({ type: 'ack', run: 'a', seq: 1 });
    await cut(client);
    const second = await server.client('resume');
    second.send(runOf('a'));
    await settle();
    expect(refusals(second, 'a')).toEqual(['run_lost']);
  });

  it('is a conflict for clients that do not understand resume, whoever has the run', async () => {
    const server = await toy();
    await begin(server, await server.client('resume'));
    const other = await server.client();
    other.send(runOf('a'));
    await settle();
    expect(refusals(other, 'a')).toEqual(['run_conflict']);
  });
});
