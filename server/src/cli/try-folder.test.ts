/** A folder is tried by a process of its own: what never answers is told, and waited for no longer. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { isAlive } from '../../../test/support/processes.ts';
import { tryFolder } from './try-folder.ts';

const PROBE = fileURLToPath(new URL('../../dist/cli/folder-probe.js', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'tracewire-try-'));
afterAll(() => rmSync(root, { recursive: true }));

it('tells how much room there is, makes the folder, and leaves nothing in it', async () => {
  const folder = join(root, 'a/b');
  expect(await tryFolder(folder, PROBE)).toEqual({ freeBytes: expect.any(Number) });
  expect(readdirSync(folder)).toEqual([]);
});

it('tells why a folder can’t be made', async () => {
  writeFileSync(join(root, 'file'), '');
  expect(await tryFolder(join(root, 'file'), PROBE)).toEqual({ refused: expect.stringContaining('EEXIST') });
});

it('gives up on one that never answers, and ends what it started', async () => {
  // Stopped, it does what a process does that a file system holds up: nothing.
  const pid = join(root, 'pid');
  const stuck = join(root, 'stuck.mjs');
  writeFileSync(
    stuck,
    `import { writeFileSync } from 'node:fs';
     writeFileSync(${JSON.stringify(pid)}, String(process.pid));
     process.kill(process.pid, 'SIGSTOP');`,
  );
  expect(await tryFolder(root, stuck, 2000)).toBeUndefined();
  const number = Number(readFileSync(pid, 'utf8'));
  await expect.poll(() => isAlive(number)).toBe(false);
});

it('doesn’t take a program that dies for an answer', async () => {
  const dead = join(root, 'dead.mjs');
  writeFileSync(dead, 'process.exit(3);');
  expect(await tryFolder(root, dead)).toEqual({ refused: expect.stringContaining('without a word') });
});
