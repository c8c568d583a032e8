import { describe, expect, it } from 'vitest';
import { begin, runOf, seqs, states } from './testing/runs.ts';
import { REPORT } from './testing/scripted-host.ts';
import { settle } from './testing/test-client.ts';
import { floats, toy } from './testing/toy.ts';

describe('a run', () => {
  it('numbers its messages without gaps and forwards payloads', async () => {
    const server = await toy();
    const client = await server.client();
    const run = await begin(server, client);
    expect(run).not.toBe('a');
    const { value, bytes, payload } = floats(4);
    server.host().send({ type: 'progress', run, done: 1, total: 2 });
    server.host().send({ type: 'value', run, save: 1, value, bytes }, [payload]);
    server.host().send({ type: 'log', run, node: 9, text: 'hi' });
    server.host().send({ type: 'access_error', run, save: 3, error: { code: 'not_reached', message: 'no' } });
    server.host().send({ type: 'done', run, state: 'completed', report: REPORT });
    expect(await client.next('progress')).toMatchObject({ run: 'a', done: 1, total: 2 });
    expect(await client.next('value')).toMatchObject({ run: 'a', seq: 3, save: 1, value, bytes: 16 });
    expect(client.payload).toEqual(payload);
    expect(await client.next('log')).toMatchObject({ seq: 4, node: 9, text: 'hi' });
    expect(await client.next('access_error')).toMatchObject({
      seq: 5,
      save: 3,
      error: { code: 'not_reached' },
    });
    expect(await client.nextStatus('completed')).toMatchObject({ seq: 6, report: REPORT });
    expect(seqs(client, 'a')).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('may use its id again once its last message is acknowledged', async () => {
    const server = await toy();
    const client = await server.client();
    const run = await begin(server, client);
    server.host().send({ type: 'done', run, state: 'completed' });
    await settle();
    client.send({ type: 'ack', run: 'a', seq: seqs(client, 'a').length });
    client.send({ type: 'ack', run: 'a', seq: 1 });
    client.send(runOf('a'));
    await settle();
    expect(states(client, 'a')).toEqual(['received', 'running', 'completed', 'received', 'running']);
  });

  it('gives every save exactly one outcome, whatever the host says', async () => {
    const server = await toy();
    const client = await server.client();
    const run = await begin(server, client);
    const { value, bytes, payload } = floats(4);
    server.host().send({ type: 'value', run, save: 1, value, bytes }, [payload]);
    server.host().send({ type: 'value', run, save: 1, value, bytes }, [payload]);
    server.host().send({ type: 'access_error', run, save: 1, error: { code: 'failed', message: 'no' } });
    server.host().send({ type: 'done', run, state: 'completed' });
    server.host().send({ type: 'value', run, save: 3, value, bytes }, [payload]);
    await client.next('value');
    expect(await client.next('access_error')).toMatchObject({ save: 3, error: { code: 'unset' } });
    await client.nextStatus('completed');
    await settle();
    expect(client.received.at(-1)?.message).toMatchObject({ type: 'status', state: 'completed' });
  });

  it('passes the errors of a failed run on, and as the cause of what is missing', async () => {
    const server = await toy();
    const client = await server.client();
    const run = await begin(server, client);
    const error = { code: 'wrong_dims', message: 'no', node: 2 } as const;
    server.host().send({ type: 'done', run, state: 'failed', errors: [error] });
    for (const save of [1, 3]) {
      expect(await client.next('access_error')).toMatchObject({
        save,
        error: { code: 'failed', cause: error },
      });
    }
    expect(await client.nextStatus('failed')).toMatchObject({ errors: [error] });
  });

  it('holds a value back until all its chunks are here', async () => {
    const server = await toy();
    const client = await server.client();
    const run = await begin(server, client);
    const { value, bytes, payload } = floats(40);
    server.host().send({ type: 'value', run, save: 1, value, bytes }, [payload.subarray(0, 64)]);
    server.host().send({ type: 'chunk', run, save: 1, offset: 64 }, [payload.subarray(64, 128)]);
    await settle();
    expect(states(client, 'a')).toEqual(['received', 'running']);
    server.host().send({ type: 'chunk', run, save: 1, offset: 128 }, [payload.subarray(128)]);
    await client.next('value');
    expect(await client.next('chunk')).toMatchObject({ save: 1, offset: 64 });
    expect(await client.next('chunk')).toMatchObject({ save: 1, offset: 128 });
    expect(client.payload.byteLength).toBe(32);
  });
});
