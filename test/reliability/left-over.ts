/** What a server holds, before faults and behind them: hosts, open files and sockets, memory without garbage. */
import { setTimeout as sleep } from 'node:timers/promises';
import { childrenOf, filesOf } from '../support/processes.ts';
import type { ProbedServer } from './probed-server.ts';

export interface Holdings {
  readonly hosts: number;
  /** Open files and sockets. */
  readonly files: number;
  /** Of the gateway's heap and buffers. */
  readonly bytes: number;
}

/** What a table of classes, compiled code and the like may grow by; a run that was kept would be more. */
const NOISE_BYTES = 1024 ** 2;

export async function holdings(server: ProbedServer): Promise<Holdings> {
  return {
    hosts: childrenOf(server.pid).length,
    files: filesOf(server.pid),
    bytes: await server.heldBytes(),
  };
}

export interface LeftOver {
  readonly violations: readonly string[];
  /** By which memory has grown. */
  readonly bytes: number;
}

/** Waits so long for what is to go; `mayHold`: bytes of runs that are meant to be kept. */
export async function leftOver(
  server: ProbedServer,
  before: Holdings,
  { mayHold = 0, mostMs = 15_000 } = {},
): Promise<LeftOver> {
  const until = performance.now() + mostMs;
  for (;;) {
    const now = await holdings(server);
    const bytes = now.bytes - before.bytes;
    const violations = [
      ...(now.hosts === before.hosts ? [] : [`there are ${now.hosts} hosts, and were ${before.hosts}`]),
      ...(now.files <= before.files ? [] : [`${now.files - before.files} files or sockets were left open`]),
      ...(bytes <= mayHold + NOISE_BYTES ? [] : [`${bytes - mayHold} bytes of memory were not given back`]),
    ];
    if (violations.length === 0 || performance.now() > until) return { violations, bytes };
    await sleep(200);
  }
}
