/** How much of the client a page loads first, and how much a first trace needs in all: the rest comes when it is used. */
import path from 'node:path';
import { build, type Rollup } from 'vite';
import { beforeAll, expect, it } from 'vitest';
import { type BundledFile, bundleClient, type ClientBundle, gzipOf } from './support/client-bundle.ts';
import { ROOT } from './support/server.ts';

/** Sources that only a written trace needs. */
const WRITING =
  /protocol\/dist\/(check|shapes\/|operators|functions\/|canonical|model-index)|client\/dist\/(recorder|placeholder|writing)\.js/;
/** Sources that only a connection needs. */
const CONNECTING =
  /node_modules\/(msgpackr|zod)\/|protocol\/dist\/(codec|messages|frame|graph)\.js|client\/dist\/(connect|conversation|runs?|websocket)[^/]*\.js/;
const CORE_BYTES = 22_000;
const CONNECTING_BYTES = 40_000;
const IN_ALL_BYTES = 114_000;

let bundle: ClientBundle;
beforeAll(async () => {
  bundle = await bundleClient();
});

const sourcesOf = (files: readonly BundledFile[]) => files.flatMap(({ sources }) => [...sources.keys()]);

it('what comes first, and all that a first trace needs, stay within their sizes', () => {
  const { core, connecting, writing } = bundle;
  expect(gzipOf(core)).toBeLessThan(CORE_BYTES);
  expect(gzipOf(connecting)).toBeLessThan(CONNECTING_BYTES);
  expect(gzipOf([...core, ...connecting, ...writing])).toBeLessThan(IN_ALL_BYTES);
});

it('esbuild leaves what connects, and what writes traces, out of the core', () => {
  const { core, connecting, writing } = bundle;
  expect(sourcesOf(core).filter((source) => WRITING.test(source) || CONNECTING.test(source))).toEqual([]);
  expect(sourcesOf(connecting).filter((source) => WRITING.test(source))).toEqual([]);
  expect(sourcesOf(connecting).filter((source) => CONNECTING.test(source)).length).toBeGreaterThan(10);
  expect(sourcesOf(writing).filter((source) => WRITING.test(source)).length).toBeGreaterThan(20);
});

it('so does Vite', { timeout: 60_000 }, async () => {
  const built = (await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      lib: { entry: path.join(ROOT, 'client/dist/index.js'), formats: ['es'], fileName: 'index' },
      rollupOptions: { external: [/^tracewire/] },
    },
  })) as Rollup.RollupOutput[];
  const chunks = built.flatMap(({ output }) => output.filter((file) => file.type === 'chunk'));
  const chunksOf = (pattern: RegExp) =>
    chunks.filter(({ moduleIds }) => moduleIds.some((id) => pattern.test(id)));
  expect(chunksOf(WRITING).length).toBeGreaterThan(0);
  expect(chunksOf(CONNECTING).length).toBeGreaterThan(0);
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
  const core = new Set<string>();
  const include = (name: string): void => {
    if (core.has(name)) return;
    core.add(name);
    byName.get(name)?.imports.forEach(include);
  };
  for (const { fileName } of chunks.filter(({ isEntry }) => isEntry)) include(fileName);
  const late = [...chunksOf(WRITING), ...chunksOf(CONNECTING)].map(({ fileName }) => fileName);
  expect(late.filter((name) => core.has(name))).toEqual([]);
});
