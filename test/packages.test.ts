/** What installing a package brings: the client must not bring ONNX Runtime, nor anything of the server. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from './support/server.ts';
import { installed, licencesPage } from './tools/licences.mjs';

interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const lock = JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};

/** Everything that installing a package installs; optional peers are not. */
function closure(start: string): Set<string> {
  const seen = new Set<string>();
  const visit = (name: string, at: LockedPackage | undefined): void => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const next of Object.keys({ ...at?.dependencies, ...at?.optionalDependencies })) {
      visit(next, lock.packages[next.replace('@tracewire/', '')] ?? lock.packages[`node_modules/${next}`]);
    }
  };
  visit(start, lock.packages[start]);
  return seen;
}

describe('packages', () => {
  it('the client brings no runtime and no server', () => {
    const installed = closure('client');
    expect(installed).toContain('@tracewire/protocol');
    expect(installed).toContain('ws');
    for (const unwanted of ['onnxruntime-node', 'tracewire', 'protobufjs', 'pino']) {
      expect(installed).not.toContain(unwanted);
    }
  });

  it('the server brings the runtime, so the check above can fail', () => {
    expect(closure('server')).toContain('onnxruntime-node');
  });

  it('the lock names no registry', () => {
    expect(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')).not.toContain('"resolved": "http');
  });

  it('come with licences that let anybody use them', () => {
    const free = ['MIT', 'Apache-2.0', 'BSD-3-Clause', 'ISC', 'BlueOak-1.0.0', '(MIT OR CC0-1.0)'];
    expect(installed().length).toBeGreaterThan(30);
    expect(installed().filter(({ license }) => !free.includes(license))).toEqual([]);
  });

  it('are listed with their licences in docs/LICENSES.md; if not, run `npm run docs:tables`', () => {
    const { page, wanted } = licencesPage();
    expect(page).toBe(wanted);
  });
});
