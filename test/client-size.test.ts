/** How much of the client a page loads before its first trace, and that what writes traces comes later. */
import path from 'node:path';
import { build, type Rollup } from 'vite';
import { beforeAll, expect, it } from 'vitest';
import { bundleClient, type ClientBundle, gzipOf } from './support/client-bundle.ts';
import { ROOT } from './support/server.ts';

/** Sources that only a written trace needs. */
const WRITING =
  /protocol\/dist\/(check|shapes\/|operators|functions\/|canonical|model-index)|client\/dist\/(recorder|placeholder|writing)\.js/;
const CORE_BYTES = 60_000;
const LATER_BYTES = 53_000;

let bundle: ClientBundle;
beforeAll(async () => {
  bundle = await bundleClient();
});

it('the core and what comes later stay within their sizes', () => {
  expect(gzipOf(bundle.core)).toBeLessThan(CORE_BYTES);
  expect(gzipOf(bundle.later)).toBeLessThan(LATER_BYTES);
});

it('esbuild leaves what writes traces out of the core', () => {
  const sourcesOf = (files: ClientBundle['core']) => files.flatMap(({ sources }) => [...sources.keys()]);
  expect(sourcesOf(bundle.core).filter((source) => WRITING.test(source))).toEqual([]);
  expect(sourcesOf(bundle.later).filter((source) => WRITING.test(source)).length).toBeGreaterThan(20);
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
  const writing = chunks.filter(({ moduleIds }) => moduleIds.some((id) => WRITING.test(id)));
  expect(writing.length).toBeGreaterThan(0);
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
  const core = new Set<string>();
  const include = (name: string): void => {
    if (core.has(name)) return;
    core.add(name);
    byName.get(name)?.imports.forEach(include);
  };
  for (const { fileName } of chunks.filter(({ isEntry }) => isEntry)) include(fileName);
  expect(writing.filter(({ fileName }) => core.has(fileName)).map(({ fileName }) => fileName)).toEqual([]);
});
