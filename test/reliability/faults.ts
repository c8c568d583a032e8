/**
 * Everything that breaks, broken on purpose, with real processes, sockets and files. After each fault: the run has exactly
 * one end, its numbers have no gap, every payload is what it is undisturbed, and no process or file is left over.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Graph } from '@tracewire/protocol';
import { childrenOf, filesOf, isAlive } from '../support/processes.ts';
import { Random } from '../support/random.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { type Cut, TcpProxy } from '../support/tcp-proxy.ts';
import { probedServer } from './probed-server.ts';
import { type Outcome, type WireRunOptions, wireRun } from './wire-run.ts';

export interface FaultOptions {
  readonly seed: number;
  /** Trials of each fault that is repeated. */
  readonly trials: number;
  /** Of the slow link. */
  readonly bytesPerSecond: number;
}

export interface FaultResult {
  readonly fault: string;
  readonly trials: number;
  /** How the runs ended, by state or code. */
  readonly ends: Readonly<Record<string, number>>;
  /** Connections beyond the first. */
  readonly reconnections: number;
  readonly violations: readonly string[];
}

const MODEL = 'tiny-gpt2';
const MODULES = ['transformer.h.0', 'transformer.h.1', 'transformer.h.2', 'transformer.h.3'];

/** Every block's output and the logits; about 1.4 MB in chunks where there are 200 ids. */
function graphOf(tokens: number): Graph {
  const ids = Array.from({ length: tokens }, (_, index) => (index * 7) % 1500);
  const reads = [
    ...MODULES.map((module) => ({ module, port: 'output' as const, member: 0 })),
    { module: 'lm_head', port: 'output' as const },
  ];
  const nodes = reads.flatMap((place, index): Graph['nodes'] => [
    { kind: 'read', place },
    { kind: 'save', value: 2 * index },
  ]);
  return { invokes: [{ input: { ids } }], nodes };
}

const LARGE = graphOf(200);
const SMALL = graphOf(2);

export type Tell = (result: FaultResult) => void;

export async function breakEverything(options: FaultOptions, tell: Tell = () => {}): Promise<FaultResult[]> {
  const faults = [cuts, halfOpen, slowLink, hostKilled, gatewayKilled, diskFull, clockJumps];
  const results: FaultResult[] = [];
  for (const fault of faults) {
    for (const result of await fault(options)) {
      results.push(result);
      tell(result);
    }
  }
  return results;
}

/** Counts what becomes of runs. */
class Account {
  readonly #fault: string;
  readonly #ends: Record<string, number> = {};
  readonly #violations: string[] = [];
  #trials = 0;
  #reconnections = 0;

  constructor(fault: string) {
    this.#fault = fault;
  }

  /** `like`: what it should have had, where it completed; `may`: the ends that are right. */
  take(outcome: Outcome, may: readonly string[], like?: Outcome): void {
    this.#trials += 1;
    this.#ends[outcome.ended] = (this.#ends[outcome.ended] ?? 0) + 1;
    this.#reconnections += Math.max(0, outcome.connections - 1);
    this.#violations.push(...outcome.violations);
    if (!may.includes(outcome.ended)) this.wrong(`a run ended as ${outcome.ended}`);
    if (outcome.ended === 'completed' && like && !samePayloads(outcome, like))
      this.wrong('a value was another');
  }

  wrong(violation: string): void {
    this.#violations.push(violation);
  }

  /** Waits for what should become true; a violation if it doesn't. */
  async expect(what: string, holds: () => boolean, mostMs = 15_000): Promise<void> {
    const until = performance.now() + mostMs;
    while (!holds()) {
      if (performance.now() > until) return this.wrong(what);
      await sleep(20);
    }
  }

  get result(): FaultResult {
    return {
      fault: this.#fault,
      trials: this.#trials,
      ends: this.#ends,
      reconnections: this.#reconnections,
      violations: this.#violations,
    };
  }
}

/** The same messages have the same payloads; `queued` may come between, so seqs may differ. */
function samePayloads(one: Outcome, other: Outcome): boolean {
  const [a, b] = [one, other].map(({ payloads }) => Buffer.concat([...payloads.values()]));
  return a !== undefined && b !== undefined && a.equals(b);
}

let runs = 0;
const idOf = (seed: number): string => `fault-${seed}-${process.pid}-${runs++}`.padEnd(24, '0');

function trial(options: FaultOptions, url: string, more: Partial<WireRunOptions> = {}): Promise<Outcome> {
  return wireRun({ url, run: idOf(options.seed), model: MODEL, graph: LARGE, ...more });
}

async function withServer<T>(args: readonly string[], work: (server: TestServer) => Promise<T>): Promise<T> {
  const server = await startServer(...args);
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

/** At every boundary of the server's frames and inside each, and of the client's. */
function cuts(options: FaultOptions): Promise<FaultResult[]> {
  return withServer([], async ({ url, process: { pid = 0 } }) => {
    const undisturbed = await trial(options, url);
    const proxy = await TcpProxy.start(url);
    const before = filesOf(pid);
    const results: FaultResult[] = [];
    for (const from of ['server', 'client'] as const) {
      for (const at of ['before', 'inside', 'behind'] as const) {
        const account = new Account(`TCP cut ${at} a frame of the ${from}’s`);
        await eachFrame(options, proxy, { from, at }, async () =>
          account.take(await trial(options, proxy.url), ['completed'], undisturbed),
        );
        await account.expect('sockets were left open', () => filesOf(pid) <= before);
        results.push(account.result);
      }
    }
    await proxy.stop();
    return results;
  });
}

/** One trial a frame, until a run is through before it comes to the cut; at most as many as there are trials. */
async function eachFrame(
  { trials, seed }: FaultOptions,
  proxy: TcpProxy,
  { from, at }: Omit<Cut, 'frame'>,
  once: () => Promise<void>,
): Promise<void> {
  const random = new Random(seed);
  for (let frame = 1, n = 0; n < trials; n++) {
    proxy.rule((connection) => (connection === 0 ? { from, frame, at } : undefined));
    await once();
    if (proxy.connections === 1) return;
    frame += trials > 30 ? 1 : 1 + random.below(4);
  }
}

function halfOpen(options: FaultOptions): Promise<FaultResult[]> {
  return withServer([], async ({ url }) => {
    const account = new Account('half open: the server doesn’t hear of the loss');
    const undisturbed = await trial(options, url);
    const proxy = await TcpProxy.start(url);
    const random = new Random(options.seed);
    for (let n = 0; n < options.trials; n++) {
      let left = 1 + random.below(8);
      const seen = (): void => {
        left -= 1;
        if (left === 0) proxy.halfOpen();
      };
      account.take(await trial(options, proxy.url, { seen }), ['completed'], undisturbed);
    }
    await proxy.stop();
    return [account.result];
  });
}

/** The slow one gets all of it, and others don't wait for it. */
function slowLink(options: FaultOptions): Promise<FaultResult[]> {
  return withServer([], async ({ url }) => {
    const account = new Account(`a link of ${options.bytesPerSecond} B/s, beside quick ones`);
    const undisturbed = await trial(options, url, { graph: SMALL });
    const large = await trial(options, url);
    const proxy = await TcpProxy.start(url);
    proxy.slow(options.bytesPerSecond);
    let slowDone = false;
    const slow = trial(options, proxy.url, { graph: SMALL, mostMs: 300_000 }).then((outcome) => {
      slowDone = true;
      account.take(outcome, ['completed'], undisturbed);
    });
    account.take(await trial(options, url), ['completed'], large);
    if (slowDone) account.wrong('the slow link was quick');
    await slow;
    await proxy.stop();
    return [account.result];
  });
}

/** In mid-run, at a message that the seed picks. */
function hostKilled(options: FaultOptions): Promise<FaultResult[]> {
  return withServer([], async ({ url, process: { pid = 0 } }) => {
    const account = new Account('kill -9 of the host in mid-run');
    const random = new Random(options.seed);
    const undisturbed = await trial(options, url);
    for (let n = 0; n < options.trials; n++) {
      const hosts = childrenOf(pid);
      let left = 1 + random.below(4);
      const seen = (): void => {
        left -= 1;
        if (left === 0) for (const host of hosts) process.kill(host, 'SIGKILL');
      };
      account.take(await trial(options, url, { seen }), ['completed', 'failed'], undisturbed);
      await account.expect('a killed host was left over', () => !hosts.some(isAlive));
      account.take(await trial(options, url), ['completed'], undisturbed);
    }
    await account.expect('there is another number of hosts than one', () => childrenOf(pid).length === 1);
    return [account.result];
  });
}

/** In mid-stream. A detached run that had ended is fetched from the next one; the other is lost, and said to be. */
async function gatewayKilled(options: FaultOptions): Promise<FaultResult[]> {
  const account = new Account('kill -9 of the gateway in mid-stream, and a new one');
  const random = new Random(options.seed);
  const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-faults-'));
  for (let n = 0; n < options.trials; n++) {
    const first = await startServer('--results', folder);
    const { pid = 0 } = first.process;
    const proxy = await TcpProxy.start(first.url);
    const run = idOf(options.seed);
    const kept = await trial(options, proxy.url, { run, detach: true });
    await account.expect('a detached run was not put on disk', () => indexes(folder) === 1);
    const hosts = childrenOf(pid);
    let left = 1 + random.below(8);
    const killed = new Promise<void>((resolve) => first.process.once('exit', () => resolve()));
    const seen = (): void => {
      left -= 1;
      if (left === 0) process.kill(pid, 'SIGKILL');
    };
    const live = trial(options, proxy.url, { seen });
    await Promise.race([killed, live]);
    first.process.kill('SIGKILL');
    await killed;
    await account.expect('a host outlived its gateway', () => !hosts.some(isAlive));
    const second = await startServer('--results', folder);
    proxy.lead(second.url);
    account.take(await live, ['completed', 'run_lost']);
    account.take(
      await trial(options, second.url, { run, fetchOnly: true, detach: true }),
      ['completed'],
      kept,
    );
    await second.stop();
    await proxy.stop();
    await account.expect(
      'files were left that no run has',
      () => readdirSync(folder).length <= 2 * indexes(folder),
    );
    rmSync(folder, { recursive: true });
  }
  rmSync(folder, { recursive: true, force: true });
  return [account.result];
}

const indexes = (folder: string): number =>
  existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')).length : 0;

/** A file that may not grow, and where we may mount one a file system that is full. */
async function diskFull(options: FaultOptions): Promise<FaultResult[]> {
  const results = [await withoutRoom('results’ files may not grow (EFBIG)', options, 64)];
  const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-full-'));
  if (mount(folder)) {
    results.push(await withoutRoom('the results’ file system is full (ENOSPC)', options, undefined, folder));
    execFileSync('umount', [folder]);
  }
  rmSync(folder, { recursive: true, force: true });
  return results;
}

function mount(folder: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function withoutRoom(
  fault: string,
  options: FaultOptions,
  fileKib: number | undefined,
  full?: string,
): Promise<FaultResult> {
  const account = new Account(fault);
  const folder = full ?? mkdtempSync(path.join(tmpdir(), 'tracewire-full-'));
  const results = path.join(folder, 'results');
  mkdirSync(results);
  const server = await probedServer(fileKib === undefined ? {} : { fileKib }, '--results', results);
  for (let n = 0; n < Math.min(options.trials, 5); n++) {
    const run = idOf(options.seed);
    const detached = await trial(options, server.url, { run, detach: true });
    account.take(detached, ['completed']);
    account.take(
      await trial(options, server.url, { run, fetchOnly: true, detach: true }),
      ['completed'],
      detached,
    );
    account.take(await trial(options, server.url), ['completed'], detached);
  }
  if (indexes(results) > 0) account.wrong('there was room all the same');
  await server.stop();
  if (!full) rmSync(folder, { recursive: true, force: true });
  return account.result;
}

/** A day on, a day back, while a run goes and while a detached one is kept. */
async function clockJumps({ trials, ...rest }: FaultOptions): Promise<FaultResult[]> {
  const options = { ...rest, trials: Math.min(trials, 3) };
  const day = 24 * 3600 * 1000;
  const results: FaultResult[] = [];
  for (const clockMs of [day, -day]) {
    const account = new Account(`the clock jumps a day ${clockMs > 0 ? 'on' : 'back'}`);
    const server = await probedServer({ clockMs });
    for (let n = 0; n < options.trials; n++) {
      const run = idOf(options.seed);
      const detached = await trial(options, server.url, { run, detach: true });
      account.take(detached, ['completed']);
      let jumped = false;
      const seen = (): void => {
        if (!jumped) server.jump();
        jumped = true;
      };
      account.take(await trial(options, server.url, { seen, deadlineMs: 30_000 }), ['completed'], detached);
      account.take(
        await trial(options, server.url, { run, fetchOnly: true, detach: true }),
        ['completed'],
        detached,
      );
    }
    await server.stop();
    results.push(account.result);
  }
  return results;
}
