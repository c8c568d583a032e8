import { describe, expect, it } from 'vitest';
import { begin, runOf, states } from './testing/runs.ts';
import { REPORT } from './testing/scripted-host.ts';
import { settle } from './testing/test-client.ts';
import { toy } from './testing/toy.ts';

describe('cancel', () => {
  it('ends a waiting run at once; the host never hears of it', async () => {
    const server = await toy();
    const client = await server.client();
    await begin(server, client, 'a');
    client.send(runOf('b'));
    client.send(runOf('c'));
    client.send({ type: 'cancel', run: 'c' });
    await settle();
    expect(states(client, 'c')).toEqual(['received', 'queued', 'cancelled']);
    const outcomes = client.received.flatMap(({ message }) =>
      message.type === 'access_error' ? [`${message.save} ${message.error.code}`] : [],
    );
    expect(outcomes).toEqual(['1 cancelled', '3 cancelled']);
    // One is there ahead of its turn (ahead.test.ts).
    expect(server.host().commands.filter((command) => command.type === 'run')).toHaveLength(2);
  });

  it('asks the host to end a running one, which ends as cancelled even if the host was quicker', async () => {
    const server = await toy();
    const client = await server.client();
    const run = await begin(server, client);
    client.send({ type: 'cancel', run: 'a' });
    await settle();
    expect(server.host().commands.at(-1)).toEqual({ type: 'cancel', run });
    expect(states(client, 'a')).toEqual(['received', 'running']);
    server.host().send({ type: 'done', run, state: 'completed', report: REPORT });
    await client.next('access_error');
    await client.next('access_error');
    expect(await client.nextStatus('cancelled')).toMatchObject({ report: REPORT });
  });

  it('means nothing after the end, and for a run that never was', async () => {
    const server = await toy();
    const client = await server.client();
    const run = await begin(server, client);
    server.host().send({ type: 'done', run, state: 'completed' });
    await settle();
    const before = client.received.length;
    client.send({ type: 'cancel', run: 'a' });
    client.send({ type: 'cancel', run: 'nobody' });
    await settle();
    expect(client.received).toHaveLength(before);
  });

  it('comes by itself when the connection goes, for waiting and running runs', async () => {
    const server = await toy();
    const [gone, other] = [await server.client(), await server.client()];
    const run = await begin(server, gone, 'a');
    gone.send(runOf('b'));
    other.send(runOf('c'));
    await settle();
    gone.close();
    await settle();
    const cancelled = server.host().commands.flatMap((one) => (one.type === 'cancel' ? [one.run] : []));
    expect(cancelled).toContain(run);
    for (const one of new Set([run, ...cancelled]))
      server.host().send({ type: 'done', run: one, state: 'cancelled' });
    await settle();
    expect(states(other, 'c')).toEqual(['received', 'queued', 'queued', 'running']);
  });

  it('ends a host that goes on all the same; the run ends as cancelled, the next one runs', async () => {
    const server = await toy({ stuckMs: 20 });
    const client = await server.client();
    await begin(server, client, 'a');
    client.send(runOf('b'));
    client.send({ type: 'cancel', run: 'a' });
    expect(await client.end('a')).toMatchObject({ state: 'cancelled' });
    expect(server.hosts[0]?.killed).toBe(true);
    while (server.hosts.length < 2 || states(client, 'b').at(-1) !== 'running') await settle();
  });

  it('comes by itself for a run that takes longer than the server allows', async () => {
    const server = await toy({ runMs: 20, stuckMs: 20 });
    const client = await server.client();
    await begin(server, client, 'a');
    expect(await client.end('a')).toMatchObject({
      state: 'failed',
      errors: [{ code: 'deadline_exceeded', wanted: 'at most 20 ms' }],
    });
  });
});
