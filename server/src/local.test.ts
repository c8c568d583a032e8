/** Local runs on the built package, with the real engine and the embedded model. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openLocal } from '../dist/local.js';
import { settle, TestClient } from './gateway/testing/test-client.ts';

const cache = mkdtempSync(join(tmpdir(), 'tracewire-local-'));
afterAll(() => rmSync(cache, { recursive: true }));

describe('openLocal', () => {
  it('speaks the protocol in this process, and shares an engine until the last one closes', async () => {
    const [one, two] = (await Promise.all([openLocal({ cache }), openLocal({ cache })])).map(
      (t) => new TestClient(t),
    );
    const epochs = [await one?.hello(), await two?.hello()].map((welcome) => welcome?.epoch);
    expect(epochs[0]).toBe(epochs[1]);
    one?.close();
    two?.send({ type: 'tokenize', request: 1, model: 'tiny-gpt2', text: 'The Eiffel Tower' });
    expect((await two?.next('tokens'))?.tokens[0]).toBe('The');
    two?.close();
    await settle();
    const three = new TestClient(await openLocal({ cache }));
    expect((await three.hello()).epoch).not.toBe(epochs[0]);
    three.close();
  });

  it('rejects with the reason when there is no such model, and goes on working', async () => {
    await expect(openLocal({ model: './nothing', cache })).rejects.toMatchObject({ code: 'model_not_found' });
    await expect(openLocal({ model: cache, cache })).rejects.toMatchObject({
      code: 'model_not_found',
      message: expect.stringContaining('model.onnx'),
    });
    const client = new TestClient(await openLocal({ cache }));
    await client.hello();
    client.close();
  });

  it('lets the process end once it is closed', () => {
    const local = new URL('../dist/local.js', import.meta.url).href;
    const code = `
      const { openLocal } = await import(${JSON.stringify(local)});
      const transport = await openLocal({ cache: ${JSON.stringify(cache)} });
      transport.close();
      console.log('closed');`;
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
      timeout: 10_000,
    });
    expect([status, String(stdout), String(stderr)]).toEqual([0, 'closed\n', '']);
  });
});
