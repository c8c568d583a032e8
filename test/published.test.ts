/**
 * The packages as npm would publish them: packed, looked at by publint and are-the-types-wrong, and installed into an
 * empty folder, where TypeScript takes their types and a program uses them with nothing of this repository around it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { checkPackage, createPackageFromTarballData, type Package } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from './support/server.ts';

const NAMES = ['@tracewire/protocol', '@tracewire/client', 'tracewire'] as const;
const PROMPT = 'The Eiffel Tower is in the city of';

/** Sets `tensor` and `late` by the tutorial's trace. */
const USE = `
import { LanguageModel, type Saved, Tensor, type SavedValue } from '@tracewire/client';

const url = process.argv[2];
const model = new LanguageModel('tiny-gpt2', url ? { url } : { remote: false });
const { hidden, late }: { hidden: Saved<SavedValue>; late: Saved<SavedValue> } = await model.trace('${PROMPT}', (m) => {
  const late = m.transformer.h[1].output.save();
  const hidden = m.transformer.h[0].output[0].save();
  m.transformer.h[0].output.stop();
  return { hidden, late };
});
if (!(hidden.value instanceof Tensor)) throw new Error('no tensor');
const dims: readonly number[] = hidden.value.dims;
console.log(dims.join('x'), late.error?.code);
await model.close();
`;

const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-published-'));
const consumer = path.join(folder, 'consumer');
const tarballs = new Map<string, Buffer>();
const packed = new Map<string, Package>();

beforeAll(() => {
  const workspaces = ['protocol', 'client', 'server'].flatMap((name) => ['-w', name]);
  npm(ROOT, 'pack', ...workspaces, '--pack-destination', folder);
  for (const name of NAMES) {
    const bytes = readFileSync(fileOf(name));
    tarballs.set(name, bytes);
    packed.set(name, createPackageFromTarballData(new Uint8Array(bytes)));
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(NAMES)('%s', (name) => {
  it('has nothing that publint would change', async () => {
    const bytes = tarballs.get(name) ?? Buffer.alloc(0);
    const tarball = new Uint8Array(bytes).buffer;
    const { messages, pkg } = await publint({ pack: { tarball }, level: 'suggestion', strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  it('has types wherever an ES module can be imported', async () => {
    const result = await checkPackage(theirs(name));
    expect(result.types).toEqual({ kind: 'included' });
    // An ES module is no CommonJS, and what came before Node 16 reads no `exports`.
    const expected = ['CJSResolvesToESM', 'NoResolution:node10'];
    const problems = result.types === false ? [] : result.problems;
    const found = problems.map((problem) =>
      problem.kind === 'NoResolution' ? `NoResolution:${problem.resolutionKind}` : problem.kind,
    );
    expect(found.filter((problem) => !expected.includes(problem))).toEqual([]);
  });

  it('has a licence, a page, no tests, and a source for each map', () => {
    const files = filesOf(name);
    expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json']));
    expect(files.filter((file) => /\.test\.|\/testing\/|tsbuildinfo/.test(file))).toEqual([]);
    const maps = files.filter((file) => file.endsWith('.map'));
    expect(maps.length).toBeGreaterThan(10);
    const missing = maps.flatMap((file) => {
      const { sources } = JSON.parse(read(name, file)) as { readonly sources: readonly string[] };
      return sources.map((source) => path.posix.join(path.posix.dirname(file), source));
    });
    const stale = 'In `dist` are leftovers of files that are gone. Run `npm run clean`.';
    expect(
      missing.filter((source) => !files.includes(source)),
      stale,
    ).toEqual([]);
  });

  it('names in its types only packages that it depends on', () => {
    const { dependencies } = JSON.parse(read(name, 'package.json')) as {
      readonly dependencies: Readonly<Record<string, string>>;
    };
    const named = filesOf(name)
      .filter((file) => file.endsWith('.d.ts'))
      .flatMap((file) =>
        [...read(name, file).matchAll(/(?:from|import\() ?['"]([^.#'"][^'"]*)['"]/g)].map(([, from = '']) =>
          from.startsWith('@') ? from.split('/').slice(0, 2).join('/') : from.replace(/\/.*/, ''),
        ),
      );
    const outside = [...new Set(named)].filter((from) => !from.startsWith('node:') && from !== name);
    // The engine in one's own process is an optional peer.
    expect(outside.filter((from) => !(from in dependencies) && from !== 'tracewire')).toEqual([]);
  });
});

describe('in an empty folder', () => {
  beforeAll(() => {
    mkdirSync(consumer);
    writeFileSync(path.join(consumer, 'package.json'), '{ "type": "module", "private": true }\n');
    npm(consumer, 'install', '--prefer-offline', '--no-audit', '--no-fund', ...NAMES.map(fileOf));
    writeFileSync(path.join(consumer, 'use.ts'), `declare const process: { argv: string[] };${USE}`);
  }, 240_000);

  const KINDS = [
    { moduleResolution: 'node16', module: 'node16' },
    { moduleResolution: 'bundler', module: 'esnext' },
  ];
  it.each(KINDS)(
    'TypeScript takes the types, libraries checked too: $moduleResolution',
    (kind) => {
      const settings = { strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false };
      const compilerOptions = { ...kind, ...settings, target: 'es2022', lib: ['es2022', 'dom'], types: [] };
      writeFileSync(
        path.join(consumer, 'tsconfig.json'),
        JSON.stringify({ compilerOptions: { ...compilerOptions, outDir: '.' }, files: ['use.ts'] }),
      );
      const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
      expect(run(consumer, process.execPath, tsc, '-p', '.')).toBe('');
    },
    60_000,
  );

  it('a program runs a trace in its own process', () => {
    expect(run(consumer, process.execPath, 'use.js').trim()).toBe('1x12x128 not_reached');
  }, 60_000);

  it('a program runs a trace on the server that was installed', async () => {
    const bin = path.join(consumer, 'node_modules/.bin/tracewire');
    const server = spawn(bin, ['serve', '--port', '0', '--log-level', 'warn'], {
      cwd: consumer,
      env: { ...process.env, XDG_CACHE_HOME: path.join(folder, 'cache') },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      let url: string | undefined;
      for await (const line of createInterface(server.stdout)) {
        url = /ws:\/\/\S+/.exec(line)?.[0];
        if (url) break;
      }
      if (!url) throw new Error('The server ended before it listened.');
      expect(run(consumer, process.execPath, 'use.js', url).trim()).toBe('1x12x128 not_reached');
    } finally {
      server.kill('SIGTERM');
    }
  }, 60_000);
});

function fileOf(name: string): string {
  const { version } = JSON.parse(
    readFileSync(path.join(ROOT, 'node_modules', name, 'package.json'), 'utf8'),
  ) as { readonly version: string };
  return path.join(folder, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
}

function theirs(name: string): Package {
  const found = packed.get(name);
  if (!found) throw new Error(`${name} was not packed.`);
  return found;
}

/** Paths from the package's root. */
function filesOf(name: string): string[] {
  return theirs(name)
    .listFiles()
    .map((file) => file.replace(`/node_modules/${name}/`, ''));
}

function read(name: string, file: string): string {
  return theirs(name).readFile(`/node_modules/${name}/${file}`);
}

function npm(cwd: string, ...args: readonly string[]): void {
  run(cwd, 'npm', ...args);
}

/** What the program printed; throws with all of it where it failed. */
function run(cwd: string, program: string, ...args: readonly string[]): string {
  // ONNX Runtime's CUDA libraries would come from outside the npm registry.
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' };
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}
