import type { Graph } from '@tracewire/protocol';
import { describe, expect, it } from 'vitest';
import { refusals, runOf, seqs } from './testing/runs.ts';
import { REPORT } from './testing/scripted-host.ts';
import { settle } from './testing/test-client.ts';
import { floats, type Toy, TWO_SAVES, toy } from './testing/toy.ts';

/** Saves one module in these steps. */
const saved = (steps: number | number[] | object): Graph => ({
  invokes: [{ input: { ids: [1, 2] } }],
  nodes: [
    { kind: 'read', place: { module: 'h.0', port: 'output', steps: steps as number } },
    { kind: 'save', value: 0 },
  ],
});
const GENERATE = { generate: { maxNewTokens: 8 } };

/** Begins a generation that saves in these steps; gives the client, and the host's id of the run. */
async function begun(server: Toy, steps: number | number[] | object, ...more: string[]) {
  const client = await server.client('generation', ...more);
  client.send(runOf('a', saved(steps), GENERATE));
  await settle();
  const command = server.host().commands.findLast((one) => one.type === 'run');
  if (command?.type !== 'run') throw new Error('The host got no run.');
  expect(command.generate).toEqual(GENERATE.generate);
  return { client, run: command.run };
}

const outcomes = (client: Awaited<ReturnType<typeof begun>>['client']) =>
  client.received.flatMap(({ message }) => {
    if (message.type === 'value') return [`value ${message.step}`];
    if (message.type === 'token') return [`token ${message.step} ${message.id}`];
    return message.type === 'access_error' ? [`${message.error.code} ${message.step}`] : [];
  });

describe('a generation', () => {
  it('has its tokens numbered with all else, and its values with their steps', async () => {
    const server = await toy();
    const { client, run } = await begun(server, {});
    const { value, bytes, payload } = floats(4);
    for (const step of [0, 1]) {
      server.host().send({ type: 'value', run, save: 1, step, value, bytes }, [payload]);
      server.host().send({ type: 'token', run, step, id: 7 + step, text: 'x' });
    }
    const report = { ...REPORT, steps: 2, generated: [{ tokens: 2, end: 'length' as const }] };
    server.host().send({ type: 'done', run, state: 'completed', report });
    await settle();
    expect(outcomes(client)).toEqual(['value 0', 'token 0 7', 'value 1', 'token 1 8']);
    expect(seqs(client, 'a')).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(client.received.at(-1)?.message).toMatchObject({ state: 'completed', report });
  });

  it('sends the tokens that were not taken in again, to the connection that resumes it', async () => {
    const server = await toy();
    const { client, run } = await begun(server, {}, 'resume');
    for (const step of [0, 1, 2]) server.host().send({ type: 'token', run, step, id: step, text: '' });
    await settle();
    expect(outcomes(client)).toHaveLength(3);
    const other = await server.client('generation', 'resume');
    other.send({ type: 'resume', run: 'a', after: 3 });
    server.host().send({ type: 'token', run, step: 3, id: 3, text: '' });
    await settle();
    expect(outcomes(other)).toEqual(['token 1 1', 'token 2 2', 'token 3 3']);
    expect(outcomes(client)).toHaveLength(3);
  });

  it('gives each step that came its outcome, and one to those that never did, when the host is lost', async () => {
    const server = await toy();
    const { client, run } = await begun(server, [0, 1, 4, 6]);
    const { value, bytes, payload } = floats(4);
    server.host().send({ type: 'value', run, save: 1, step: 0, value, bytes }, [payload]);
    server.host().send({ type: 'token', run, step: 0, id: 5, text: 'x' });
    await settle();
    server.host().die('gone');
    await settle();
    expect(outcomes(client)).toEqual(['value 0', 'token 0 5', 'failed 1', 'not_reached 4']);
    const last = client.received.at(-2)?.message;
    expect(last).toMatchObject({ error: { wanted: '4', got: '2', cause: { code: 'host_lost' } } });
  });

  it('takes no outcome of a step that isn’t saved, and no token out of order', async () => {
    const server = await toy();
    const { client, run } = await begun(server, 1);
    const error = { code: 'failed', message: 'no' } as const;
    for (const step of [0, 1, 1, undefined])
      server.host().send({ type: 'access_error', run, save: 1, step, error });
    for (const step of [1, 0, 0]) server.host().send({ type: 'token', run, step, id: 5, text: '' });
    await settle();
    expect(outcomes(client)).toEqual(['failed 1', 'token 0 5']);
  });
});

describe('is refused', () => {
  it('where it was not announced', async () => {
    const server = await toy();
    const client = await server.client('resume');
    client.send(runOf('a', TWO_SAVES, GENERATE));
    client.send(runOf('b', saved(1)));
    await settle();
    const errors = client.received.flatMap(({ message }) => (message.type === 'error' ? message.errors : []));
    expect(errors).toMatchObject([
      { code: 'not_offered', wanted: 'generation', path: 'options.generate' },
      { code: 'not_offered', wanted: 'generation', path: 'graph.nodes.0.place.steps' },
    ]);
  });

  it('with several prompts, and steps without it', async () => {
    const server = await toy();
    const client = await server.client('generation', 'invokes');
    const input = { ids: [1] };
    client.send(runOf('a', { ...TWO_SAVES, invokes: [{ input }, { input }] }, GENERATE));
    client.send(runOf('b', saved(1)));
    await settle();
    expect([refusals(client, 'a'), refusals(client, 'b')]).toEqual([['not_offered'], ['bad_message']]);
  });

  it('as another run when only its options differ', async () => {
    const server = await toy();
    const { client } = await begun(server, {}, 'resume');
    client.send(runOf('a', saved({}), { generate: { maxNewTokens: 9 } }));
    await settle();
    expect(refusals(client, 'a')).toEqual(['run_conflict']);
  });
});
