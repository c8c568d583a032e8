/** `tracewire pull` against a stand-in for the hub: the built program in a process of its own. */
import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TINY_GPT2 } from '../../../test/support/server.ts';
import { StandInHub } from './testing/stand-in-hub.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

let folder: string;
let hub: StandInHub;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tracewire-pull-'));
  hub = await StandInHub.start(TINY_GPT2);
});
afterEach(() => {
  hub.close();
  rmSync(folder, { recursive: true });
});

const target = (): string => join(folder, 'tracewire/models/owner/model');

async function cli(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { ...process.env, XDG_CACHE_HOME: folder, HF_ENDPOINT: hub.address, HF_TOKEN: '', ...env },
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => {
    output.stdout += text;
  });
  child.stderr.on('data', (text) => {
    output.stderr += text;
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, ...output };
}
const pull = (...args: readonly string[]) => cli(['pull', 'owner/model', ...args]);

it('fetches what a model needs, once, and the model can be used by its name without a network', async () => {
  const { code, stdout } = await pull('--json');
  const pulled = JSON.parse(stdout);
  expect([code, pulled]).toEqual([
    0,
    expect.objectContaining({
      repository: 'owner/model',
      revision: hub.commit,
      fetched: true,
      folder: target(),
    }),
  ]);
  const names = readdirSync(target()).sort();
  expect(names).toEqual([...pulled.files.map(({ name }: { name: string }) => name), 'pulled.json'].sort());
  for (const name of names.filter((name) => name !== 'pulled.json')) {
    expect(readFileSync(join(target(), name)).equals(readFileSync(join(TINY_GPT2, name))), name).toBe(true);
  }
  hub.close();
  expect((await pull()).stdout).toMatch(
    /already in .*owner\/model\nServe it with: tracewire serve owner\/model\n/,
  );
  expect((await cli(['models'])).stdout).toContain(`owner/model  ${target()}`);
  expect((await cli(['tree', 'owner/model'])).stdout).toMatch(/^model: GPT2LMHeadModel/);
});

it('goes on after a broken connection, and in a later call, with what it has', async () => {
  const size = statSync(join(TINY_GPT2, 'model.onnx')).size;
  const onDisk = async (bytes: number): Promise<void> => {
    const file = join(`${target()}.partial`, 'model.onnx');
    while ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) < bytes) await sleep(5);
  };
  hub.breaks = { after: 20_000, times: 2, until: onDisk };
  expect((await pull()).code).toBe(0);
  expect(hub.requests.map(({ range }) => range).filter(Boolean)).toEqual(['bytes=20000-', 'bytes=40000-']);
  rmSync(target(), { recursive: true });

  hub.breaks = { after: 0, times: 100 };
  mkdirSync(`${target()}.partial`, { recursive: true });
  writeFileSync(join(`${target()}.partial`, `.${hub.commit}`), '');
  writeFileSync(
    join(`${target()}.partial`, 'model.onnx'),
    readFileSync(join(TINY_GPT2, 'model.onnx')).subarray(0, 50_000),
  );
  const { code, stderr } = await pull();
  expect([code, existsSync(target())]).toEqual([1, false]);
  expect(stderr).toContain(
    `connection_lost: The connection broke again and again at 50000 of ${size} bytes of model.onnx`,
  );
  hub.breaks = { after: 0, times: 0 };
  hub.requests.length = 0;
  expect((await pull()).code).toBe(0);
  expect(hub.requests.find(({ url }) => url.endsWith('model.onnx'))?.range).toBe('bytes=50000-');
  expect(readFileSync(join(target(), 'model.onnx')).equals(readFileSync(join(TINY_GPT2, 'model.onnx')))).toBe(
    true,
  );
});

it('begins a file anew where the hub gives no ranges', async () => {
  hub.ranges = false;
  hub.breaks = { after: 20_000, times: 1 };
  expect((await pull()).code).toBe(0);
  expect(readFileSync(join(target(), 'model.onnx')).equals(readFileSync(join(TINY_GPT2, 'model.onnx')))).toBe(
    true,
  );
});

it('installs nothing that has other bytes than the hub says', async () => {
  hub.alters = true;
  const { code, stderr } = await pull();
  expect([code, existsSync(target())]).toEqual([1, false]);
  expect(stderr).toMatch(/blob_mismatch: model\.onnx came with other bytes/);
  hub.alters = false;
  expect((await pull()).code).toBe(0);
});

it.each([
  [
    'a name that doesn’t exist',
    ['pull', 'owner/modell'],
    1,
    /model_not_found: .* has no model owner\/modell .*HF_TOKEN/,
  ],
  [
    'a revision that doesn’t exist',
    ['pull', 'owner/model', '--revision', 'maim'],
    1,
    /model_not_found: .* with maim/,
  ],
  [
    'a file that isn’t there',
    ['pull', 'owner/model', '--onnx', 'modle.onnx'],
    1,
    /Did you mean model\.onnx\?/,
  ],
  ['no name of the hub’s', ['pull', '../../etc'], 2, /OWNER\/NAME/],
  [
    'a hub that isn’t there',
    ['pull', 'owner/model', '--hub', 'http://127.0.0.1:9'],
    1,
    /unreachable: .*--hub/,
  ],
  ['an address that is none', ['pull', 'owner/model', '--hub', 'hub'], 2, /https:\/\/huggingface\.co/],
])('refuses %s, and leaves nothing', async (_, args, exit, message) => {
  const { code, stderr } = await cli(args);
  expect([code, stderr]).toEqual([exit, expect.stringMatching(message)]);
  expect(existsSync(target())).toBe(false);
});

it('keeps the model that is there until another is whole, and asks only when told to', async () => {
  await pull();
  const before = readFileSync(join(target(), 'pulled.json'), 'utf8');
  hub.commit = 'd00d'.padEnd(40, '0');
  hub.requests.length = 0;
  await pull();
  expect(hub.requests).toEqual([]);
  hub.alters = true;
  expect((await pull('--update')).code).toBe(1);
  expect(readFileSync(join(target(), 'pulled.json'), 'utf8')).toBe(before);
  hub.alters = false;
  expect((await pull('--update')).code).toBe(0);
  expect(readFileSync(join(target(), 'pulled.json'), 'utf8')).toContain(hub.commit);
});

it('never writes over a folder that it didn’t make', async () => {
  cpSync(TINY_GPT2, join(folder, 'mine'), { recursive: true });
  const { code, stderr } = await pull('--out', 'mine');
  expect([code, stderr]).toEqual([2, expect.stringContaining('was not pulled')]);
});

it('takes the model of a folder of the repository with its own weights, and leaves others', async () => {
  hub.close();
  hub = await StandInHub.start(TINY_GPT2, {
    'onnx/model_fp16.onnx': Buffer.from('graph'),
    'onnx/model_fp16.onnx_data': Buffer.from('weights'),
    'onnx/model_q4.onnx': Buffer.from('other'),
    '../outside.json': Buffer.from('{}'),
  });
  expect((await pull('--onnx', 'onnx/model_fp16.onnx', '--out', 'half')).code).toBe(0);
  const names = readdirSync(join(folder, 'half'));
  expect(names).toEqual(
    expect.arrayContaining(['model.onnx', 'model_fp16.onnx_data', 'config.json', 'tokenizer.json']),
  );
  expect(readFileSync(join(folder, 'half', 'model.onnx'), 'utf8')).toBe('graph');
  expect(hub.fetched).not.toContain('onnx/model_q4.onnx');
  expect(existsSync(join(folder, 'outside.json'))).toBe(false);
});

it('sends a token to the hub, where there is one', async () => {
  await cli(['pull', 'owner/model'], { HF_TOKEN: 'hf_secret' });
  expect(new Set(hub.requests.map(({ authorization }) => authorization))).toEqual(
    new Set(['Bearer hf_secret']),
  );
});

const hasTerminal = spawnSync('script', ['--version']).status === 0;

it.runIf(hasTerminal)('shows at a terminal how much of what has come, and takes the line away', async () => {
  const command = [process.execPath, MAIN, 'pull', 'owner/model'].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    cwd: folder,
    env: { ...process.env, XDG_CACHE_HOME: folder, HF_ENDPOINT: hub.address, HF_TOKEN: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let shown = '';
  child.stdout.on('data', (text) => {
    shown += text;
  });
  expect(await new Promise<number | null>((resolve) => child.once('close', resolve))).toBe(0);
  const lines = shown.split('\r\u001b[K');
  expect(lines[1]).toMatch(/^\d+\.\d of \d+\.\d MB {2}\S+$/);
  expect(lines.at(-1)).toMatch(/^owner\/model: \d+ files, \d+\.\d MB, now in /);
});

/** Whether this user may mount a small file system. */
function mayMount(): boolean {
  const at = mkdtempSync(join(tmpdir(), 'tracewire-mount-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', at]).status === 0;
  if (mounted) spawnSync('umount', [at]);
  rmSync(at, { recursive: true });
  return mounted;
}

it.runIf(mayMount())('with no room for it, says so and takes none', async () => {
  const small = join(folder, 'small');
  mkdirSync(small);
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small]);
  try {
    const { code, stderr } = await pull('--out', join(small, 'model'));
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/There is no room .* bytes are wanted, .* are free.*Nothing was installed/),
    ]);
    expect(existsSync(join(small, 'model'))).toBe(false);
    expect(hub.fetched).toEqual([]);
  } finally {
    spawnSync('umount', [small]);
  }
});
