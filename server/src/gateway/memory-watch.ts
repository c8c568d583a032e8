/**
 * Keeps a host within its memory. V8's own limits don't count what the runtime takes, so the process is looked at from
 * outside, a few times a second; what grows faster than that is the operating system's affair.
 */
import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';

const INTERVAL_MS = 200;

/** Ends a process that takes more than so many bytes. What it gives says why, once that has happened. */
export function watchMemory(child: ChildProcess, mostBytes: number): () => string | undefined {
  let why: string | undefined;
  const timer = setInterval(async () => {
    const bytes = child.pid === undefined ? undefined : await ownBytes(child.pid);
    if (bytes === undefined || bytes <= mostBytes || why !== undefined) return;
    why = `it took ${bytes} bytes of memory, and ${mostBytes} are allowed`;
    child.kill('SIGKILL');
  }, INTERVAL_MS).unref();
  child.once('exit', () => clearInterval(timer));
  return () => why;
}

/** A process's memory without the files that it maps, for those can be dropped and read again; Linux only. */
export async function ownBytes(pid: number): Promise<number | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}
