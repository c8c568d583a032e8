/**
 * Starts a host as a process of its own: a native crash or an out-of-memory kill takes down one model, not
 * the gateway. They speak over a Unix socket in a folder that only this user can enter (a named pipe on
 * Windows), not over Node's IPC, which would copy every payload through JSON or structured clone.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Inbox, TracewireError, type Transport } from '@tracewire/protocol';
import { socketTransport } from '../host/socket-transport.ts';
import type { HostHandle } from './host-handle.ts';
import { CONNECT_MS } from './limits.ts';
import type { Log } from './log.ts';
import { ownBytes, watchMemory } from './memory-watch.ts';

const MAIN = fileURLToPath(new URL('../host/main.js', import.meta.url));
/** A host's own lines in our log, at most this long each. */
const MAX_LINE = 2000;
/**
 * For the C library's allocator on Linux: blocks from 1 MiB on are given back to the system when they are freed. Left to
 * itself it keeps what a released session's weights took, and a host grows with each new cut. And large memory comes in huge
 * pages where the system has them, for values are new memory each time, whose pages cost more than what is written to them.
 */
const ALLOCATOR = {
  MALLOC_MMAP_THRESHOLD_: String(1024 * 1024),
  GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
};
/** Between a closed socket and the exit that says why, or an exit and the end of what was sent before it. */
const EXIT_GRACE_MS = 1000;

export interface HostProcessOptions {
  /** The model, for the log. */
  readonly model: string;
  readonly log: Log;
  /** A process that takes more memory of its own is ended; mapped files don't count. */
  readonly memoryBytes?: number | undefined;
  /** The program that the process runs; tests have one of their own. */
  readonly main?: string;
  /** How long it may take to connect. */
  readonly connectMs?: number;
}

/** Resolves once the process has connected. Rejects with `host_lost` if it ends before. */
export async function startHostProcess(options: HostProcessOptions): Promise<HostHandle> {
  const folder = await mkdtemp(join(tmpdir(), 'tracewire-'));
  try {
    const path =
      process.platform === 'win32' ? `\\\\.\\pipe\\tracewire-${randomUUID()}` : join(folder, 'host.sock');
    return await connectProcess(path, options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function connectProcess(
  path: string,
  { model, log, memoryBytes, main = MAIN, connectMs = CONNECT_MS }: HostProcessOptions,
): Promise<HostHandle> {
  const server = createServer();
  return new Promise<HostHandle>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      const child = spawn(process.execPath, [main, path], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...ALLOCATOR, ...process.env },
      });
      logLines(child, model, log);
      const tooMuch = memoryBytes === undefined ? undefined : watchMemory(child, memoryBytes);
      let late: string | undefined;
      const timer = setTimeout(() => {
        late = `it did not connect within ${connectMs} ms`;
        child.kill('SIGKILL');
      }, connectMs);
      const ended = exitOf(child).then((reason) => late ?? tooMuch?.() ?? reason);
      ended.then((reason) => {
        clearTimeout(timer);
        reject(new TracewireError({ code: 'host_lost', message: `No host: ${reason}.` }));
      });
      server.once('connection', (socket) => {
        clearTimeout(timer);
        log.debug({ model, hostPid: child.pid }, 'host connected');
        resolve({
          transport: hostTransport(socket, child, ended),
          kill: () => child.kill('SIGKILL'),
          bytes: async () => (child.pid === undefined ? undefined : ownBytes(child.pid)),
        });
      });
    });
  }).finally(() => server.close());
}

/**
 * The socket's transport, with the exit as the reason of the close: it says more than "the socket ended". It closes with the process, too,
 * whoever else may hold its end of the socket.
 */
function hostTransport(socket: Socket, child: ChildProcess, ended: Promise<string>): Transport {
  const inner = socketTransport(socket);
  const inbox = new Inbox();
  inner.listen({
    message: (bytes) => inbox.deliver(bytes),
    close: () => {
      const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_GRACE_MS);
      ended.then((reason) => {
        clearTimeout(timer);
        inbox.end(1011, reason);
      });
    },
  });
  ended.then(() => setTimeout(() => socket.destroy(), EXIT_GRACE_MS).unref());
  return {
    send: (parts) => inner.send(parts),
    listen: (handlers) => inbox.listen(handlers),
    close: (code, reason) => inner.close(code, reason),
  };
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) =>
      resolve(signal ? `it was ended by ${signal}` : `it ended with exit code ${code}`),
    );
  });
}

function logLines({ stdout, stderr, pid }: ChildProcess, model: string, log: Log): void {
  for (const stream of [stdout, stderr]) {
    if (!stream) continue;
    const lines = createInterface({ input: stream });
    lines.on('line', (line) => log.warn({ model, hostPid: pid }, `host: ${line.slice(0, MAX_LINE)}`));
  }
}
