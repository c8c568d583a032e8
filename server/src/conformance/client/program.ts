/** A client program in a process of its own: started with the address and the trace, read line by line, ended in time. */
import { spawn } from 'node:child_process';

export interface ProgramEnd {
  /** Null where it had to be killed. */
  readonly code: number | null;
  /** The JSON lines of its standard output, in order; a line that is none is a string. */
  readonly lines: readonly unknown[];
  readonly stderr: string;
}

/** Kept of what a program complains. */
const MOST_STDERR = 2000;

export async function runProgram(
  command: string,
  env: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<ProgramEnd> {
  // A group of its own, so that a shell's children end with it.
  const child = spawn(command, {
    shell: true,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text: Buffer) => {
    stdout += text.toString();
  });
  child.stderr.on('data', (text: Buffer) => {
    stderr = `${stderr}${text.toString()}`.slice(-MOST_STDERR);
  });
  let killed = false;
  const timer = setTimeout(() => {
    killed = true;
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, timeoutMs);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  const lines = stdout.split('\n').filter((line) => line.trim() !== '');
  return { code: killed ? null : code, lines: lines.map(parsed), stderr };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}
