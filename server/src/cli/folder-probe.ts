/** A program of its own, so that a file system that never answers holds up nobody else: is what it is given a folder to write in? */
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../make-folder.ts';
import type { FolderAnswer } from './try-folder.ts';

process.stdout.write(JSON.stringify(probe(process.argv[2] ?? '')));

function probe(folder: string): FolderAnswer {
  const file = join(folder, `probe-${process.pid}`);
  try {
    makeFolder(folder);
    writeFileSync(file, 'a line\n', { flag: 'wx', mode: 0o600 });
    rmSync(file);
    const { bavail, bsize } = statfsSync(folder);
    return { freeBytes: bavail * bsize };
  } catch (error) {
    return { refused: error instanceof Error ? error.message : String(error) };
  }
}
