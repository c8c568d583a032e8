/** The code in docs/, run as it is printed against a real server with tiny-gpt2, prints what the pages show. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { served } from '../support/served.ts';
import { ROOT } from '../support/server.ts';
import {
  blocksOf,
  PROGRAMS,
  readPage,
  removePrograms,
  runProgram,
  withPrints,
  writeProgram,
} from './page.ts';
import { runnablePages } from './pages.ts';

const pages = runnablePages().filter((file) => blocksOf(readPage(file)).length > 0);

afterAll(removePrograms);
const server = await served();

describe('the code in docs/', () => {
  it('has the types that it uses', () => {
    const files = pages.map((file) => writeProgram(file, server.url));
    const config = path.join(PROGRAMS, 'tsconfig.json');
    // Blocks follow each other, so names are a page's.
    const compilerOptions = { noEmit: true, composite: false, incremental: false, types: ['node'] };
    const lib = ['es2023', 'dom', 'esnext.disposable'];
    const settings = { extends: path.join(ROOT, 'tsconfig.base.json') };
    writeFileSync(
      config,
      JSON.stringify({ ...settings, compilerOptions: { ...compilerOptions, lib }, files }),
    );
    const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
    const { stdout } = spawnSync(process.execPath, [tsc, '-p', config], { encoding: 'utf8' });
    expect(stdout).toBe('');
  }, 60_000);

  it.each(pages)(
    '%s prints what it shows',
    async (file) => {
      const prints = await runProgram(writeProgram(file, server.url));
      const shown = blocksOf(readPage(file)).map((block) => block.prints);
      expect(prints, 'Write them anew by `npm run docs:outputs`, and look at the difference.').toEqual(shown);
    },
    60_000,
  );
});

describe('a page as a program', () => {
  const page =
    'a\n```ts\none();\n```\n\nb\n\n```text\n1\n```\n```ts\ntwo();\n```\n```sh\nls\n```\n```text\nfiles\n```\n';

  it('has the code of its blocks, and what those print', () => {
    expect(blocksOf(page)).toEqual([
      { code: 'one();\n', prints: '1\n' },
      { code: 'two();\n', prints: '' },
    ]);
  });

  it('takes new prints, and leaves all else', () => {
    expect(withPrints(page, ['9\n', ''])).toBe(page.replace('1\n', '9\n'));
    expect(withPrints(page, ['1\n', ''])).toBe(page);
  });
});
