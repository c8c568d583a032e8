/** The client as a bundler that splits writes it for a page: minified ES modules. */
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { ROOT } from './server.ts';

export interface BundledFile {
  readonly name: string;
  readonly contents: Uint8Array;
  /** Bytes, compressed as a web server would. */
  readonly gzip: number;
  /** By source file, the minified bytes that it became. */
  readonly sources: ReadonlyMap<string, number>;
}

export interface ClientBundle {
  /** What a page loads first: the entry, `index.js`, and what that imports. */
  readonly core: readonly BundledFile[];
  /** What speaks with a server: `import()` brings it when one is first asked. */
  readonly connecting: readonly BundledFile[];
  /** What writes traces and checks them, which the first trace brings besides. */
  readonly writing: readonly BundledFile[];
}

export async function bundleClient(): Promise<ClientBundle> {
  const { outputFiles, metafile } = await build({
    entryPoints: [path.join(ROOT, 'client/dist/index.js')],
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    metafile: true,
    outdir: ROOT,
    absWorkingDir: ROOT,
    format: 'esm',
    platform: 'browser',
    // The package for local runs is looked for on first use only; a page has none.
    external: ['tracewire'],
  });
  /** A file and what it imports, and those what they import. */
  const withImports = (name: string, found = new Set<string>()): Set<string> => {
    if (found.has(name)) return found;
    found.add(name);
    for (const { kind, path: imported } of metafile.outputs[name]?.imports ?? [])
      if (kind === 'import-statement') withImports(imported, found);
    return found;
  };
  const core = withImports('index.js');
  const entryOf = (source: string): string =>
    Object.keys(metafile.outputs).find((name) => metafile.outputs[name]?.entryPoint === source) ?? source;
  const connecting = withImports(entryOf('client/dist/connecting.js'));
  const files = outputFiles.map(({ path: file, contents }): BundledFile => {
    const name = path.relative(ROOT, file);
    const inputs = Object.entries(metafile.outputs[name]?.inputs ?? {});
    return {
      name,
      contents,
      gzip: gzipSync(contents, { level: 9 }).byteLength,
      sources: new Map(inputs.map(([source, { bytesInOutput }]) => [source, bytesInOutput])),
    };
  });
  return {
    core: files.filter(({ name }) => core.has(name)),
    connecting: files.filter(({ name }) => !core.has(name) && connecting.has(name)),
    writing: files.filter(({ name }) => !core.has(name) && !connecting.has(name)),
  };
}

/** Compressed bytes of files that are loaded apart. */
export function gzipOf(files: readonly BundledFile[]): number {
  return files.reduce((sum, { gzip }) => sum + gzip, 0);
}
