/** The command line as users meet it: the built program in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Inbox, SUBPROTOCOL, type Transport } from '@tracewire/protocol';
import { afterAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { TestClient } from '../gateway/testing/test-client.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const EMBEDDED = fileURLToPath(new URL('../../models/tiny-gpt2', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tracewire-cli-'));
const children: ChildProcess[] = [];

afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const start = (...args: string[]) => startWith({}, ...args);

function startWith(env: Record<string, string>, ...args: string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { ...process.env, XDG_CONFIG_HOME: folder, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  children.push(child);
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk;
  });
  const exit = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, ...output }));
  });
  return { child, output, exit };
}

describe('tracewire', () => {
  it('prints its version', async () => {
    const { code, stdout } = await start('--version').exit;
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)]);
  });

  it.each([
    ['a wrong command', ['serv'], 'Did you mean serve?'],
    ['a wrong option', ['serve', '--prot', '1'], 'Did you mean --port?'],
    ['a wrong port', ['serve', '--port', '65536'], 'from 0 to 65535'],
    ['a wrong provider', ['serve', '--provider', 'gpu'], 'cpu, cuda'],
    ['an address for all without keys', ['serve', '--host', '0.0.0.0'], 'tracewire keys make NAME'],
    [
      'two models of one name',
      ['serve', '-m', 'tiny-gpt2', '-m', 'tiny-gpt2'],
      'Two models are called tiny-gpt2',
    ],
  ])('refuses %s with exit code 2', async (_, args, text) => {
    const { code, stdout, stderr } = await start(...args).exit;
    expect(stderr).toContain(text);
    expect([code, stdout]).toEqual([2, '']);
  });

  it('names a model folder that is missing, with exit code 1', async () => {
    const { code, stdout, stderr } = await start('serve', '--port', '0', '--model', './nothing').exit;
    expect(stderr).toContain(
      `tracewire: model_not_found: There is no model folder ${join(folder, 'nothing')}.`,
    );
    expect([code, stdout]).toEqual([1, '']);
  });

  it('says where it listens in JSON, and is judged in JSON, for scripts', async () => {
    const { child, output, exit } = start('serve', '--json', '--port', '0');
    await expect.poll(() => output.stdout, { timeout: 30_000 }).toContain('\n');
    const { url, models } = JSON.parse(output.stdout) as { readonly url: string; readonly models: string[] };
    expect([url, models]).toEqual([expect.stringMatching(/^ws:\/\/127\.0\.0\.1:\d+$/), ['tiny-gpt2']]);
    const judged = await start('conformance', url, '--only', 'R-101', '--json').exit;
    expect([judged.code, JSON.parse(judged.stdout)]).toEqual([0, expect.objectContaining({ subject: url })]);
    child.kill('SIGTERM');
    expect((await exit).code).toBe(0);
  });

  it('says what to do about a taken port', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const { code, stderr } = await start('serve', '--port', String(port)).exit;
    expect(stderr).toContain('tracewire: address_in_use:');
    expect(stderr).toContain('--port');
    expect(code).toBe(1);
    other.close();
  });
});

describe('tracewire config', () => {
  const file = join(folder, 'tracewire.json');
  const config = (content: unknown, args: string[] = [], env: Record<string, string> = {}) => {
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
    return startWith(env, 'config', '--json', '--config', file, ...args).exit;
  };

  it('shows each value and where it comes from: command line, environment, file, default', async () => {
    const { code, stdout } = await config(
      { port: 1, host: '::1', grace: 5, memory: '2GiB', 'allow-host': ['a', 'b'], keys: false },
      ['--port', '3'],
      { TRACEWIRE_PORT: '2', TRACEWIRE_HOST: '127.0.0.2' },
    );
    const settings = JSON.parse(stdout) as { name: string; value: unknown; source: string }[];
    const shown = (name: string) => {
      const { value, source } = settings.find((one) => one.name === name) ?? {};
      return [value, source];
    };
    expect(shown('port')).toEqual([3, 'command line']);
    expect(shown('host')).toEqual(['127.0.0.2', 'environment TRACEWIRE_HOST']);
    expect(shown('grace')).toEqual([5, file]);
    expect(shown('memory')).toEqual([2 ** 31, file]);
    expect(shown('allow-host')).toEqual([['a', 'b'], file]);
    expect(shown('keys')).toEqual([false, file]);
    expect(shown('threads')).toEqual([0, 'default']);
    expect(code).toBe(0);
  });

  it.each([
    ['an option that there isn’t', { prot: 1 }, 'Did you mean port?'],
    ['a value of the wrong form', { port: 'high' }, 'from 0 to 65535'],
    ['a value that is none of the choices', { provider: 'gpu' }, 'cpu, cuda'],
    ['a map in place of a value', { host: {} }, 'a list of strings'],
    ['no JSON', '{', 'can’t be read'],
    ['a list', [], 'holds no object'],
  ])('refuses a file with %s, with exit code 2', async (_, content, text) => {
    const { code, stdout, stderr } = await config(content);
    expect(stderr).toContain(text);
    expect(stderr).toContain(file);
    expect([code, stdout]).toEqual([2, '']);
  });
});

/** A server that listens, with the embedded model. */
async function serving(...args: string[]) {
  const server = start('serve', '--port', '0', '--cache', join(folder, 'cache'), ...args);
  const listening = /Listening on (ws:\/\/127\.0\.0\.1:\d+) {2}models: (.*)\n/;
  const early = server.exit.then(({ stderr }) => {
    throw new Error(stderr);
  });
  early.catch(() => {});
  while (!listening.test(server.output.stdout)) await Promise.race([early, sleep(20)]);
  const [, url = '', models] = listening.exec(server.output.stdout) ?? [];
  return { ...server, url, models };
}

async function connect(url: string): Promise<TestClient> {
  const socket = new WebSocket(url, SUBPROTOCOL, { perMessageDeflate: false });
  const inbox = new Inbox();
  socket.on('message', (data: Buffer) => inbox.deliver(data));
  socket.on('close', (code, reason) => inbox.end(code, reason.toString()));
  await once(socket, 'open');
  const transport: Transport = {
    send: (parts) => socket.send(Buffer.concat(parts)),
    listen: (handlers) => inbox.listen(handlers),
    close: (code) => socket.close(code),
  };
  const client = new TestClient(transport);
  await client.hello();
  return client;
}

const run = (id: string) =>
  ({
    type: 'run',
    run: id,
    model: 'tiny-gpt2',
    graph: {
      invokes: [{ input: { text: 'The Eiffel Tower is in the city of' } }],
      nodes: [
        { kind: 'read', place: { module: 'transformer.h.0', port: 'output', member: 0 } },
        { kind: 'save', value: 0 },
        { kind: 'stop', place: { module: 'transformer.h.0', port: 'output' } },
      ],
    },
  }) as const;

/** The process ids of a server's hosts, which its debug log tells. */
const hostsOf = ({ output }: { output: { stderr: string } }): number[] =>
  [...output.stderr.matchAll(/"hostPid":(\d+)/g)].map(([, pid]) => Number(pid));

/** A server whose host is stopped, in the middle of the run `a`. */
async function heldUp() {
  const server = await serving('--log-level', 'debug');
  const client = await connect(server.url);
  const [host = 0] = hostsOf(server);
  process.kill(host, 'SIGSTOP');
  client.send(run('a'));
  await client.nextStatus('received');
  await client.nextStatus('running');
  return { server, client, host };
}

describe('tracewire serve', () => {
  it('takes models with and without --model', async () => {
    const server = await serving(`first=${EMBEDDED}`, '--model', 'tiny-gpt2');
    expect(server.models).toBe('first, tiny-gpt2');
    server.child.kill('SIGTERM');
    expect((await server.exit).code).toBe(0);
  });

  it('loads the embedded model in a process of its own, and answers', async () => {
    const server = await serving();
    expect(server.models).toBe('tiny-gpt2');
    const client = await connect(server.url);
    client.send(run('a'));
    await client.end('a');
    const value = client.received.find(({ message }) => message.type === 'value');
    expect(value?.message).toMatchObject({
      save: 1,
      value: { tensor: { dtype: 'float32', dims: [1, 12, 128] } },
    });
    server.child.kill('SIGTERM');
    expect(await client.closed).toMatchObject({ code: 1001 });
    expect((await server.exit).code).toBe(0);
  });

  it('a host that is killed in the middle of a run is replaced', async () => {
    const { server, client, host } = await heldUp();
    process.kill(host, 'SIGKILL');
    await client.next('access_error');
    expect((await client.nextStatus('failed')).errors).toMatchObject([{ code: 'host_lost' }]);
    client.send(run('b'));
    expect((await client.end('b')).state).toBe('completed');
    expect(hostsOf(server)).toHaveLength(2);
    server.child.kill('SIGTERM');
    await server.exit;
  });

  it('tells Prometheus what it did, and probes how it is', async () => {
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
    const metricsPort = (free.address() as AddressInfo).port;
    free.close();
    const server = await serving('--metrics-port', String(metricsPort));
    const client = await connect(server.url);
    client.send(run('a'));
    await client.end('a');
    const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    expect(metrics).toContain('tracewire_runs_total{model="tiny-gpt2",state="completed"} 1');
    expect(metrics).toMatch(/tracewire_modules_run_total\{model="tiny-gpt2"\} [1-9]/);
    expect(metrics).toMatch(/tracewire_host_bytes\{model="tiny-gpt2"\} [1-9]/);
    expect(metrics).toContain('tracewire_connections 1');
    const http = server.url.replace('ws:', 'http:');
    const get = async (path: string) => {
      const response = await fetch(http + path);
      return [response.status, await response.json()];
    };
    expect(await get('/v2/health/ready')).toEqual([200, { ready: true }]);
    expect(await get('/v2/models')).toEqual([200, { models: [{ name: 'tiny-gpt2', ready: true }] }]);
    expect(await get('/v2/models/tiny-gpt2')).toMatchObject([
      200,
      {
        platform: 'onnxruntime_onnx',
        inputs: expect.arrayContaining([{ name: 'input_ids', datatype: 'INT64', shape: [-1, -1] }]),
        outputs: expect.arrayContaining([expect.objectContaining({ name: 'logits', datatype: 'FP32' })]),
      },
    ]);
    expect(await get('/v2/models/tiny-gpt3')).toMatchObject([404, { nearest: 'tiny-gpt2' }]);
    server.child.kill('SIGTERM');
    await server.exit;
  });

  it('lets a run end before it does, takes no new one, and a second signal ends it at once', async () => {
    const { server, client, host } = await heldUp();
    server.child.kill('SIGTERM');
    while (!server.output.stderr.includes('stopping')) await sleep(5);
    const ready = await fetch(`${server.url.replace('ws:', 'http:')}/v2/health/ready`);
    expect(ready.status).toBe(503);
    client.send(run('b'));
    const refused = await client.next('error');
    expect(refused).toMatchObject({ run: 'b', errors: [{ code: 'shutting_down' }] });
    process.kill(host, 'SIGCONT');
    expect((await client.end('a')).state).toBe('completed');
    expect(await client.closed).toMatchObject({ code: 1001 });
    expect((await server.exit).code).toBe(0);
    const { server: other, host: stopped } = await heldUp();
    other.child.kill('SIGTERM');
    while (!other.output.stderr.includes('stopping')) await sleep(5);
    other.child.kill('SIGTERM');
    expect((await other.exit).code).toBe(143);
    // A process that is stopped can't see that its gateway is gone.
    process.kill(stopped, 'SIGKILL');
  });

  it('keeps two models in the memory of one', async () => {
    const server = await serving('-m', `a=${EMBEDDED}`, '-m', `b=${EMBEDDED}`, '--memory', '8MiB');
    const client = await connect(server.url);
    for (const [index, model] of ['a', 'b', 'a'].entries()) {
      client.send({ ...run(`${index}`), model });
      expect((await client.end(`${index}`)).state).toBe('completed');
      const { models } = await (await fetch(`${server.url.replace('ws:', 'http:')}/v2/models`)).json();
      expect(models.filter(({ ready }: { ready: boolean }) => ready)).toEqual([{ name: model, ready: true }]);
    }
    server.child.kill('SIGTERM');
    await server.exit;
  });

  it('says from its cache what a model is, and asks a host where nothing sound is there', {
    timeout: 240_000,
  }, async () => {
    const model = join(folder, 'described');
    cpSync(EMBEDDED, model, { recursive: true });
    const cache = join(folder, 'described-cache');
    /** What a server that has no room for the model says of it, and how many hosts it took. */
    const described = async () => {
      const args = ['-m', model, '--memory', '1KiB', '--cache', cache, '--log-level', 'debug'];
      const server = await serving(...args);
      const client = await connect(server.url);
      client.send({ type: 'describe', request: 1, model: 'described' });
      const { description } = await client.next('description');
      const hosts = hostsOf(server).length;
      client.send({ ...run('a'), model: 'described' });
      expect((await client.end('a')).state).toBe('completed');
      expect(hostsOf(server)).toHaveLength(hosts + 1);
      server.child.kill('SIGTERM');
      await server.exit;
      return { description, hosts };
    };
    const asked = await described();
    expect(asked.hosts).toBe(1);
    expect(asked.description.modules.length).toBeGreaterThan(10);
    expect(await described()).toEqual({ ...asked, hosts: 0 });
    const [kept = ''] = readdirSync(cache, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('description-cpu.json'),
    );
    truncateSync(join(cache, kept), 1000);
    expect(await described()).toEqual(asked);
  });

  it('ends in order on Ctrl-C, which reaches its hosts too', async () => {
    const server = await serving('--log-level', 'debug');
    process.kill(-(server.child.pid ?? 0), 'SIGINT');
    const { code, stderr } = await server.exit;
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('host lost')]);
    for (const pid of hostsOf(server)) expect(() => process.kill(pid, 0)).toThrow();
  });

  it('ends with 0 when it is stopped while it loads', async () => {
    const server = start('serve', '--port', '0', '--cache', join(folder, 'unused'));
    while (!server.output.stderr.includes('loading')) await sleep(5);
    server.child.kill('SIGINT');
    expect(await server.exit).toMatchObject({ code: 0, stdout: '' });
  });

  it.each([
    ['no model.onnx', 'model.onnx', 'model_not_found', (file: string) => rmSync(file)],
    [
      'a truncated model.onnx',
      'model.onnx',
      'model_invalid',
      (file: string) => truncateSync(file, 1_000_000),
    ],
    [
      'a broken tokenizer.json',
      'tokenizer.json',
      'model_invalid',
      (file: string) => truncateSync(file, 1000),
    ],
  ])('does not start half: a folder with %s', async (name, file, code, spoil) => {
    const model = join(folder, name.replaceAll(' ', '-'));
    cpSync(EMBEDDED, model, { recursive: true });
    spoil(join(model, file));
    const args = ['--port', '0', '--cache', join(folder, 'cache'), '-m', 'tiny-gpt2', '-m', model];
    const { code: exit, stdout, stderr } = await start('serve', ...args).exit;
    expect(stderr).toMatch(new RegExp(`^tracewire: ${code}: .*${file.replace('.', '\\.')}`, 'm'));
    expect([exit, stdout]).toEqual([1, '']);
  });

  it('logs neither prompts nor values', async () => {
    const server = await serving('--log-level', 'debug');
    const client = await connect(server.url);
    client.send(run('a'));
    client.send({ ...run('b'), model: 'Eiffel' });
    client.send({ type: 'tokenize', request: 1, model: 'tiny-gpt2', text: 'The Eiffel Tower' });
    while (!client.received.some(({ message }) => message.type === 'tokens')) await sleep(5);
    server.child.kill('SIGTERM');
    const { stderr } = await server.exit;
    expect(stderr).toContain('run received');
    expect(stderr).not.toContain('Eiffel');
  });
});
