import type { Graph } from '@tracewire/protocol';
import { describe, expect, it } from 'vitest';
import { runOf } from './testing/runs.ts';
import { settle } from './testing/test-client.ts';
import { TWO_SAVES, toy } from './testing/toy.ts';

const batch = (...lengths: number[]): Graph => ({
  ...TWO_SAVES,
  invokes: lengths.map((length) => ({ input: { ids: new Array<number>(length).fill(1) } })),
});

describe('the capability invokes', () => {
  it('is announced with its limits to those who know it', async () => {
    const { stranger } = await toy({ limits: { invokes: 3, batchTokens: 12 } });
    const welcome = await stranger().hello('invokes');
    expect(welcome.capabilities).toContain('invokes');
    expect(welcome.limits).toMatchObject({ invokes: 3, batchTokens: 12 });
    const other = await stranger().hello();
    expect(other.capabilities).toContain('invokes');
    expect(other.limits).not.toHaveProperty('invokes');
    expect(other.limits).not.toHaveProperty('batchTokens');
  });

  it('is not there where the limits have no room for it', async () => {
    const { client } = await toy({ limits: { invokes: undefined } });
    const one = await client('invokes');
    one.send(runOf('a', batch(1, 1)));
    expect((await one.next('error')).errors).toMatchObject([{ code: 'not_offered', wanted: 'invokes' }]);
  });

  it('is wanted of who sends several prompts, or names an invoke', async () => {
    const { client, host } = await toy();
    const one = await client();
    one.send(runOf('a', batch(1, 1)));
    expect((await one.next('error')).errors).toMatchObject([
      { code: 'not_offered', path: 'graph.invokes', wanted: 'invokes' },
    ]);
    const [read] = TWO_SAVES.nodes;
    const named = { ...read, place: { module: 'h.0', port: 'output', invoke: 0 } } as Graph['nodes'][number];
    one.send(runOf('b', { ...TWO_SAVES, nodes: [...TWO_SAVES.nodes, named] }));
    expect((await one.next('error')).errors).toMatchObject([
      { code: 'not_offered', path: 'graph.nodes.4.place.invoke', wanted: 'invokes' },
    ]);
    await settle();
    expect(host().commands.some(({ type }) => type === 'run')).toBe(false);
  });
});

describe('the size of a batch', () => {
  const limits = { invokes: 3, batchTokens: 12, runs: 16 };

  it.each([
    ['as many rows as there may be', batch(1, 1, 1), undefined],
    ['one more', batch(1, 1, 1, 1), ['bad_message', 'graph.invokes', 'at most 3 invokes', '4']],
    ['as many tokens as there may be', batch(4, 1, 1), undefined],
    ['one more in the longest', batch(5, 1, 1), ['input_too_long', 'graph.invokes', 'at most 12', '15']],
    ['one prompt, to which the model alone sets a limit', batch(100), undefined],
  ])('%s', async (_, graph, refusal) => {
    const one = await (await toy({ limits })).client('invokes');
    one.send(runOf('a', graph));
    if (!refusal) return void (await one.nextStatus('received'));
    const { errors } = await one.next('error');
    expect(errors.map(({ code, path, wanted, got }) => [code, path, wanted, got])).toEqual([refusal]);
  });
});
