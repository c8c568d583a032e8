/**
 * How large the client is in a browser, bundled as an application would, and what makes it up. `npm run size`.
 * A part's compressed size is its share of its file by its minified bytes.
 */
import { type BundledFile, bundleClient, gzipOf } from '../support/client-bundle.ts';

/** The first that matches a file is its part. */
const PARTS: readonly (readonly [string, RegExp])[] = [
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

const kilobytes = (bytes: number): string => (bytes / 1000).toFixed(1).padStart(7);

function print(title: string, files: readonly BundledFile[]): void {
  const parts = new Map<string, { plain: number; gzip: number }>();
  for (const { contents, gzip, sources } of files) {
    for (const [source, bytes] of sources) {
      const [name = 'client'] = PARTS.find(([, pattern]) => pattern.test(source)) ?? [];
      const { plain, gzip: before } = parts.get(name) ?? { plain: 0, gzip: 0 };
      parts.set(name, { plain: plain + bytes, gzip: before + (bytes / contents.byteLength) * gzip });
    }
  }
  console.log(`${title}\n   kB minified   compressed`);
  for (const [name, { plain, gzip }] of [...parts].sort(([, a], [, b]) => b.plain - a.plain))
    console.log(`${kilobytes(plain)} ${kilobytes(gzip)}  ${name}`);
  const plain = files.reduce((sum, { contents }) => sum + contents.byteLength, 0);
  console.log(`${kilobytes(plain)} ${kilobytes(gzipOf(files))}  in all\n`);
}

const { core, connecting, writing } = await bundleClient();
print('The core, which a page loads first:', core);
print('What the first use of a server brings:', connecting);
print('What the first trace brings besides:', writing);
print('In all, for a page that runs a trace:', [...core, ...connecting, ...writing]);
