/** Starts `tracewire serve` as a process of its own, as you would in another terminal, and waits until it listens. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface RunningServer {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const CLI = fileURLToPath(new URL('../../server/dist/cli/main.js', import.meta.url));

/** `args` go to `tracewire serve`; the port is any free one. */
export async function startServer(...args: readonly string[]): Promise<RunningServer> {
  const child = spawn(process.execPath, [CLI, 'serve', '--port', '0', '--log-level', 'warn', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  for await (const line of createInterface(child.stdout)) {
    const url = /ws:\/\/\S+/.exec(line)?.[0];
    if (!url) continue;
    const stop = (): Promise<void> => {
      child.kill('SIGTERM');
      return ended;
    };
    return { url, pid: child.pid ?? 0, stop };
  }
  throw new Error('The server ended before it listened.');
}
