/**
 * How large the client is in a browser, bundled as an application would, and what makes it up. `npm run size`.
 * A part's compressed size is its share of the whole by its minified bytes.
 */

import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** The first that matches a file is its part. @type {readonly (readonly [string, RegExp])[]} */
const PARTS = [
  ['msgpackr', /node_modules\/msgpackr\//],
  ['zod', /node_modules\/zod\//],
  ['other packages', /node_modules\/(?!@tracewire)/],
  ['rules of dims', /protocol\/dist\/shapes\//],
  ['table of operators', /protocol\/dist\/operators/],
  ['static checks', /protocol\/dist\/check/],
  ['function files', /protocol\/dist\/functions\//],
  ['the rest of the protocol', /protocol\/dist\//],
  ['client', /client\/dist\//],
];

const { outputFiles, metafile } = await build({
  entryPoints: [fileURLToPath(new URL('../../client/dist/index.js', import.meta.url))],
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  external: ['tracewire/*'],
  metafile: true,
  write: false,
});
const bundle = outputFiles[0]?.contents ?? new Uint8Array();
const compressed = gzipSync(bundle, { level: 9 }).length;
const sizes = new Map(PARTS.map(([name]) => [name, 0]));
for (const [file, { bytesInOutput }] of Object.entries(Object.values(metafile.outputs)[0]?.inputs ?? {})) {
  const [name = 'client'] = PARTS.find(([, pattern]) => pattern.test(file)) ?? [];
  sizes.set(name, (sizes.get(name) ?? 0) + bytesInOutput);
}
const kilobytes = (/** @type {number} */ bytes) => (bytes / 1000).toFixed(1).padStart(7);
const total = [...sizes.values()].reduce((a, b) => a + b, 0);
console.log('   kB minified   compressed');
for (const [name, bytes] of [...sizes].sort(([, a], [, b]) => b - a)) {
  console.log(`${kilobytes(bytes)} ${kilobytes((bytes / total) * compressed)}  ${name}`);
}
console.log(`${kilobytes(bundle.length)} ${kilobytes(compressed)}  in all`);
