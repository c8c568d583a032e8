/** What the wrong clients stand on: our own client in one file, with a line of its source, or the protocol's, changed. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { build, type Plugin } from 'esbuild';
import { ROOT } from '../../support/server.ts';

export interface WrongClient {
  /** What it does wrong, in a few words. */
  readonly wrong: string;
  /** Cases that must fail. */
  readonly caughtBy: readonly string[];
  /** A source file, such as `client/src/acks.ts`. */
  readonly file: string;
  /** Stands in that file once. */
  readonly from: string;
  readonly to: string;
}

/** Bundles the program of `our-client.ts`, wrong or as it is, for Node. */
export async function bundleClient(outfile: string, wrong?: WrongClient): Promise<void> {
  await build({
    entryPoints: [path.join(ROOT, 'test/conformance/our-client.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    // `remote: false` alone would load it.
    external: ['tracewire'],
    // From the sources, which a patch can be read beside.
    alias: {
      '@tracewire/client': path.join(ROOT, 'client/src/index.ts'),
      '@tracewire/protocol/core': path.join(ROOT, 'protocol/src/core.ts'),
      '@tracewire/protocol/wire': path.join(ROOT, 'protocol/src/wire.ts'),
      '@tracewire/protocol': path.join(ROOT, 'protocol/src/index.ts'),
    },
    plugins: [nodeOwn, ...(wrong ? [patch(wrong)] : [])],
    // ws is CommonJS, and requires Node's own modules.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'silent',
  });
}

/** The package's `imports` name what was built. */
const nodeOwn: Plugin = {
  name: 'node-own',
  setup({ onResolve }) {
    onResolve({ filter: /^#/ }, ({ path: name }) => ({
      path: path.join(ROOT, `client/src/${name.slice(1)}-node.ts`),
    }));
  },
};

function patch({ wrong, file, from, to }: WrongClient): Plugin {
  const whole = path.join(ROOT, file);
  return {
    name: 'patch',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, (args) => {
        if (args.path !== whole) return undefined;
        const source = readFileSync(whole, 'utf8');
        const times = source.split(from).length - 1;
        if (times !== 1)
          throw new Error(`To make a client that ${wrong}: ${times} times in ${file}: ${from}`);
        return { contents: source.replace(from, () => to), loader: 'ts' };
      });
    },
  };
}
