/** Which runs go on, over HTTP: each key its own, without keys all; a handle cancels and tells no id. */
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Listener } from './listener.ts';
import { begin, runOf, states } from './testing/runs.ts';
import { settle } from './testing/test-client.ts';
import { type Toy, toy } from './testing/toy.ts';

let listener: Listener;
let server: Toy;
beforeEach(async () => {
  server = await toy();
  listener = await Listener.bind({ host: '127.0.0.1', port: 0 });
  listener.open(server.gateway);
});
afterEach(() => {
  server.gateway.close();
  listener.close();
});

const handleOf = (id: string): string => createHash('sha256').update(id).digest('hex').slice(0, 32);

async function ask(path = '', method = 'GET', headers: Record<string, string> = {}) {
  const url = `${listener.url.replace('ws', 'http')}/v2/runs${path}`;
  const response = await fetch(url, { method, headers });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
}
const listed = async () => JSON.parse((await ask()).text).runs as Record<string, unknown>[];

describe('the runs that go on', () => {
  it('are told without their ids, the running one first, then by their places', async () => {
    expect(await listed()).toEqual([]);
    const [one, other] = [await server.client(), await server.client('resume', 'detach')];
    await begin(server, one, 'first-secret');
    other.send(runOf('second-secret', undefined, { detach: true }));
    one.send(runOf('third-secret'));
    await settle();
    const { text, headers } = await ask();
    expect(JSON.parse(text)).toEqual({
      runs: [
        {
          handle: handleOf('first-secret'),
          model: 'toy',
          state: 'running',
          ageMs: expect.any(Number),
          runningMs: expect.any(Number),
        },
        expect.objectContaining({
          handle: handleOf('second-secret'),
          state: 'queued',
          position: 1,
          detached: true,
        }),
        expect.objectContaining({ handle: handleOf('third-secret'), state: 'queued', position: 2 }),
      ],
    });
    expect(text).not.toContain('secret');
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it('are cancelled by their handles, once', async () => {
    const client = await server.client();
    await begin(server, client, 'a');
    client.send(runOf('b'));
    await settle();
    expect((await ask(`/${handleOf('b')}`, 'DELETE')).status).toBe(204);
    expect(states(client, 'b').at(-1)).toBe('cancelled');
    expect(await listed()).toHaveLength(1);
    const again = await ask(`/${handleOf('b')}`, 'DELETE');
    expect(again.status).toBe(404);
    expect(JSON.parse(again.text).error).toContain(handleOf('b'));
    // One that runs ends when the host says so.
    expect((await ask(`/${handleOf('a')}`, 'DELETE')).status).toBe(204);
    await settle();
    expect(server.host().commands.at(-1)?.type).toBe('cancel');
  });

  it.each([
    ['the id itself', '/a', 'DELETE', 404],
    ['nothing', '/', 'DELETE', 405],
    ['a path behind a handle', `/${handleOf('a')}/x`, 'DELETE', 404],
    ['what is no escape', '/%ff', 'DELETE', 404],
    ['a handle, with GET', `/${handleOf('a')}`, 'GET', 405],
    ['the list, with POST', '', 'POST', 405],
  ])('%s cancels nothing', async (_, path, method, status) => {
    const client = await server.client();
    await begin(server, client, 'a');
    const answer = await ask(path, method);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text).error).toMatch(/./);
    expect(await listed()).toHaveLength(1);
  });

  it('are no page’s of another origin, nor told before the models are there', async () => {
    const client = await server.client();
    await begin(server, client, 'a');
    const origin = { origin: 'https://example.org' };
    expect((await ask('', 'GET', origin)).status).toBe(403);
    expect((await ask(`/${handleOf('a')}`, 'DELETE', origin)).status).toBe(403);
    expect((await ask(`/${handleOf('a')}`, 'OPTIONS', origin)).status).toBe(403);
    expect(await listed()).toHaveLength(1);
    const early = await Listener.bind({ host: '127.0.0.1', port: 0 });
    const answer = await fetch(`${early.url.replace('ws', 'http')}/v2/runs`);
    expect(answer.status).toBe(503);
    early.close();
  });
});
