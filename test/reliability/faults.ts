/**
 * Everything that breaks, broken on purpose, with real processes, sockets and files. After each fault: the run has exactly
 * one end, its numbers have no gap, every payload is what it is undisturbed, and no process, file, socket or memory is left over.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Graph } from '@tracewire/protocol';
import { DEFAULT_LIMITS, PING_MS } from '../../server/src/gateway/limits.ts';
import { childrenOf, isAlive } from '../support/processes.ts';
import { Random } from '../support/random.ts';
import { type Cut, TcpProxy } from '../support/tcp-proxy.ts';
import { type Holdings, holdings, leftOver } from './left-over.ts';
import { type ProbedOptions, type ProbedServer, probedServer } from './probed-server.ts';
import { type Outcome, type WireRunOptions, wireRun } from './wire-run.ts';

export interface FaultOptions {
  readonly seed: number;
  /** Trials of each fault that is repeated. */
  readonly trials: number;
  /** Of the slow link. */
  readonly bytesPerSecond: number;
  /** Waits until the server has noticed by its pings who is gone, which takes a minute. */
  readonly patient: boolean;
  /** The name of one of these functions; without it all are tried. */
  readonly only?: string | undefined;
}

export interface FaultResult {
  readonly fault: string;
  readonly trials: number;
  /** How the runs ended, by state or code. */
  readonly ends: Readonly<Record<string, number>>;
  /** Connections beyond the first. */
  readonly reconnections: number;
  /** By which the gateway's memory grew, where it lived on. */
  readonly heldBytes?: number | undefined;
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

/** Trials of what takes seconds: a start of a host or a server. */
const MOST_KILLS = 20;

export type Tell = (result: FaultResult) => void;

export async function breakEverything(options: FaultOptions, tell: Tell = () => {}): Promise<FaultResult[]> {
  const faults = [
    cuts,
    halfOpen,
    slowLink,
    hostKilled,
    hostKilledAnyTime,
    gatewayKilled,
    diskFull,
    clockJumps,
  ];
  const results: FaultResult[] = [];
  for (const fault of faults.filter(({ name }) => options.only === undefined || name === options.only)) {
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
  #heldBytes: number | undefined;

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

  /** Waits until the server holds no more than before. */
  async nothingLeft(
    server: ProbedServer,
    before: Holdings,
    bounds?: Parameters<typeof leftOver>[2],
  ): Promise<void> {
    const { violations, bytes } = await leftOver(server, before, bounds);
    this.#violations.push(...violations);
    this.#heldBytes = bytes;
  }

  /** Waits for what should become true; a violation if it doesn't. */
  async expect(what: string, holds: () => boolean, mostMs = 15_000): Promise<void> {
    const until = performance.now() + mostMs;
    while (!holds()) {
      if (performance.now() > until) return this.wrong(what);
      await sleep(20);
    }
  }

  get trials(): number {
    return this.#trials;
  }

  get result(): FaultResult {
    return {
      fault: this.#fault,
      trials: this.#trials,
      ends: this.#ends,
      reconnections: this.#reconnections,
      heldBytes: this.#heldBytes,
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

interface Broken {
  readonly server: ProbedServer;
  readonly url: string;
  /** What a run has that nothing disturbs. */
  readonly undisturbed: Outcome;
  /** What the server holds after a few such runs. */
  readonly before: Holdings;
}

/** A server for a fault, whose temporary files must be gone when it has ended. */
async function withServer(
  options: FaultOptions,
  { args = [], ...probed }: ProbedOptions & { readonly args?: readonly string[] },
  work: (broken: Broken) => Promise<readonly FaultResult[]>,
): Promise<FaultResult[]> {
  const temporary = mkdtempSync(path.join(tmpdir(), 'tracewire-faults-'));
  const server = await probedServer({ ...probed, temporary }, ...args);
  const results: FaultResult[] = [];
  try {
    const { url } = server;
    const undisturbed = await trial(options, url);
    for (let n = 0; n < WARM; n++) await trial(options, url);
    results.push(...(await work({ server, url, undisturbed, before: await settled(server) })));
  } finally {
    await server.stop();
  }
  const left = readdirSync(temporary);
  rmSync(temporary, { recursive: true });
  const last = results.pop();
  if (!last) return results;
  const wrong = left.length > 0 ? [`temporary files were left: ${left.join(', ')}`] : [];
  return [...results, { ...last, violations: [...last.violations, ...wrong] }];
}

/** Runs after which a server holds what it will. */
const WARM = 4;

/** The client's last connection may still be open. */
async function settled(server: ProbedServer): Promise<Holdings> {
  await sleep(500);
  return holdings(server);
}

/** At every boundary of the server's frames and inside each, and of the client's. */
function cuts(options: FaultOptions): Promise<FaultResult[]> {
  return withServer(options, {}, async ({ server, url, undisturbed, before }) => {
    const proxy = await TcpProxy.start(url);
    const results: FaultResult[] = [];
    for (const from of ['server', 'client'] as const) {
      for (const at of ['before', 'inside', 'behind'] as const) {
        const account = new Account(`TCP cut ${at} a frame of the ${from}’s`);
        await eachFrame(options, proxy, { from, at }, async () =>
          account.take(await trial(options, proxy.url), ['completed'], undisturbed),
        );
        // A run whose last acknowledgement was cut off waits a minute for its client.
        await account.nothingLeft(server, before, { mayHold: account.trials * bytesOf(undisturbed) });
        results.push(account.result);
      }
    }
    await proxy.stop();
    if (!options.patient) return results;
    const after = new Account('a minute after those cuts');
    await after.nothingLeft(server, before, { mostMs: 90_000 });
    return [...results, after.result];
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

/**
 * A client that had all of its run before the line went dead acknowledges in vain and never comes back: the server takes two
 * pings to miss it, and keeps the run for it as long as any.
 */
const UNHEARD_MS = 2 * PING_MS + DEFAULT_LIMITS.resumeMs + 15_000;

function halfOpen(options: FaultOptions): Promise<FaultResult[]> {
  return withServer(options, {}, async ({ server, url, undisturbed, before }) => {
    const account = new Account('half open: the server doesn’t hear of the loss');
    const proxy = await TcpProxy.start(url);
    const random = new Random(options.seed);
    for (let n = 0; n < Math.min(options.trials, MOST_KILLS); n++) {
      let left = 1 + random.below(8);
      const seen = (): void => {
        left -= 1;
        if (left === 0) proxy.halfOpen();
      };
      account.take(await trial(options, proxy.url, { seen }), ['completed'], undisturbed);
    }
    // Before the proxy goes, which would tell the server of the losses.
    if (options.patient) await account.nothingLeft(server, before, { mostMs: UNHEARD_MS });
    await proxy.stop();
    if (!options.patient)
      await account.nothingLeft(server, before, { mayHold: account.trials * bytesOf(undisturbed) });
    return [account.result];
  });
}

/** The slow one gets all of it, and others don't wait for it. */
function slowLink(options: FaultOptions): Promise<FaultResult[]> {
  return withServer(options, {}, async ({ server, url, undisturbed: large, before }) => {
    const account = new Account(`a link of ${options.bytesPerSecond} B/s, beside quick ones`);
    const undisturbed = await trial(options, url, { graph: SMALL });
    const proxy = await TcpProxy.start(url);
    proxy.slow(options.bytesPerSecond);
    let slowDone = false;
    const slow = trial(options, proxy.url, { graph: SMALL, mostMs: 300_000 }).then((outcome) => {
      slowDone = true;
      account.take(outcome, ['completed'], undisturbed);
    });
    for (let n = 0; n < Math.min(options.trials, 5); n++)
      account.take(await trial(options, url), ['completed'], large);
    if (slowDone) account.wrong('the slow link was quick');
    await slow;
    await proxy.stop();
    await account.nothingLeft(server, before);
    return [account.result];
  });
}

/** In mid-run, at a message that the seed picks. */
function hostKilled(options: FaultOptions): Promise<FaultResult[]> {
  return withServer(options, {}, async ({ server, url, undisturbed }) => {
    const account = new Account('kill -9 of the host in mid-run');
    const random = new Random(options.seed);
    const kill = async (): Promise<void> => {
      const hosts = childrenOf(server.pid);
      let left = 1 + random.below(4);
      const seen = (): void => {
        left -= 1;
        if (left === 0) for (const host of hosts) process.kill(host, 'SIGKILL');
      };
      account.take(await trial(options, url, { seen }), ['completed', 'failed'], undisturbed);
      await account.expect('a killed host was left over', () => !hosts.some(isAlive));
      account.take(await trial(options, url), ['completed'], undisturbed);
    };
    // What the first loss of a host takes, code and buffers, stays.
    await kill();
    const before = await settled(server);
    for (let n = 1; n <= Math.min(options.trials, MOST_KILLS); n++) await kill();
    await account.nothingLeft(server, before);
    return [account.result];
  });
}

/** While it starts, loads, runs or idles, with several runs at once. */
function hostKilledAnyTime(options: FaultOptions): Promise<FaultResult[]> {
  return withServer(options, {}, async ({ server, url, undisturbed }) => {
    const account = new Account('kill -9 of the host at any time, of several runs at once');
    const random = new Random(options.seed);
    const kill = async (): Promise<void> => {
      const several = Promise.all(Array.from({ length: SEVERAL }, () => trial(options, url)));
      for (let n = 0; n < 2; n++) {
        await sleep(random.below(LONG_START_MS));
        const hosts = childrenOf(server.pid);
        for (const host of hosts) process.kill(host, 'SIGKILL');
        await account.expect('a killed host was left over', () => !hosts.some(isAlive));
      }
      for (const outcome of await several) account.take(outcome, ['completed', 'failed'], undisturbed);
      account.take(await trial(options, url), ['completed', 'failed'], undisturbed);
    };
    await kill();
    await account.expect('no host came back', () => childrenOf(server.pid).length === 1);
    const before = await settled(server);
    for (let n = 1; n <= Math.min(options.trials, MOST_KILLS); n++) await kill();
    await account.nothingLeft(server, before);
    return [account.result];
  });
}

const SEVERAL = 4;
/** A start takes about as long, waits between starts apart. */
const LONG_START_MS = 1800;

/** In mid-stream. A detached run that had ended is fetched from the next one; the other is lost, and said to be. */
async function gatewayKilled(options: FaultOptions): Promise<FaultResult[]> {
  const account = new Account('kill -9 of the gateway in mid-stream, and a new one');
  const random = new Random(options.seed);
  const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-faults-'));
  const temporary = mkdtempSync(path.join(tmpdir(), 'tracewire-faults-'));
  for (let n = 0; n < Math.min(options.trials, MOST_KILLS); n++) {
    const first = await probedServer({ temporary }, '--results', folder);
    const { pid } = first;
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
    const second = await probedServer({ temporary }, '--results', folder);
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
    if (readdirSync(temporary).length > 0) account.wrong('temporary files were left');
    rmSync(folder, { recursive: true });
  }
  rmSync(folder, { recursive: true, force: true });
  rmSync(temporary, { recursive: true });
  return [account.result];
}

const indexes = (folder: string): number =>
  existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')).length : 0;

/** A file that may not grow, and where we may mount one a file system that is full. */
async function diskFull(options: FaultOptions): Promise<FaultResult[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-full-'));
  const results = await withoutRoom('results’ files may not grow (EFBIG)', options, folder, 64);
  if (mount(folder)) {
    results.push(...(await withoutRoom('the results’ file system is full (ENOSPC)', options, folder)));
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

function withoutRoom(
  fault: string,
  options: FaultOptions,
  folder: string,
  fileKib?: number,
): Promise<FaultResult[]> {
  const results = path.join(folder, 'results');
  const args = ['--results', results];
  return withServer(options, { ...(fileKib ? { fileKib } : {}), args }, async ({ server, url, before }) => {
    const account = new Account(fault);
    const detachedRuns = Math.min(options.trials, 5);
    let kept = 0;
    for (let n = 0; n < detachedRuns; n++) {
      const run = idOf(options.seed);
      const detached = await trial(options, url, { run, detach: true });
      kept += bytesOf(detached);
      account.take(detached, ['completed']);
      const fetched = await trial(options, url, { run, fetchOnly: true, detach: true });
      account.take(fetched, ['completed'], detached);
      account.take(await trial(options, url), ['completed'], detached);
    }
    if (indexes(results) > 0) account.wrong('there was room all the same');
    // What the disk doesn't take stays in memory until its time is over.
    await account.nothingLeft(server, before, { mayHold: kept });
    // A file for each that is kept, of what the disk did take.
    const names = readdirSync(results).filter((name) => name !== 'lock' && name !== 'blobs');
    if (names.length > detachedRuns) account.wrong(`files were left that no run has: ${names.join(', ')}`);
    return [account.result];
  });
}

const bytesOf = ({ payloads }: Outcome): number =>
  [...payloads.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);

/** A day on, a day back, while a run goes and while a detached one is kept. */
async function clockJumps(options: FaultOptions): Promise<FaultResult[]> {
  const day = 24 * 3600 * 1000;
  const results: FaultResult[] = [];
  const folder = mkdtempSync(path.join(tmpdir(), 'tracewire-faults-'));
  for (const clockMs of [day, -day]) {
    const args = ['--results', path.join(folder, String(clockMs))];
    const jumped = await withServer(
      options,
      { clockMs, args },
      async ({ server, url, undisturbed, before }) => {
        const account = new Account(`the clock jumps a day ${clockMs > 0 ? 'on' : 'back'}`);
        for (let n = 0; n < Math.min(options.trials, 3); n++) {
          const run = idOf(options.seed);
          account.take(await trial(options, url, { run, detach: true }), ['completed'], undisturbed);
          let jumped = false;
          const seen = (): void => {
            if (!jumped) server.jump();
            jumped = true;
          };
          account.take(await trial(options, url, { seen, deadlineMs: 30_000 }), ['completed'], undisturbed);
          const fetched = await trial(options, url, { run, fetchOnly: true, detach: true });
          account.take(fetched, ['completed'], undisturbed);
        }
        await account.nothingLeft(server, before);
        return [account.result];
      },
    );
    results.push(...jumped);
  }
  rmSync(folder, { recursive: true });
  return results;
}
