/** `tracewire doctor` as users meet it: the built program in a process of its own. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { CACHE } from '../engine/testing/models.ts';
import { cudaFault, mustHaveProvider } from './cuda.ts';
import { type Finding, nodeVersion } from './doctor.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tracewire-doctor-'));
afterAll(() => rmSync(folder, { recursive: true }));

const run = (command: string, ...args: string[]) =>
  spawnSync(process.execPath, [MAIN, command, ...args], { cwd: folder, encoding: 'utf8', timeout: 120_000 });

function findings(...args: string[]) {
  const { stdout, status } = run('doctor', '--json', ...args);
  const found = JSON.parse(stdout) as Finding[];
  return { status, of: (what: string) => found.find((one) => one.what === what), found };
}

describe('tracewire doctor', () => {
  it('says what works, and that a model answers', { timeout: 120_000 }, () => {
    const { status, of } = findings('--cache', CACHE, '--port', '0');
    expect(status).toBe(0);
    for (const what of ['tracewire', 'node', 'onnxruntime', 'machine', 'cache', 'port']) {
      expect(of(what)).toMatchObject({ state: 'ok', detail: expect.stringMatching(/./) });
    }
    expect(of('onnxruntime')?.detail).toMatch(/^\d+\.\d+\.\d+, built for cpu/);
    expect(of('results')).toMatchObject({ state: 'missing' });
    expect(of('a trace on cpu')).toMatchObject({
      state: 'ok',
      detail: expect.stringMatching(/^tiny-gpt2 was loaded/),
    });
  });

  it('says what doesn’t: a port that is taken, folders that can’t be written to, a provider that isn’t there', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const { port } = taken.address() as AddressInfo;
    const { status, of, found } = findings('--cache', file, '--port', String(port), '--provider', 'cuda');
    taken.close();
    expect(status).toBe(1);
    expect(of('cache')).toMatchObject({ state: 'fault', detail: expect.stringContaining(file) });
    expect(of('results')).toMatchObject({ state: 'fault' });
    expect(of('port')).toMatchObject({
      state: 'fault',
      detail: expect.stringContaining(`port ${port} of 127.0.0.1`),
    });
    expect(of('cuda')?.state).toBe(cudaFault() === undefined ? 'ok' : 'fault');
    expect(found.some(({ what }) => what.startsWith('a trace'))).toBe(false);
  });

  // Where Node's own way of making folders tries for ever.
  it.runIf(existsSync('/proc/self'))('says that a cache under /proc can’t be, and ends', () => {
    const { status, of, found } = findings('--cache', '/proc/tracewire/cache', '--port', '0');
    expect(status).toBe(1);
    expect(of('cache')).toMatchObject({
      state: 'fault',
      detail: expect.stringContaining('no folder can be made in /proc'),
    });
    expect(found.some(({ what }) => what.startsWith('a trace'))).toBe(false);
    for (const args of [
      ['--port', '0', '--cache', '/proc/tracewire/cache'],
      ['--port', '0', '--cache', folder, '--results', '/proc/tracewire/results'],
    ]) {
      const { status: code, stdout, stderr } = run('serve', ...args);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(
        /^tracewire: bad_configuration: .*\/proc\/tracewire\/.* with --(cache|results)/m,
      );
    }
  });

  it('has a line for each on a terminal, and the options of serve', () => {
    const { stdout, status } = run('doctor', '--cache', join(folder, 'file'), '--port', '0');
    expect(status).toBe(1);
    expect(stdout).toMatch(/^ok {7}node {14}\d/m);
    expect(stdout).toMatch(/^FAULT {4}cache/m);
    expect(run('doctor', '--prot', '1')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--port'),
    });
  });

  it('knows which Node is too old', () => {
    expect(
      ['18.20.0', '20.18.3', '20.19.0', '22.0.0', '26.1.0'].map((one) => nodeVersion(one).state),
    ).toEqual(['fault', 'fault', 'ok', 'ok', 'ok']);
  });
});

describe('--provider cuda', () => {
  const isHere = cudaFault() === undefined;

  it('is refused at once where its library is missing, with what to do', () => {
    expect(cudaFault(folder)).toMatch(/linux x64|libonnxruntime_providers_cuda\.so/);
    expect(() => mustHaveProvider('cpu')).not.toThrow();
    if (isHere) return expect(() => mustHaveProvider('cuda')).not.toThrow();
    const { status, stderr } = run('serve', '--port', '0', '--provider', 'cuda');
    expect(status).toBe(2);
    expect(stderr).toMatch(/bad_configuration: --provider cuda: .* Or serve with --provider cpu\./);
  });
});
