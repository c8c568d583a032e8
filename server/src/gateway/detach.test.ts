/** Runs that outlive their connection, and deadlines (PROTOCOL.md, sections 2.3 and 2.4). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DETACHED_RUNS } from './limits.ts';
import { begin, give, refusals, runOf, seqs, states } from './testing/runs.ts';
import { REPORT } from './testing/scripted-host.ts';
import { settle } from './testing/test-client.ts';
import { toy } from './testing/toy.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const BOTH = ['resume', 'detach'];
const DETACH = { detach: true } as const;

describe('a detached run', () => {
  it('goes on without its client, and is fetched whole by any later connection, as often as wanted', async () => {
    const server = await toy({ limits: { resumeMs: 10 } });
    const client = await server.client(...BOTH);
    const run = await begin(server, client, 'a', DETACH);
    client.send({ type: 'ack', run: 'a', seq: 2 });
    client.close();
    await settle();
    await vi.advanceTimersByTimeAsync(60_000);
    give(server, run, 1);
    give(server, run, 3);
    server.host().send({ type: 'done', run, state: 'completed', report: REPORT });
    await settle();
    for (const after of [0, 0, 3]) {
      const later = await server.client('resume');
      later.send({ type: 'resume', run: 'a', after });
      await settle();
      expect(seqs(later, 'a')).toEqual([1, 2, 3, 4, 5].filter((seq) => seq > after));
      later.send({ type: 'ack', run: 'a', seq: 5 });
      later.close();
      await settle();
    }
    expect(server.gateway.runs.size).toBe(1);
  });

  it('is forgotten a while after its end', async () => {
    const server = await toy({ limits: { retainMs: 1000 } });
    const client = await server.client(...BOTH);
    const run = await begin(server, client, 'a', DETACH);
    client.cut();
    server.host().send({ type: 'done', run, state: 'completed' });
    await settle();
    await vi.advanceTimersByTimeAsync(999);
    expect(server.gateway.runs.size).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect([server.gateway.runs.size, server.gateway.runs.heldBytes]).toEqual([0, 0]);
  });

  it('that is still being read then lets its reader come to the end', async () => {
    const server = await toy({ limits: { retainMs: 1000, windowBytes: 10 } });
    const client = await server.client(...BOTH);
    const run = await begin(server, client, 'a', DETACH);
    give(server, run, 1);
    give(server, run, 3);
    server.host().send({ type: 'done', run, state: 'completed' });
    await settle();
    client.send({ type: 'ack', run: 'a', seq: 2 });
    await settle();
    await vi.advanceTimersByTimeAsync(1000);
    expect(seqs(client, 'a')).toEqual([1, 2, 3]);
    client.send({ type: 'ack', run: 'a', seq: 3 });
    await settle();
    client.send({ type: 'ack', run: 'a', seq: 4 });
    await settle();
    expect(states(client, 'a').at(-1)).toBe('completed');
    client.send({ type: 'ack', run: 'a', seq: 5 });
    await settle();
    expect(server.gateway.runs.size).toBe(0);
  });

  it('may be cancelled from another connection', async () => {
    const server = await toy();
    const [one, two] = [await server.client(...BOTH), await server.client()];
    const run = await begin(server, one, 'a', DETACH);
    two.send({ type: 'cancel', run: 'a' });
    await settle();
    expect(server.host().commands.at(-1)).toEqual({ type: 'cancel', run });
  });

  it('needs the capability', async () => {
    const client = await (await toy()).client('resume');
    client.send(runOf('a', undefined, DETACH));
    expect(await client.next('error')).toMatchObject({
      run: 'a',
      errors: [{ code: 'not_offered', path: 'options.detach', wanted: 'detach' }],
    });
  });

  it('is refused with a time to come back when too many are kept', async () => {
    const server = await toy();
    for (let n = 0; n < DETACHED_RUNS; n++) {
      const client = await server.client(...BOTH);
      const run = await begin(server, client, `r${n}`, DETACH);
      server.host().send({ type: 'done', run, state: 'completed' });
      client.close();
      await settle();
    }
    const client = await server.client(...BOTH);
    client.send(runOf('a', undefined, DETACH));
    expect(await client.next('error')).toMatchObject({
      errors: [{ code: 'queue_full', retryAfterMs: expect.any(Number) }],
    });
    client.send(runOf('a'));
    await client.nextStatus('received');
  });

  it('holds no more than the budget: what is beyond it is an access error, and no new one is taken in', async () => {
    const server = await toy({ limits: { savedBytes: 2000 } });
    const client = await server.client(...BOTH);
    const first = await begin(server, client, 'a', DETACH);
    client.send(runOf('b', undefined, DETACH));
    await settle();
    for (const save of [1, 3]) give(server, first, save, 850);
    server.host().send({ type: 'done', run: first, state: 'completed' });
    await settle();
    const second = server.host().commands.at(-1);
    if (second?.type !== 'run') throw new Error('the second run did not begin');
    give(server, second.run, 1, 850);
    give(server, second.run, 3, 4);
    await settle();
    const outcomes = client.received.flatMap(({ message }) => {
      if (message.type === 'access_error') return [`${message.run} ${message.save} ${message.error.code}`];
      return message.type === 'value' ? [`${message.run} ${message.save}`] : [];
    });
    expect(outcomes).toEqual(['a 1', 'a 3', 'b 1 too_large', 'b 3']);
    client.send(runOf('c', undefined, DETACH));
    await settle();
    expect(refusals(client, 'c')).toEqual(['queue_full']);
  });
});

describe('a deadline', () => {
  it('cancels on the host, and the run fails with deadline_exceeded, its open saves cancelled', async () => {
    const server = await toy();
    const client = await server.client();
    const run = await begin(server, client, 'a', { deadlineMs: 50 });
    give(server, run, 1);
    await client.next('value');
    await vi.advanceTimersByTimeAsync(49);
    await settle();
    expect(server.host().commands.at(-1)?.type).toBe('run');
    await vi.advanceTimersByTimeAsync(1);
    await settle();
    expect(server.host().commands.at(-1)).toEqual({ type: 'cancel', run });
    server.host().send({ type: 'done', run, state: 'completed', report: REPORT });
    expect(await client.next('access_error')).toMatchObject({
      save: 3,
      error: { code: 'cancelled', cause: { code: 'deadline_exceeded' } },
    });
    expect(await client.nextStatus('failed')).toMatchObject({
      errors: [{ code: 'deadline_exceeded' }],
      report: REPORT,
    });
  });

  it('ends a run that still waits for the model at once', async () => {
    const server = await toy();
    const client = await server.client();
    await begin(server, client, 'a');
    client.send(runOf('b', undefined, { deadlineMs: 50 }));
    await settle();
    await vi.advanceTimersByTimeAsync(50);
    await settle();
    expect(states(client, 'b')).toEqual(['received', 'queued', 'failed']);
  });

  it('means nothing after the end, and nothing beyond a month', async () => {
    const server = await toy();
    const client = await server.client();
    const run = await begin(server, client, 'a', { deadlineMs: 50 });
    server.host().send({ type: 'done', run, state: 'completed' });
    await settle();
    await vi.advanceTimersByTimeAsync(100);
    await settle();
    expect(states(client, 'a').at(-1)).toBe('completed');
    client.send(runOf('b', undefined, { deadlineMs: Number.MAX_SAFE_INTEGER }));
    await settle();
    await vi.advanceTimersByTimeAsync(100);
    expect(states(client, 'b')).toEqual(['received', 'running']);
  });
});
