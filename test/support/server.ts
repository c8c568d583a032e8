/** A real server process for a test, on a free port, stopped at its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const TINY_GPT2 = path.join(ROOT, 'server/models/tiny-gpt2');
export const TINY_LLAMA = path.join(ROOT, 'test/fixtures/tiny-llama');
export const TRIPWIRE = path.join(ROOT, 'test/fixtures/tripwire');
/** Tests prepare models in a folder of their own, and share it. */
export const CACHE = path.join(tmpdir(), 'tracewire-test-cache');
const CLI = path.join(ROOT, 'server/dist/cli/main.js');
/** A server that prepares a model for the first time takes seconds, on a busy machine many. */
const START_MS = 120_000;

export interface TestServer {
  readonly url: string;
  readonly process: ChildProcess;
  /** SIGTERM, and wait for the end; gives the exit code. */
  stop(): Promise<number | null>;
}

export function startServer(...args: readonly string[]): Promise<TestServer> {
  return launch({}, ...args);
}

export interface LaunchOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Files may grow to so many KiB, as the kernel sees to it. */
  readonly fileKib?: number;
}

export async function launch(
  { env, fileKib }: LaunchOptions,
  ...args: readonly string[]
): Promise<TestServer> {
  const cli = [CLI, 'serve', '--port', '0', '--cache', CACHE, '--log-level', 'warn', ...args];
  const [program, ...rest] =
    fileKib === undefined
      ? [process.execPath, ...cli]
      : ['bash', '-c', `ulimit -f ${fileKib}; exec "$@"`, 'bash', process.execPath, ...cli];
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  let complaint = '';
  child.stderr.on('data', (text: Buffer) => {
    complaint += text.toString();
  });
  const late = setTimeout(() => child.kill('SIGKILL'), START_MS);
  for await (const line of createInterface(child.stdout)) {
    const url = /wss?:\/\/\S+/.exec(line)?.[0];
    if (url) {
      clearTimeout(late);
      const stop = (): Promise<number | null> => {
        child.kill('SIGTERM');
        return ended;
      };
      return { url, process: child, stop };
    }
  }
  clearTimeout(late);
  throw new Error(`The server ended before it listened: ${complaint}`);
}

/** Runs the command line to its end. */
export async function runCli(
  ...args: readonly string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text: Buffer) => {
    stdout += text.toString();
  });
  child.stderr.on('data', (text: Buffer) => {
    stderr += text.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stdout, stderr };
}

/** A new key in that file, which is made where it is missing. */
export async function makeKey(file: string, name: string): Promise<string> {
  const { code, stdout, stderr } = await runCli('keys', 'make', name, '--keys', file);
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}
