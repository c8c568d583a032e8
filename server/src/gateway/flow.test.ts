import { describe, expect, it } from 'vitest';
import { begin, runOf, seqs, states } from './testing/runs.ts';
import { settle } from './testing/test-client.ts';
import { floats, toy } from './testing/toy.ts';

describe('flow', () => {
  it('sends no more than the window ahead of acks, and the host does not wait', async () => {
    const server = await toy({ limits: { windowBytes: 100 } });
    const client = await server.client();
    const run = await begin(server, client);
    const { value, bytes, payload } = floats(16);
    server.host().send({ type: 'value', run, save: 1, value, bytes }, [payload]);
    server.host().send({ type: 'value', run, save: 3, value, bytes }, [payload]);
    server.host().send({ type: 'done', run, state: 'completed' });
    await settle();
    expect(seqs(client, 'a')).toEqual([1, 2, 3]);
    client.send({ type: 'ack', run: 'a', seq: 3 });
    await settle();
    expect(seqs(client, 'a')).toEqual([1, 2, 3, 4, 5]);
  });

  it('sends a message larger than the window once all before it is acknowledged', async () => {
    const server = await toy({ limits: { windowBytes: 10 } });
    const client = await server.client();
    const run = await begin(server, client);
    const { value, bytes, payload } = floats(16);
    for (const save of [1, 3]) server.host().send({ type: 'value', run, save, value, bytes }, [payload]);
    await settle();
    expect(seqs(client, 'a')).toEqual([1, 2, 3]);
    client.send({ type: 'ack', run: 'a', seq: 3 });
    await settle();
    expect(seqs(client, 'a')).toEqual([1, 2, 3, 4]);
  });

  it('refuses an ack for what was not sent, and goes on', async () => {
    const server = await toy();
    const client = await server.client();
    await begin(server, client);
    client.send({ type: 'ack', run: 'a', seq: 99 });
    expect(await client.next('error')).toMatchObject({ errors: [{ code: 'bad_message', path: 'seq' }] });
    client.send({ type: 'ack', run: 'unknown', seq: 1 });
    client.send({ type: 'describe', request: 1, model: 'toy' });
    await client.next('description');
  });

  it('leaves the values of logs out once too much is unread', async () => {
    const server = await toy({ limits: { windowBytes: 1, savedBytes: 200 } });
    const client = await server.client();
    const run = await begin(server, client);
    const { value, payload } = floats(40);
    for (let n = 0; n < 3; n++)
      server.host().send({ type: 'log', run, node: 5, text: 'h', value }, [payload]);
    await settle();
    client.send({ type: 'ack', run: 'a', seq: seqs(client, 'a').length });
    await settle();
    expect(client.received.at(-1)?.message).toMatchObject({
      type: 'log',
      text: expect.stringContaining('left out'),
    });
  });

  it('refuses new runs while too much of ended ones is not acknowledged', async () => {
    const server = await toy({ limits: { savedBytes: 200, windowBytes: 1 } });
    const client = await server.client();
    const run = await begin(server, client);
    const { value, bytes, payload } = floats(200);
    server.host().send({ type: 'value', run, save: 1, value, bytes }, [payload]);
    server.host().send({ type: 'done', run, state: 'completed' });
    await settle();
    client.send(runOf('b'));
    await settle();
    expect(client.received.at(-1)?.message).toMatchObject({ run: 'b', errors: [{ code: 'too_many_runs' }] });
  });
});

describe('the queue', () => {
  it('runs one at a time, first come first served, and tells positions', async () => {
    const server = await toy();
    const [one, two] = [await server.client(), await server.client()];
    const first = await begin(server, one, 'a');
    two.send(runOf('b'));
    two.send(runOf('c'));
    await settle();
    expect(two.received.slice(1).map(({ message }) => message)).toMatchObject([
      { run: 'b', state: 'received' },
      { run: 'b', state: 'queued', position: 1 },
      { run: 'c', state: 'received' },
      { run: 'c', state: 'queued', position: 2 },
    ]);
    server.host().send({ type: 'done', run: first, state: 'completed' });
    await settle();
    expect(states(two, 'b')).toEqual(['received', 'queued', 'running']);
    expect(two.received.at(-1)?.message).toMatchObject({ run: 'c', state: 'queued', position: 1 });
  });
});
