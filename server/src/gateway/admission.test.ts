import { type ClientMessage, MAX_NODES } from '@tracewire/protocol';
import { describe, expect, it } from 'vitest';
import { DESCRIPTION } from './testing/scripted-host.ts';
import { settle } from './testing/test-client.ts';
import { TWO_SAVES, toy } from './testing/toy.ts';

describe('admission', () => {
  const run = (graph: unknown, id = 'a') => ({ type: 'run', run: id, model: 'toy', graph }) as ClientMessage;

  it('reports all static errors at once, and nothing follows', async () => {
    const { client, host } = await toy();
    const one = await client();
    const nodes = [
      { kind: 'read', place: { module: 'h.7', port: 'output' } },
      { kind: 'parameter', name: 'v' },
      { kind: 'save', value: 0 },
    ];
    one.send(run({ ...TWO_SAVES, nodes }));
    const { errors, run: refused } = await one.next('error');
    expect(refused).toBe('a');
    expect(errors.map((error) => error.code)).toEqual(['unknown_module', 'unknown_parameter']);
    expect(errors[0]?.nearest).toMatch(/^h\.[01]$/);
    await settle();
    expect(host().commands.some((command) => command.type === 'run')).toBe(false);
  });

  it('sends warnings with the status received', async () => {
    const one = await (await toy()).client();
    const stop = { kind: 'stop', place: { module: 'h.0', port: 'output' } };
    one.send(run({ ...TWO_SAVES, nodes: [...TWO_SAVES.nodes, stop] }));
    expect((await one.nextStatus('received')).warnings).toMatchObject([{ code: 'behind_stop', node: 2 }]);
  });

  it('refuses a run id in use, and the run in hand goes on', async () => {
    const one = await (await toy()).client();
    one.send(run(TWO_SAVES));
    one.send(run(TWO_SAVES));
    await one.nextStatus('received');
    await one.nextStatus('running');
    expect(await one.next('error')).toMatchObject({ run: 'a', errors: [{ code: 'run_conflict' }] });
  });

  it('refuses more runs than a connection may have, saying when to retry', async () => {
    const one = await (await toy({ limits: { runs: 2 } })).client();
    for (const id of ['a', 'b', 'c']) one.send(run(TWO_SAVES, id));
    await settle();
    const errors = one.received.filter(({ message }) => message.type === 'error');
    expect(errors).toMatchObject([
      { message: { run: 'c', errors: [{ code: 'too_many_runs', retryAfterMs: 1000 }] } },
    ]);
  });

  it('refuses a run when the queue is full', async () => {
    const one = await (await toy({ queuedRuns: 1 })).client();
    for (const id of ['a', 'b', 'c']) one.send(run(TWO_SAVES, id));
    await settle();
    const errors = one.received.filter(({ message }) => message.type === 'error');
    expect(errors).toMatchObject([{ message: { run: 'c', errors: [{ code: 'queue_full' }] } }]);
  });

  it('refuses more nodes than the limit', async () => {
    expect(MAX_NODES).toBeGreaterThan(10_000);
    const one = await (await toy({ limits: { nodes: 3 } })).client();
    one.send(run(TWO_SAVES));
    expect(await one.next('error')).toMatchObject({ errors: [{ code: 'bad_message', path: 'graph.nodes' }] });
  });

  it.each([
    ['too short', 4, 'graph.nodes.0.tensor.length'],
    ['too long', 24, 'payload'],
  ])('refuses a payload that is %s for the constants', async (_, bytes, path) => {
    const one = await (await toy()).client();
    const tensor = { dtype: 'float32', dims: [2], offset: 0, length: 8 };
    one.send(
      run({
        ...TWO_SAVES,
        nodes: [
          { kind: 'constant', tensor },
          { kind: 'save', value: 0 },
        ],
      }),
      [new Uint8Array(bytes)],
    );
    expect(await one.next('error')).toMatchObject({ run: 'a', errors: [{ code: 'bad_message', path }] });
  });

  it('hands the literals to the host as they came', async () => {
    const payloads: Uint8Array[] = [];
    const { client } = await toy({
      answer: (host, command, payload) => {
        if (command.type === 'load') host.send({ type: 'loaded', description: DESCRIPTION });
        if (command.type === 'run') payloads.push(payload);
      },
    });
    const one = await client();
    const tensor = { dtype: 'float32', dims: [2], offset: 0, length: 8 };
    const literal = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
    one.send(
      run({
        ...TWO_SAVES,
        nodes: [
          { kind: 'constant', tensor },
          { kind: 'save', value: 0 },
        ],
      }),
      [literal],
    );
    await one.nextStatus('received');
    await one.nextStatus('running');
    await settle();
    expect(payloads).toEqual([literal]);
  });
});
