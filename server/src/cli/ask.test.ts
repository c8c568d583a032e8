/** The commands that ask a server, against one: the built program in a process of its own. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { served } from '../../../test/support/served.ts';
import { makeKey, runCli, TINY_GPT2 } from '../../../test/support/server.ts';

const folder = mkdtempSync(join(tmpdir(), 'tracewire-ask-'));
afterAll(() => rmSync(folder, { recursive: true }));
const keys = join(folder, 'keys.json');
const key = await makeKey(keys, 'tests');
const server = await served('--keys', keys, '-m', 'tiny-gpt2', '-m', `second=${TINY_GPT2}`);

const asked = (...args: readonly string[]) => runCli(...args, '--url', server.url, '--key', key);

describe('tracewire status', () => {
  it('shows that it is ready, its models, and what runs', async () => {
    const { code, stdout } = await asked('status', '--json');
    const idle = { architecture: 'GPT2LMHeadModel', loaded: true, running: 0, waiting: 0 };
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      {
        url: server.url,
        version: expect.stringMatching(/^\d+\.\d+\.\d+/),
        ready: true,
        models: [
          { name: 'tiny-gpt2', ...idle },
          { name: 'second', ...idle },
        ],
      },
    ]);
    expect((await asked('status')).stdout).toMatch(
      /, ready\nmodel +architecture .*\ntiny-gpt2 +GPT2LMHeadModel +loaded +0 +0\n/,
    );
  });

  it('says what to do without a key, without a server, and of an address that is none', async () => {
    const noKey = await runCli('status', '--url', server.url);
    expect([noKey.code, noKey.stderr]).toEqual([1, expect.stringMatching(/unauthorized: .*TRACEWIRE_KEY/)]);
    const nobody = await runCli('status', '--url', 'ws://127.0.0.1:9');
    expect([nobody.code, nobody.stderr]).toEqual([
      1,
      expect.stringMatching(/unreachable: .*tracewire serve/),
    ]);
    const wrong = await runCli('status', '--url', 'http://127.0.0.1:9');
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('Write ws://127.0.0.1:9')]);
  });

  it('of something else that answers, says so', async () => {
    const other = createServer((_, response) => response.end('<html>hello</html>'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await runCli('status', '--url', `ws://127.0.0.1:${port}`);
    expect([code, stderr]).toEqual([1, expect.stringContaining('answered 200 to /v2: <html>hello</html>')]);
    other.close();
  });
});

describe('tracewire models', () => {
  it('lists a server’s, or what is here', async () => {
    const served = JSON.parse((await asked('models', '--json')).stdout);
    expect(served.map(({ name }: { name: string }) => name)).toEqual(['tiny-gpt2', 'second']);
    const here = await runCli('models', '--json');
    expect(JSON.parse(here.stdout)).toContainEqual({ name: 'tiny-gpt2', folder: TINY_GPT2 });
  });
});

describe('tracewire types', () => {
  it('writes a served model’s types to a file', async () => {
    const file = join(folder, 'served.d.ts');
    const { code, stdout } = await asked('types', 'second', '--out', file, '--json');
    expect([code, JSON.parse(stdout)]).toEqual([0, { model: 'second', file, modules: 66 }]);
    expect(readFileSync(file, 'utf8')).toContain('"second": Second;');
  });

  it('writes nothing for a model that isn’t there', async () => {
    const file = join(folder, 'none.d.ts');
    const { code, stderr } = await asked('types', 'secnd', '--out', file);
    expect([code, existsSync(file)]).toEqual([1, false]);
    expect(stderr).toMatch(/unknown_model: .*Did you mean second\?/);
    expect(stderr).toContain('see docs/errors/unknown_model.md');
  });
});
