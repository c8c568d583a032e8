/**
 * One process for one folder. The lock names its owner by process id and start time, so that what a killed process left
 * behind, even under an id that is in use again, holds nobody up. Where start times can't be told the id has to do.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TracewireError } from '@tracewire/protocol';

/** Takes the folder, and gives what lets it go. Throws `bad_configuration` where another process has it. */
export function lockFolder(folder: string): () => void {
  const file = join(folder, 'lock');
  const self = ownerOf(process.pid) ?? `${process.pid} -`;
  const holder = readIfThere(file);
  if (holder !== undefined && holder !== self && holder === ownerOf(Number.parseInt(holder, 10))) {
    const message = `Another server, process ${Number.parseInt(holder, 10)}, keeps its results in ${folder}. Choose another folder with --results.`;
    throw new TracewireError({ code: 'bad_configuration', message });
  }
  rmSync(file, { force: true });
  writeFileSync(file, self, { flag: 'wx', mode: 0o600 });
  return () => rmSync(file, { force: true });
}

/** A process that lives: its id, and when it began. Undefined for one that doesn't. */
function ownerOf(pid: number): string | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  // Behind the name, which may hold anything, the 20th field is the start in ticks since boot (proc(5)).
  const begun = readIfThere(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ')[19];
  if (begun !== undefined) return `${pid} ${begun}`;
  try {
    process.kill(pid, 0);
    return `${pid} -`;
  } catch {
    return undefined;
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
