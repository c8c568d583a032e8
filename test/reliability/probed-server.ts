/** A server process that tells what its event loop and memory do, by way of probe.mjs. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { launch, type TestServer } from '../support/server.ts';

const PROBE = fileURLToPath(new URL('./probe.mjs', import.meta.url));

export interface Sample {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Milliseconds by which timers came late since the line before. */
  readonly lags: readonly number[];
  readonly rss: number;
  readonly heapUsed: number;
  readonly resources: number;
}

export interface ProbedServer extends TestServer {
  readonly pid: number;
  /** All that it has told so far. */
  samples(): Sample[];
  /** Puts its clock on by so much as was said at the start. */
  jump(): void;
}

export interface ProbedOptions {
  readonly clockMs?: number;
  readonly fileKib?: number;
}

export async function probedServer(
  options: ProbedOptions,
  ...args: readonly string[]
): Promise<ProbedServer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-probe-'));
  const file = path.join(folder, 'samples');
  const env = {
    NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import ${pathToFileURL(PROBE)}`.trim(),
    TRACEWIRE_PROBE: file,
    TRACEWIRE_CLOCK: String(options.clockMs ?? 0),
  };
  const { fileKib } = options;
  const server = await launch({ env, ...(fileKib === undefined ? {} : { fileKib }) }, ...args);
  const pid = server.process.pid ?? 0;
  server.process.once('exit', () => setTimeout(() => rmSync(folder, { recursive: true, force: true }), 100));
  return {
    ...server,
    pid,
    samples: () => (existsSync(file) ? linesOf(readFileSync(file, 'utf8')) : []),
    jump: () => process.kill(pid, 'SIGUSR2'),
  };
}

/** The last line may be half written. */
function linesOf(text: string): Sample[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Sample);
}
