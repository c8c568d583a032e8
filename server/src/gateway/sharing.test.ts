import {
  type Graph,
  type GraphNode,
  type ModelDescription,
  ModelIndex,
  type RunOptions,
} from '@tracewire/protocol';
import { describe, expect, it } from 'vitest';
import { type Batching, ridersFor, type Share, shareOf } from './sharing.ts';
import { give, runOf, states } from './testing/runs.ts';
import { type Command, DESCRIPTION } from './testing/scripted-host.ts';
import { settle, type TestClient } from './testing/test-client.ts';
import { floats, type Toy, TWO_SAVES, toy } from './testing/toy.ts';

const SHARED = { batching: 'shared' } as const;
const LIMITS = { nodes: 1000, batchTokens: 4096, invokes: 64 };
type Together = Extract<Command, { type: 'run_together' }>;

/** The passes that the newest host was given, one of them perhaps ahead of its turn. */
const commands = ({ host }: Toy) =>
  host().commands.flatMap((command) =>
    command.type === 'run'
      ? [[command.run]]
      : command.type === 'run_together'
        ? [command.runs.map(({ run }) => run)]
        : [],
  );

/** A client, with one exact run in hand and others that wait. */
async function waiting(toy: Toy, options: readonly (RunOptions | undefined)[]): Promise<TestClient> {
  const one = await toy.client('batching');
  one.send(runOf('first'));
  for (const [index, option] of options.entries()) one.send(runOf(`r${index}`, TWO_SAVES, option));
  await settle();
  expect(commands(toy)[0]).toEqual(['r1']);
  return one;
}

function finish({ host }: Toy, run: string): void {
  host().send({ type: 'done', run, state: 'completed' });
}

/** Ends the run in hand, after which three go together; gives their pass and what the host calls them. */
async function share(toy: Toy, options: readonly RunOptions[] = [SHARED, SHARED, SHARED]) {
  const one = await waiting(toy, options);
  finish(toy, 'r1');
  await settle();
  const pass = toy.host().commands.at(-1) as Together;
  expect(pass.type).toBe('run_together');
  return { one, pass, runs: pass.runs.map(({ run }) => run) as [string, string, string] };
}

/** What the client has heard of a run, in short. */
const heard = (client: TestClient, run: string) =>
  client.received.flatMap(({ message }) => {
    if (!('run' in message) || message.run !== run || !('seq' in message)) return [];
    if (message.type === 'status') return [message.state];
    return [
      message.type === 'value' || message.type === 'access_error'
        ? `${message.type} ${message.save}`
        : message.type,
    ];
  });

describe('which runs share a pass', () => {
  it('those that wait and may', async () => {
    const one = await toy();
    const { runs } = await share(one);
    expect(runs).toEqual(['r2', 'r3', 'r4']);
  });

  it('none that doesn’t say so', async () => {
    const one = await toy();
    const client = await waiting(one, [undefined, SHARED, { batching: 'exact' }, SHARED]);
    for (const run of ['r1', 'r2']) {
      finish(one, run);
      await settle();
    }
    expect(commands(one)).toEqual([['r1'], ['r2'], ['r3', 'r5']]);
    finish(one, 'r3');
    finish(one, 'r5');
    await settle();
    expect(commands(one).at(-1)).toEqual(['r4']);
    expect(states(client, 'r1').at(-1)).toBe('completed');
  });

  it('where the server’s default is that, also those that say nothing, if they could have been told', async () => {
    const one = await toy({ batching: 'shared' });
    const [told, untold] = [one.stranger(), one.stranger()];
    expect(await told.hello('batching')).toMatchObject({ batching: 'shared' });
    expect(await untold.hello()).not.toHaveProperty('batching');
    untold.send(runOf('first'));
    for (const client of [told, untold])
      for (const id of ['a', 'b']) client.send(runOf(`${id}${client === told}`));
    told.send(runOf('exact', TWO_SAVES, { batching: 'exact' }));
    await settle();
    for (const run of ['r1', 'r2', 'r3']) finish(one, run);
    await settle();
    expect(commands(one).slice(0, 2)).toEqual([['r1'], ['r2', 'r3']]);
    for (const run of ['r4', 'r5', 'r6']) {
      await settle();
      finish(one, run);
    }
    await settle();
    expect(commands(one).slice(2).flat().sort()).toEqual(['r4', 'r5', 'r6']);
    expect(
      commands(one)
        .slice(2)
        .every((pass) => pass.length === 1),
    ).toBe(true);
  });

  it('keeps to the turns of keys: who goes along with another has had a turn', async () => {
    const one = await toy();
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map(async () => one.client('batching')));
    a?.send(runOf('first'));
    for (let n = 0; n < 3; n++) a?.send(runOf(`a${n}`, TWO_SAVES, SHARED));
    for (let n = 0; n < 3; n++) b?.send(runOf(`b${n}`, TWO_SAVES, n === 0 ? SHARED : undefined));
    for (let n = 0; n < 2; n++) c?.send(runOf(`c${n}`));
    await settle();
    // r1 first; a: r2 r3 r4; b: r5 (shared), r6, r7; c: r8, r9.
    finish(one, 'r1');
    await settle();
    const order: string[] = [];
    for (let n = 1; n < 6; n++) {
      const pass = commands(one)[n] ?? [];
      order.push(pass.join());
      for (const run of pass) finish(one, run);
      await settle();
    }
    expect(order).toEqual(['r2,r5,r3,r4', 'r8', 'r6', 'r9', 'r7']);
  });

  it('asks for the capability, and takes no other word', async () => {
    const one = await toy();
    const client = await one.client();
    client.send(runOf('a', TWO_SAVES, SHARED));
    expect((await client.next('error')).errors).toMatchObject([
      { code: 'not_offered', path: 'options.batching', wanted: 'batching' },
    ]);
    const other = await one.client('batching');
    other.send(runOf('a', TWO_SAVES, { batching: 'any' as Batching }));
    expect((await other.next('error')).errors).toMatchObject([
      { code: 'bad_message', path: 'options.batching' },
    ]);
  });
});

describe('runs in one pass', () => {
  it('each get their own, and end each by itself', async () => {
    const one = await toy();
    const { one: client, runs } = await share(one);
    const [a, b, c] = runs;
    give(one, b, 1);
    give(one, a, 1);
    give(one, c, 3);
    one.host().send({ type: 'access_error', run: a, save: 3, error: { code: 'failed', message: 'no' } });
    for (const run of [c, a, b]) finish(one, run);
    await settle();
    expect(heard(client, 'r0').slice(-4)).toEqual(['running', 'value 1', 'access_error 3', 'completed']);
    expect(heard(client, 'r1').slice(-3)).toEqual(['value 1', 'access_error 3', 'completed']);
    expect(heard(client, 'r2').slice(-3)).toEqual(['value 3', 'access_error 1', 'completed']);
  });

  it('one that is cancelled, or past its deadline, ends at once; the pass goes on for the others', async () => {
    const one = await toy();
    const { one: client, runs } = await share(one, [SHARED, { ...SHARED, deadlineMs: 60 }, SHARED]);
    client.send({ type: 'cancel', run: 'r0' });
    await settle();
    expect(states(client, 'r0').at(-1)).toBe('cancelled');
    expect((await client.end('r1')).errors).toMatchObject([{ code: 'deadline_exceeded' }]);
    expect(one.host().commands.some(({ type }) => type === 'cancel')).toBe(false);
    for (const run of runs) {
      give(one, run, 1);
      give(one, run, 3);
      finish(one, run);
    }
    await settle();
    expect(heard(client, 'r2').slice(-3)).toEqual(['value 1', 'value 3', 'completed']);
    expect(heard(client, 'r0').filter((what) => what.startsWith('value'))).toEqual([]);
  });

  it('ends with the last of them', async () => {
    const one = await toy();
    const { one: client, pass } = await share(one);
    client.send(runOf('next'));
    for (const run of ['r0', 'r1', 'r2']) client.send({ type: 'cancel', run });
    await settle();
    expect(one.host().commands.at(-1)).toEqual({ type: 'cancel', run: pass.run });
    expect(commands(one)).toHaveLength(2);
    one.host().send({ type: 'apart', run: pass.run });
    await settle();
    expect(commands(one).slice(2)).toEqual([['r5']]);
  });

  it('a lost client’s runs go, the others stay', async () => {
    const one = await toy();
    const [a, b] = [await one.client('batching'), await one.client('batching')];
    a.send(runOf('first'));
    a.send(runOf('a', TWO_SAVES, SHARED));
    b.send(runOf('b', TWO_SAVES, SHARED));
    await settle();
    finish(one, 'r1');
    await settle();
    expect(commands(one).at(-1)).toEqual(['r2', 'r3']);
    a.close();
    give(one, 'r3', 1);
    finish(one, 'r2');
    finish(one, 'r3');
    expect((await b.end('b')).state).toBe('completed');
  });
});

describe('a pass that doesn’t go through', () => {
  it('is run apart: nothing comes twice, and nobody’s run ends by it', async () => {
    const one = await toy();
    const { one: client, pass, runs } = await share(one);
    give(one, runs[0], 1);
    one.host().send({ type: 'log', run: runs[0], node: 0, text: 'seen' });
    one.host().send({ type: 'apart', run: pass.run, error: { code: 'operation_failed', message: 'no' } });
    await settle();
    for (const run of runs) {
      expect(commands(one)).toContainEqual([run]);
      one.host().send({ type: 'log', run, node: 0, text: 'seen' });
      give(one, run, 1);
      give(one, run, 3);
      finish(one, run);
      await settle();
    }
    expect(heard(client, 'r0').slice(-5)).toEqual(['running', 'value 1', 'log', 'value 3', 'completed']);
    for (const run of ['r1', 'r2']) {
      expect(heard(client, run).slice(-5)).toEqual(['running', 'log', 'value 1', 'value 3', 'completed']);
      expect(states(client, run).filter((state) => state === 'running')).toHaveLength(1);
      expect(states(client, run).lastIndexOf('queued')).toBeLessThan(states(client, run).indexOf('running'));
    }
  });

  it('is run apart when its host is lost; only the run that loses the next one fails', async () => {
    const one = await toy();
    const { one: client, runs } = await share(one);
    one.host().die('killed for its memory');
    await expect.poll(() => commands(one)[0]).toEqual([runs[0]]);
    one.host().die('killed for its memory');
    expect((await client.end('r0')).errors).toMatchObject([{ code: 'host_lost' }]);
    for (const run of runs.slice(1)) {
      await expect.poll(() => commands(one)).toContainEqual([run]);
      finish(one, run);
    }
    expect((await client.end('r1')).state).toBe('completed');
    expect((await client.end('r2')).state).toBe('completed');
    expect(one.hosts).toHaveLength(3);
  });

  it('is stopped when it takes long, and killed when it doesn’t stop', async () => {
    const one = await toy({ runMs: 200, stuckMs: 30 });
    const { one: client, pass, runs } = await share(one);
    const [first] = one.hosts;
    await expect.poll(() => first?.commands.at(-1)).toEqual({ type: 'cancel', run: pass.run });
    await expect.poll(() => first?.killed).toBe(true);
    // Alone, each has its own time, and the first takes too long again.
    await expect.poll(() => commands(one)[0]).toEqual([runs[0]]);
    one.host().send({ type: 'done', run: runs[0], state: 'cancelled' });
    await expect.poll(() => commands(one)).toContainEqual([runs[1]]);
    finish(one, runs[1]);
    expect((await client.end('r1')).state).toBe('completed');
  });

  it('what has come of it before counts, in whatever parts it came', async () => {
    const one = await toy();
    const { one: client, pass, runs } = await share(one);
    const { value, payload } = floats(40);
    // The first 64 of 160 bytes; the rest never comes from this pass.
    one.host().send({ type: 'value', run: runs[0], save: 1, value, bytes: 160 }, [payload.subarray(0, 64)]);
    one.host().send({ type: 'apart', run: pass.run });
    await settle();
    give(one, runs[0], 1);
    give(one, runs[0], 3);
    finish(one, runs[0]);
    await settle();
    expect(heard(client, 'r0').slice(-3)).toEqual(['value 1', 'value 3', 'completed']);
  });
});

const bringing = (tokens: number, more: Partial<Share> = {}): { share: Share } => ({
  share: { tokens, nodes: 4, inside: '', ...more },
});

describe('what goes into a pass', () => {
  const count = (first: Share, waiting: { share: Share | undefined }[], limits = LIMITS): number =>
    ridersFor(first, waiting, limits).length;
  const { share: ten } = bringing(10);
  const many = (count: number, tokens: number) => Array.from({ length: count }, () => bringing(tokens));

  it.each([
    ['sixteen runs', count(ten, many(15, 10)), 15],
    ['and no more', count(ten, many(16, 10)), 15],
    ['as many as the server takes invokes', count(ten, many(9, 10), { ...LIMITS, invokes: 4 }), 3],
    ['512 tokens', count(bringing(128).share, many(3, 128)), 3],
    ['and no more', count(bringing(128).share, many(4, 128)), 3],
    ['as many as the server takes tokens', count(ten, many(9, 10), { ...LIMITS, batchTokens: 50 }), 4],
    ['no long ones with short ones', count(ten, [bringing(100), bringing(15)]), 1],
    ['a few tokens whatever they are', count(ten, [bringing(60)]), 1],
    ['nodes within the server’s limit', count({ ...ten, nodes: 996 }, [bringing(10)]), 1],
    ['and no more', count({ ...ten, nodes: 997 }, [bringing(10)]), 0],
    [
      'what looks at the same inside',
      count({ ...ten, inside: 'a' }, [bringing(10, { inside: 'a' }), bringing(10)]),
      2,
    ],
    [
      'and not at something else',
      count(ten, [bringing(10, { inside: 'a' }), bringing(10, { inside: 'b' })]),
      1,
    ],
    ['no run that goes alone', count(ten, [{ share: undefined }, bringing(10)]), 1],
  ])('%s', (_, got, wanted) => {
    expect(got).toBe(wanted);
  });
});

describe('what a run brings along', () => {
  const FLOAT = { dtype: 'float32', dims: ['batch', 'sequence', 4] } as const;
  const description: ModelDescription = {
    ...DESCRIPTION,
    modules: [
      ...DESCRIPTION.modules,
      {
        path: 'mix',
        order: { output: 4 },
        inputs: [],
        outputs: [{ name: 'c', ...FLOAT, mixed: true }],
        sources: [{ name: 'inner', operator: 'Add', order: 5, ...FLOAT }],
      },
      {
        path: 'positions',
        order: { output: 6 },
        inputs: [],
        outputs: [{ name: 'd', dtype: 'float32', dims: ['sequence'] }],
      },
    ],
  };
  const of = (graph: Graph, options?: RunOptions) =>
    shareOf({ type: 'run', run: 'r', model: 'toy', graph, options }, new ModelIndex(description));
  const at = (module: string, more: object = {}): GraphNode => ({
    kind: 'read',
    place: { module, port: 'output', ...more },
  });
  const graph = (...nodes: GraphNode[]): Graph => ({ invokes: [{ input: { ids: [1, 2] } }], nodes });

  it('its tokens and nodes', () => {
    expect(of(TWO_SAVES)).toEqual({ tokens: 2, nodes: 4, inside: '' });
    expect(of({ ...TWO_SAVES, invokes: [{ input: { text: 'aé' } }] })?.tokens).toBe(11);
  });

  it('what it looks at and writes inside', () => {
    const inner = at('mix', { port: 'source', source: 'inner' });
    const { place } = inner as { place: { module: string; port: 'source' } };
    expect(of(graph(inner))?.inside).toBe('rinner');
    expect(of(graph({ kind: 'parameter', name: 'w' }, { kind: 'write', place, value: 0 }))?.inside).toBe(
      'winner',
    );
  });

  it.each([
    ['several prompts', { ...TWO_SAVES, invokes: [...TWO_SAVES.invokes, ...TWO_SAVES.invokes] }],
    ['feeds', { ...TWO_SAVES, invokes: [{ input: { feeds: {} } }] }],
    ['a place that mixes its rows', graph(at('mix'))],
    [
      'a write to what all rows share',
      graph({ kind: 'parameter', name: 'w' }, { ...at('positions'), kind: 'write', value: 0 } as GraphNode),
    ],
    [
      'a skip of what mixes its rows',
      graph({ kind: 'parameter', name: 'w' }, { kind: 'skip', module: 'mix', value: 0 }),
    ],
  ] satisfies [string, Graph][])('nothing: %s', (_, graph) => {
    expect(of(graph)).toBeUndefined();
  });

  it('nothing of a generation; what all rows share may be read', () => {
    expect(of(TWO_SAVES, { generate: { maxNewTokens: 1 } })).toBeUndefined();
    expect(of(graph(at('positions')))).toBeDefined();
  });
});
