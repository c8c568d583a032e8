import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { makeFolder } from './make-folder.ts';

const root = mkdtempSync(join(tmpdir(), 'tracewire-folder-'));
afterAll(() => rmSync(root, { recursive: true }));

it('makes a folder and those above it, with the mode that is asked for, and leaves one that is there alone', () => {
  const folder = join(root, 'a/b/c');
  makeFolder(folder, 0o700);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  writeFileSync(join(folder, 'file'), '');
  makeFolder(folder);
  expect(existsSync(join(folder, 'file'))).toBe(true);
  mkdirSync(join(root, 'target'));
  symlinkSync(join(root, 'target'), join(root, 'link'));
  makeFolder(join(root, 'link/d'));
  expect(existsSync(join(root, 'target/d'))).toBe(true);
});

it('says what is in the way', () => {
  writeFileSync(join(root, 'file'), '');
  expect(() => makeFolder(join(root, 'file'))).toThrow(/EEXIST/);
  expect(() => makeFolder(join(root, 'file/a'))).toThrow(/EEXIST|ENOTDIR/);
});

// Node's own way never comes back from there.
it.runIf(existsSync('/proc/self'))('gives up where a file system makes no folders', () => {
  expect(() => makeFolder('/proc/tracewire/a')).toThrow('no folder can be made in /proc (ENOENT)');
});
