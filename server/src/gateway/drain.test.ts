import { describe, expect, it } from 'vitest';
import { begin, give, refusals, runOf, states } from './testing/runs.ts';
import { settle } from './testing/test-client.ts';
import { toy } from './testing/toy.ts';

const ack = (run: string, seq: number) => ({ type: 'ack', run, seq }) as const;

describe('drain', () => {
  it('lets runs end, takes no new ones, and closes when clients have all of it', async () => {
    const server = await toy();
    const client = await server.client();
    const run = await begin(server, client, 'a');
    client.send(runOf('b'));
    await settle();
    const drained = server.gateway.drain(10_000);
    client.send(runOf('c'));
    await settle();
    expect(refusals(client, 'c')).toEqual(['shutting_down']);
    give(server, run, 1);
    server.host().send({ type: 'done', run, state: 'completed' });
    await settle();
    const next = server.host().commands.findLast((command) => command.type === 'run');
    if (next?.type !== 'run') throw new Error('b never ran');
    server.host().send({ type: 'done', run: next.run, state: 'completed' });
    for (const id of ['a', 'b']) client.send(ack(id, (await client.end(id)).seq));
    await drained;
    expect([states(client, 'a').at(-1), states(client, 'b').at(-1)]).toEqual(['completed', 'completed']);
    expect(await client.closed).toMatchObject({ code: 1001 });
    expect(server.host().killed).toBe(true);
  });

  it('ends what is left after the grace with shutting_down, which may be retried', async () => {
    const server = await toy();
    const client = await server.client();
    const run = await begin(server, client, 'a');
    client.send(runOf('b'));
    await settle();
    const drained = server.gateway.drain(10);
    const waiting = await client.end('b');
    expect(waiting).toMatchObject({
      state: 'failed',
      errors: [{ code: 'shutting_down', retryAfterMs: 1000 }],
    });
    expect(server.host().commands).toContainEqual({ type: 'cancel', run });
    server.host().send({ type: 'done', run, state: 'cancelled' });
    const running = await client.end('a');
    expect(running).toMatchObject({ state: 'failed', errors: [{ code: 'shutting_down' }] });
    client.send(ack('a', running.seq));
    client.send(ack('b', waiting.seq));
    await drained;
  });
});
