/** Several models in less memory than all of them need, on scripted hosts. */
import { transportPair } from '@tracewire/protocol';
import { describe, expect, it } from 'vitest';
import { Gateway } from './gateway.ts';
import { SILENT } from './log.ts';
import { ServedModel } from './served-model.ts';
import { Shelf } from './shelf.ts';
import { polite, scriptedHosts } from './testing/scripted-host.ts';
import { TestClient } from './testing/test-client.ts';
import { TWO_SAVES } from './testing/toy.ts';

/** Models of ten bytes each, of which two fit. */
async function shelfOf(names: readonly string[], termMs: number) {
  const shelf = new Shelf({ budgetBytes: 20, termMs });
  const models = names.map((name) => {
    // Runs end at once, so that a model is idle between them.
    const { start, hosts } = scriptedHosts((host, command, payload) => {
      polite(host, command, payload);
      if (command.type === 'run')
        setImmediate(() => host.send({ type: 'done', run: command.run, state: 'completed' }));
    });
    const config = {
      name,
      folder: '/',
      cache: '/',
      provider: 'cpu',
      threads: 0,
      chunkBytes: 64,
      savedBytes: 64,
      intermediateBytes: 64,
    } as const;
    const model = new ServedModel({ config, start, log: SILENT, shelf, waitFactor: 0.001 });
    shelf.add(model, 10);
    return { model, hosts };
  });
  for (const { model } of models) await model.describe();
  const gateway = new Gateway({ models: models.map(({ model }) => model), log: SILENT, version: '0' });
  const [end, server] = transportPair();
  gateway.serve(server);
  const client = new TestClient(end);
  await client.hello();
  let runs = 0;
  const send = (name: string): string => {
    runs += 1;
    client.send({ type: 'run', run: `${name}${runs}`, model: name, graph: TWO_SAVES });
    return `${name}${runs}`;
  };
  const loaded = () => models.filter(({ model }) => model.loaded).map(({ model }) => model.name);
  return { shelf, models, gateway, client, loaded, send, ended: (id: string) => client.end(id) };
}

describe('a shelf of models', () => {
  it('loads them when they are wanted, and unloads the one that was used longest ago', async () => {
    const { shelf, loaded, send, ended, gateway } = await shelfOf(['a', 'b', 'c'], 5000);
    expect(loaded()).toEqual([]);
    await ended(send('a'));
    await ended(send('b'));
    await ended(send('a'));
    expect([loaded(), shelf.usedBytes]).toEqual([['a', 'b'], 20]);
    expect((await ended(send('c'))).state).toBe('completed');
    expect([loaded(), shelf.usedBytes]).toEqual([['a', 'c'], 20]);
    gateway.close();
  });

  it('lets no busy model keep the others out for ever', async () => {
    const { send, ended, gateway } = await shelfOf(['a', 'b', 'c', 'd'], 0);
    const runs = [...Array(3)].flatMap(() => ['a', 'b', 'c', 'd'].map(send));
    const states = await Promise.all(runs.map(async (run) => (await ended(run)).state));
    expect(new Set(states)).toEqual(new Set(['completed']));
    gateway.close();
  });

  it('gives the room of a model that can’t be loaded to the next', async () => {
    const { shelf, models, send, ended, gateway } = await shelfOf(['a', 'b'], 0);
    const broken = models[0]?.model;
    if (!broken) throw new Error('no model');
    for (let failures = 0; failures < 2; failures++) {
      (await shelf.room(broken))();
    }
    expect(shelf.usedBytes).toBe(0);
    expect((await ended(send('b'))).state).toBe('completed');
    gateway.close();
  });
});
