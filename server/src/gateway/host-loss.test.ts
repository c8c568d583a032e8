import { describe, expect, it } from 'vitest';
import { begin, runOf, states } from './testing/runs.ts';
import { DESCRIPTION, type ScriptedHost } from './testing/scripted-host.ts';
import { settle, type TestClient } from './testing/test-client.ts';
import { floats, type Toy, toy } from './testing/toy.ts';

const LOADED = { type: 'loaded', description: DESCRIPTION } as const;

/** Hosts that do this when they are to load; they are counted from 1. */
function hosts(loads: (host: ScriptedHost, load: number) => unknown, loadingMs?: number): Promise<Toy> {
  let load = 0;
  return toy({
    ...(loadingMs === undefined ? {} : { loadingMs }),
    answer: (host, command) => {
      if (command.type !== 'load') return;
      load += 1;
      loads(host, load);
    },
  });
}

/** The host is lost with the run `a`, behind which `b` waits. */
async function lostWhileAnotherWaits(server: Toy): Promise<TestClient> {
  const client = await server.client();
  await begin(server, client, 'a');
  client.send(runOf('b'));
  await settle();
  server.host().die('boom');
  return client;
}

describe('a lost host', () => {
  const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  it('fails its run with host_lost, leaves no half of a value, and the waiting run goes to the next host', async () => {
    const server = await toy();
    const client = await server.client();
    const run = await begin(server, client, 'a');
    client.send(runOf('b'));
    const { value, bytes, payload } = floats(40);
    server.host().send({ type: 'value', run, save: 1, value, bytes }, [payload.subarray(0, 64)]);
    await settle();
    server.host().die('it was ended by SIGKILL');
    await after(50);
    expect(client.received.some(({ message }) => message.type === 'value')).toBe(false);
    const ofA = client.received.map(({ message }) => message).filter((m) => 'run' in m && m.run === 'a');
    expect(ofA.slice(-3)).toMatchObject([
      { type: 'access_error', save: 1, error: { code: 'failed', cause: { code: 'host_lost' } } },
      { type: 'access_error', save: 3, error: { code: 'failed', cause: { code: 'host_lost' } } },
      { state: 'failed', errors: [{ code: 'host_lost', message: expect.stringContaining('SIGKILL') }] },
    ]);
    expect(server.hosts).toHaveLength(2);
    expect(states(client, 'b').at(-1)).toBe('running');
    expect(server.host().commands.map((command) => command.type)).toEqual(['load', 'run']);
  });

  it('is also one that breaks the message table', async () => {
    const server = await toy();
    const client = await server.client();
    await begin(server, client);
    server.host().sendRaw(new Uint8Array([9, 9, 9]));
    await after(50);
    expect(states(client, 'a').at(-1)).toBe('failed');
    expect(server.hosts[0]?.killed).toBe(true);
    expect(server.hosts).toHaveLength(2);
  });

  it('that can’t be started again fails what waits, and is tried again for the next run', async () => {
    const server = await hosts((host, load) => {
      if (load === 1 || load > 5) host.send(LOADED);
      else host.send({ type: 'load_failed', error: { code: 'model_not_found', message: 'gone' } });
    });
    const client = await lostWhileAnotherWaits(server);
    await after(100);
    const last = client.received.at(-1)?.message;
    expect(last).toMatchObject({
      run: 'b',
      state: 'failed',
      errors: [{ code: 'host_lost', cause: { code: 'model_not_found' } }],
    });
    client.send(runOf('c'));
    await after(50);
    expect(states(client, 'c').at(-1)).toBe('running');
  });

  it('that is lost again as soon as it has loaded is replaced, for it takes no runs', async () => {
    const server = await hosts((host, load) => {
      host.send(LOADED);
      if (load === 2) host.die('it was ended by SIGKILL');
    });
    const client = await lostWhileAnotherWaits(server);
    await expect.poll(() => server.hosts.length).toBe(3);
    await expect.poll(() => server.host().commands.map(({ type }) => type)).toEqual(['load', 'run']);
    expect(states(client, 'b').at(-1)).toBe('running');
  });

  it('whose successor tells nothing of its loading gets another, at last', async () => {
    const server = await hosts((host, load) => load !== 2 && host.send(LOADED), 100);
    const client = await lostWhileAnotherWaits(server);
    await expect.poll(() => server.hosts.length).toBe(3);
    expect(server.hosts[1]?.killed).toBe(true);
    await expect.poll(() => states(client, 'b').at(-1)).toBe('running');
  });

  it('at start-up is the reason that loading rejects with', async () => {
    const load = toy({
      answer: (host, command) => {
        if (command.type === 'load')
          host.send({ type: 'load_failed', error: { code: 'model_invalid', message: 'truncated' } });
      },
    });
    await expect(load).rejects.toMatchObject({ code: 'model_invalid', message: 'truncated' });
  });
});

describe('a gateway that closes', () => {
  it('closes connections with 1001 and ends its hosts', async () => {
    const server = await toy();
    const client = await server.client();
    server.gateway.close();
    expect(await client.closed).toMatchObject({ code: 1001 });
    await settle();
    expect(server.host().killed).toBe(true);
    expect(server.hosts).toHaveLength(1);
  });
});
