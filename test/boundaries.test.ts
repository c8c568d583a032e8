/** The import rules of `.dependency-cruiser.cjs` bite: each is broken once in a scratch copy of the layout. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cruise, type ICruiseOptions } from 'dependency-cruiser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const rules = createRequire(import.meta.url)('../.dependency-cruiser.cjs') as {
  readonly forbidden: readonly { readonly name: string }[];
  readonly options: ICruiseOptions;
};

/** Each file imports one thing; the rule that must be broken stands beside it, if any. */
const IMPORTS: readonly (readonly [file: string, imports: string, rule?: string])[] = [
  ['protocol/src/a.ts', '../../client/src/leaf.ts', 'protocol-stands-alone'],
  ['protocol/src/b.ts', '../../server/src/leaf.ts', 'protocol-stands-alone'],
  ['protocol/src/c.ts', 'node:fs', 'runs-in-a-browser'],
  ['protocol/src/d.ts', 'msgpackr', 'one-file-knows-msgpackr'],
  ['protocol/src/frame.ts', 'msgpackr'],
  ['protocol/src/ring-a.ts', './ring-b.ts', 'no-circular'],
  // A cycle is reported once.
  ['protocol/src/ring-b.ts', './ring-a.ts'],
  ['client/src/a.ts', '../../server/src/leaf.ts', 'client-not-server'],
  ['client/src/b.ts', 'tracewire/local', 'client-not-server'],
  ['client/src/local.ts', 'tracewire/local', 'client-loads-server-late'],
  ['client/src/local-late.ts', "import('tracewire/local')"],
  ['client/src/c.ts', 'events', 'runs-in-a-browser'],
  ['client/src/d.ts', 'ws', 'one-file-a-side-knows-ws'],
  ['client/src/websocket-node.ts', 'ws'],
  ['client/src/e.ts', '../../protocol/src/leaf.ts'],
  ['server/src/host/c.ts', '../../../client/src/leaf.ts', 'server-not-client'],
  ['server/src/gateway/d.ts', '@tracewire/client', 'server-not-client'],
  ['server/src/cli/a.ts', '@tracewire/client'],
  ['server/explorer/src/a.ts', '@tracewire/client'],
  ['server/explorer/src/b.ts', '../../src/leaf.ts', 'explorer-is-a-client'],
  ['server/src/cli/c.ts', 'onnxruntime-node', 'one-file-knows-onnxruntime'],
  ['server/src/gateway/a.ts', 'ws', 'one-file-a-side-knows-ws'],
  ['server/src/gateway/websocket.ts', 'ws'],
  ['server/src/conformance/a.ts', 'ws', 'one-file-a-side-knows-ws'],
  ['server/src/conformance/websocket.ts', 'ws'],
  ['server/src/gateway/b.ts', '../engine/leaf.ts', 'gateway-not-engine'],
  ['server/src/gateway/c.ts', '../host/leaf.ts'],
  ['server/src/host/a.ts', '../gateway/leaf.ts', 'host-below-gateway'],
  ['server/src/host/b.ts', '../engine/leaf.ts'],
  ['server/src/engine/a.ts', '../gateway/leaf.ts', 'engine-is-innermost'],
  ['server/src/engine/b.ts', '../host/leaf.ts', 'engine-is-innermost'],
  ['server/src/engine/c.ts', '../cli/leaf.ts', 'engine-is-innermost'],
  ['server/src/engine/runtime/ort.ts', 'onnxruntime-node'],
];
const LEAVES = [
  'protocol/src',
  'client/src',
  'server/src',
  ...['cli', 'engine', 'gateway', 'host'].map((part) => `server/src/${part}`),
];

describe('the import rules', () => {
  const root = mkdtempSync(join(tmpdir(), 'tracewire-boundaries-'));
  const broken = new Map<string, string[]>();

  beforeAll(async () => {
    const write = (file: string, text: string): void => {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
    };
    for (const folder of LEAVES) write(`${folder}/leaf.ts`, 'export const leaf = 1;\n');
    for (const [file, imports] of IMPORTS) {
      const late = imports.startsWith('import(');
      write(file, late ? `export const late = () => ${imports};\n` : `export * from '${imports}';\n`);
    }

    const { tsConfig: _, ...options } = rules.options as ICruiseOptions & { tsConfig?: unknown };
    const { output } = await cruise(['protocol', 'client', 'server'], {
      ...options,
      baseDir: root,
      validate: true,
      ruleSet: { forbidden: rules.forbidden } as NonNullable<ICruiseOptions['ruleSet']>,
    });
    if (typeof output === 'string') throw new Error(output);
    for (const { from, rule } of output.summary.violations)
      broken.set(from, [...(broken.get(from) ?? []), rule.name]);
  });
  afterAll(() => rmSync(root, { recursive: true }));

  const cases = IMPORTS.map(([file, imports, rule]) => ({ file, imports, rule, verdict: rule ?? 'allowed' }));
  it.each(cases)('$file → $imports: $verdict', ({ file, rule }) => {
    expect(broken.get(file) ?? []).toEqual(rule ? [rule] : []);
  });

  it('are each broken here once', () => {
    const names = new Set([...broken.values()].flat());
    expect(rules.forbidden.map(({ name }) => name).filter((name) => !names.has(name))).toEqual([]);
  });
});
