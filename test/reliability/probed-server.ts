/** A server process that tells what its event loop and memory do, by way of probe.mjs. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
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
  /** Buffers, which are no part of the heap. */
  readonly external: number;
  readonly resources: number;
  /** All garbage had just been collected. */
  readonly collected?: true;
}

export interface ProbedServer extends TestServer {
  readonly pid: number;
  /** All that it has told so far. */
  samples(): Sample[];
  /** Puts its clock on by so much as was said at the start. */
  jump(): void;
  /** Bytes of its heap and buffers without garbage. */
  heldBytes(): Promise<number>;
}

export interface ProbedOptions {
  readonly clockMs?: number;
  readonly fileKib?: number;
  /** Where its temporary files go. */
  readonly temporary?: string;
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
    ...(options.temporary === undefined ? {} : { TMPDIR: options.temporary }),
  };
  const { fileKib } = options;
  const server = await launch({ env, ...(fileKib === undefined ? {} : { fileKib }) }, ...args);
  const pid = server.process.pid ?? 0;
  server.process.once('exit', () => setTimeout(() => rmSync(folder, { recursive: true, force: true }), 100));
  const samples = (): Sample[] => (existsSync(file) ? linesOf(readFileSync(file, 'utf8')) : []);
  const ask = (what: 'clock' | 'memory'): void => {
    writeFileSync(`${file}.ask`, what);
    process.kill(pid, 'SIGUSR2');
  };
  const collections = (): Sample[] => samples().filter(({ collected }) => collected);
  return {
    ...server,
    pid,
    samples,
    jump: () => ask('clock'),
    heldBytes: async () => {
      const before = collections().length;
      ask('memory');
      for (;;) {
        const last = collections()[before];
        if (last) return last.heapUsed + last.external;
        await sleep(20);
      }
    },
  };
}

/** The last line may be half written. */
function linesOf(text: string): Sample[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Sample);
}
