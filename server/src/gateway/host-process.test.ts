import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { transportPair } from '@tracewire/protocol';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Gateway } from './gateway.ts';
import { HostLink } from './host-link.ts';
import { startHostProcess } from './host-process.ts';
import { type Log, SILENT } from './log.ts';
import { ServedModel } from './served-model.ts';
import { TestClient } from './testing/test-client.ts';

const main = fileURLToPath(new URL('./testing/fixture-host.mjs', import.meta.url));
const config = {
  name: 'fixture',
  folder: '/',
  cache: '/',
  provider: 'cpu',
  threads: 0,
  chunkBytes: 1024,
  savedBytes: 1024,
  intermediateBytes: 1024,
} as const;

let closing: { close(): void }[] = [];
afterEach(() => {
  for (const one of closing) one.close();
  closing = [];
});

async function link(log: Log = SILENT) {
  const lost: string[] = [];
  const handle = await startHostProcess({ model: 'fixture', log, main });
  const host = new HostLink(handle, {
    model: 'fixture',
    loading() {},
    lost: (error) => lost.push(error.message),
  });
  closing.push(host);
  await host.load(config);
  return { host, lost };
}

/** An ended process that nobody has reaped yet is not alive. */
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
};

async function untilDead(pid: number): Promise<void> {
  while (isAlive(pid)) await sleep(10);
}

describe('a host process', () => {
  it('is a process of its own, ends with its link, and leaves no socket behind', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tracewire-test-'));
    vi.stubEnv('TMPDIR', folder);
    const { host } = await link();
    vi.unstubAllEnvs();
    const [pid] = (await host.tokenize('x')).ids;
    expect(pid).not.toBe(process.pid);
    expect(readdirSync(folder)).toEqual([]);
    rmdirSync(folder);
    host.close();
    await untilDead(pid as number);
  });

  it('that ends says how: requests are rejected with it', async () => {
    const { host, lost } = await link();
    await expect(host.tokenize('crash')).rejects.toMatchObject({
      code: 'host_lost',
      message: 'The process that held fixture was lost: it ended with exit code 7.',
    });
    expect(lost).toHaveLength(1);
    await expect(host.tokenize('x')).rejects.toMatchObject({ code: 'host_lost' });
  });

  it('has its output in the log', async () => {
    const lines: string[] = [];
    const { host } = await link({ ...SILENT, warn: (_, line) => lines.push(line) });
    await host.tokenize('echo hello');
    while (lines.length < 2) await sleep(5);
    expect(lines.sort()).toEqual(['host: echo hello err', 'host: echo hello out']);
  });

  it.skipIf(process.platform !== 'linux')(
    'that takes too much memory is ended, and that is said',
    async () => {
      const lost: string[] = [];
      const handle = await startHostProcess({
        model: 'fixture',
        log: SILENT,
        main,
        memoryBytes: 300 * 1024 * 1024,
      });
      const host = new HostLink(handle, {
        model: 'fixture',
        loading() {},
        lost: ({ message }) => lost.push(message),
      });
      closing.push(host);
      await host.load(config);
      await expect(host.tokenize('grow')).rejects.toMatchObject({
        code: 'host_lost',
        message: expect.stringMatching(/it took \d+ bytes of memory, and 314572800 are allowed/),
      });
    },
  );

  it('that never connects is ended', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tracewire-test-'));
    const program = join(folder, 'silent.mjs');
    writeFileSync(program, 'setInterval(() => {}, 1000);');
    const start = startHostProcess({ model: 'fixture', log: SILENT, main: program, connectMs: 500 });
    await expect(start).rejects.toMatchObject({
      code: 'host_lost',
      message: 'No host: it did not connect within 500 ms.',
    });
    rmSync(folder, { recursive: true });
  });

  it.skipIf(process.platform === 'win32')(
    'that was killed is lost, though another process holds its end of the socket',
    async () => {
      const { host, lost } = await link();
      const [pid = 0, other = 0] = (await host.tokenize('lend')).ids;
      process.kill(pid, 'SIGKILL');
      await expect(host.tokenize('x')).rejects.toMatchObject({ code: 'host_lost' });
      expect(lost).toEqual([expect.stringContaining('SIGKILL')]);
      expect(isAlive(other)).toBe(true);
      process.kill(other, 'SIGKILL');
    },
  );

  it('that can’t start is reported, not waited for', async () => {
    const missing = startHostProcess({ model: 'fixture', log: SILENT, main: `${main}.gone` });
    await expect(missing).rejects.toMatchObject({
      code: 'host_lost',
      message: expect.stringContaining('exit code 1'),
    });
  });
});

it('killed in the middle of a run: the run fails as host_lost, the next one gets a new process', async () => {
  const start = () => startHostProcess({ model: 'fixture', log: SILENT, main });
  const model = new ServedModel({ config, start, log: SILENT, waitFactor: 0.01 });
  await model.load();
  const gateway = new Gateway({ models: [model], log: SILENT, version: '0' });
  closing.push(gateway);
  const [end, server] = transportPair();
  gateway.serve(server);
  const client = new TestClient(end);
  await client.hello();
  const [pid] = (await model.tokenize('x')).ids;
  const graph = {
    invokes: [{ input: { ids: [1] } }],
    nodes: [
      { kind: 'read', place: { module: 'h', port: 'output' } },
      { kind: 'save', value: 0 },
    ],
  } as const;
  const run = (id: string) =>
    client.send({
      type: 'run',
      run: id,
      model: 'fixture',
      graph: { ...graph, nodes: [...graph.nodes], invokes: [...graph.invokes] },
    });
  run('a');
  await client.nextStatus('received');
  await client.nextStatus('running');
  process.kill(pid as number, 'SIGKILL');
  expect(await client.next('access_error')).toMatchObject({
    error: { code: 'failed', cause: { code: 'host_lost' } },
  });
  expect(await client.nextStatus('failed')).toMatchObject({
    errors: [{ code: 'host_lost', message: expect.stringContaining('SIGKILL'), retryAfterMs: 1000 }],
  });
  run('b');
  await client.nextStatus('received');
  await client.nextStatus('queued');
  await client.nextStatus('running');
  client.send({ type: 'cancel', run: 'b' });
  await client.next('access_error');
  await client.nextStatus('cancelled');
  const [next] = (await model.tokenize('x')).ids;
  expect(next).not.toBe(pid);
});

it('an orphan ends: a host whose gateway was killed does not stay', async () => {
  const built = new URL('../../dist/gateway/host-process.js', import.meta.url).href;
  const code = `
    const { startHostProcess } = await import(${JSON.stringify(built)});
    const { HostLink } = await import(${JSON.stringify(built.replace('host-process', 'host-link'))});
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const handle = await startHostProcess({ model: 'x', log, main: ${JSON.stringify(main)} });
    const link = new HostLink(handle, { model: 'x', loading() {}, lost() {} });
    await link.load(${JSON.stringify(config)});
    console.log((await link.tokenize('x')).ids[0]);`;
  const gateway = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [chunk] = await once(gateway.stdout, 'data');
  const pid = Number(String(chunk));
  expect(isAlive(pid)).toBe(true);
  gateway.kill('SIGKILL');
  await untilDead(pid);
});
