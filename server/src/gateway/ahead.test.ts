/** One run is at the host ahead of its turn (served-model.ts); to everybody else it waits. */
import { describe, expect, it } from 'vitest';
import { begin, give, runOf, states } from './testing/runs.ts';
import { settle } from './testing/test-client.ts';
import { type Toy, TWO_SAVES, toy } from './testing/toy.ts';

const commands = ({ host }: Toy) =>
  host().commands.flatMap((command) => ('run' in command ? [`${command.type} ${command.run}`] : []));

function done({ host }: Toy, run: string, state: 'completed' | 'cancelled' = 'completed'): void {
  host().send({ type: 'done', run, state });
}

describe('the run that is next', () => {
  it('is at the host already, begins when the one before it has ended, and gets its own', async () => {
    const server = await toy();
    const client = await server.client();
    const a = await begin(server, client, 'a');
    for (const id of ['b', 'c']) client.send(runOf(id));
    await settle();
    expect(commands(server)).toEqual(['run r1', 'run r2']);
    expect(states(client, 'b')).toEqual(['received', 'queued']);
    expect(server.model.runs).toEqual({ waiting: 2, running: 1 });
    give(server, a, 1);
    give(server, a, 3);
    done(server, a);
    give(server, 'r2', 3);
    await settle();
    expect(states(client, 'b').at(-1)).toBe('running');
    expect(commands(server)).toEqual(['run r1', 'run r2', 'run r3']);
    const [value] = client.received.slice(-1);
    expect(value?.message).toMatchObject({ type: 'value', run: 'b', save: 3 });
    done(server, 'r2');
    done(server, 'r3');
    for (const id of ['a', 'b', 'c']) expect((await client.end(id)).state).toBe('completed');
  });

  it('isn’t, where it may share a pass with others', async () => {
    const server = await toy();
    const client = await server.client('batching');
    await begin(server, client, 'a');
    for (const id of ['b', 'c']) client.send(runOf(id, TWO_SAVES, { batching: 'shared' }));
    await settle();
    expect(commands(server)).toEqual(['run r1']);
    done(server, 'r1');
    await settle();
    expect(commands(server).at(-1)).toBe('run_together r2+');
  });

  it('is cancelled at once, and the host says so in its turn; who comes behind it runs then', async () => {
    const server = await toy();
    const client = await server.client();
    await begin(server, client, 'a');
    for (const id of ['b', 'c']) client.send(runOf(id));
    client.send({ type: 'cancel', run: 'b' });
    expect((await client.end('b')).state).toBe('cancelled');
    expect(commands(server)).toEqual(['run r1', 'run r2', 'cancel r2']);
    done(server, 'r1');
    await settle();
    expect(states(client, 'a').at(-1)).toBe('completed');
    expect(states(client, 'c').at(-1)).toBe('queued');
    done(server, 'r2', 'cancelled');
    await settle();
    expect(states(client, 'c').at(-1)).toBe('running');
    expect(states(client, 'b')).toEqual(['received', 'queued', 'cancelled']);
  });

  it('and was cancelled, but goes on at the host: that host is ended', async () => {
    const server = await toy({ stuckMs: 20 });
    const client = await server.client();
    await begin(server, client, 'a');
    for (const id of ['b', 'c']) client.send(runOf(id));
    client.send({ type: 'cancel', run: 'b' });
    await client.end('b');
    done(server, 'r1');
    await expect.poll(() => server.hosts.map(({ killed }) => killed)).toEqual([true, false]);
    await expect.poll(() => commands(server)).toEqual(['run r3']);
    expect(states(client, 'a').at(-1)).toBe('completed');
    expect(states(client, 'b').at(-1)).toBe('cancelled');
  });

  it('outlives a host that is lost with the run before it', async () => {
    const server = await toy();
    const client = await server.client();
    await begin(server, client, 'a');
    client.send(runOf('b'));
    await settle();
    server.host().die('it was ended by SIGKILL');
    expect((await client.end('a')).errors).toMatchObject([{ code: 'host_lost' }]);
    await expect.poll(() => server.hosts.length).toBe(2);
    await expect.poll(() => commands(server)).toEqual(['run r2']);
    expect(states(client, 'b').at(-1)).toBe('running');
    done(server, 'r2');
    expect((await client.end('b')).state).toBe('completed');
  });

  it('fails with a host that is lost when it has begun', async () => {
    const server = await toy();
    const client = await server.client();
    await begin(server, client, 'a');
    client.send(runOf('b'));
    await settle();
    done(server, 'r1');
    await settle();
    server.host().die('it was ended by SIGKILL');
    expect((await client.end('b')).errors).toMatchObject([{ code: 'host_lost' }]);
    expect((await client.end('a')).state).toBe('completed');
  });

  it('has its time from when it begins', async () => {
    const runMs = 150;
    const server = await toy({ runMs, stuckMs: 60_000 });
    const client = await server.client();
    await begin(server, client, 'a');
    client.send(runOf('b'));
    await expect.poll(() => commands(server).at(-1)).toBe('cancel r1');
    // As long as a run may take has passed for both.
    done(server, 'r1', 'cancelled');
    await settle();
    expect((await client.end('a')).errors).toMatchObject([{ code: 'deadline_exceeded' }]);
    expect(states(client, 'b').at(-1)).toBe('running');
    await expect.poll(() => commands(server).at(-1)).toBe('cancel r2');
  });

  it('ends at its client’s deadline, though it waits', async () => {
    const server = await toy();
    const client = await server.client();
    await begin(server, client, 'a');
    client.send(runOf('b', TWO_SAVES, { deadlineMs: 20 }));
    expect((await client.end('b')).errors).toMatchObject([{ code: 'deadline_exceeded' }]);
    expect(states(client, 'b')).toEqual(['received', 'queued', 'failed']);
    expect(commands(server).at(-1)).toBe('cancel r2');
  });
});
