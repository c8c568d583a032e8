/**
 * Hostile graphs that pass every check: huge, deep and expensive ones, by a seed. A server with bounds of time and memory
 * ends each of them, within those bounds and with one terminal state, and serves the next client as if nothing had been.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Graph, GraphNode } from '@tracewire/protocol';
import { Gateway } from '../../server/src/gateway/gateway.ts';
import { startHostProcess } from '../../server/src/gateway/host-process.ts';
import { Listener } from '../../server/src/gateway/listener.ts';
import { SILENT } from '../../server/src/gateway/log.ts';
import { ServedModel } from '../../server/src/gateway/served-model.ts';
import { childrenOf, memoryOf } from '../support/processes.ts';
import { Random } from '../support/random.ts';
import { tinyGpt2Config } from '../support/served-model.ts';
import { ROOT } from '../support/server.ts';
import { type Outcome, wireRun } from './wire-run.ts';

export interface FuzzOptions {
  readonly seed: number;
  /** Graphs; as many as fit in `seconds` where that is sooner. */
  readonly graphs: number;
  readonly seconds: number;
  /** What a run may take, and how long a host may go on after it. */
  readonly runMs: number;
  readonly stuckMs: number;
  /** Of a host. */
  readonly memoryBytes: number;
}

export interface FuzzResult {
  /** How runs ended, by the kind of graph, then by state or code. */
  readonly ends: ReadonlyMap<string, Readonly<Record<string, number>>>;
  readonly graphs: number;
  readonly longestMs: number;
  /** Bytes, of any host. */
  readonly peakBytes: number;
  readonly violations: readonly string[];
}

/** What a host may take between two looks at its memory. */
const BETWEEN_LOOKS_BYTES = 2 * 1024 ** 3;
/** Beyond both bounds: the next host has to start. */
const SLACK_MS = 30_000;
const MODEL = 'tiny-gpt2';

export async function fuzz(
  options: FuzzOptions,
  tell: (line: string) => void = () => {},
): Promise<FuzzResult> {
  const { gateway, listener } = await boundedServer(options);
  const peak = watchPeak();
  const ends = new Map<string, Record<string, number>>();
  const violations: string[] = [];
  let graphs = 0;
  let longestMs = 0;
  const run = (graph: Graph, payload?: readonly Uint8Array[]): Promise<Outcome> =>
    wireRun({
      url: listener.url,
      run: `fuzz-${options.seed}-${graphs}`.padEnd(24, '0'),
      model: MODEL,
      graph,
      mostMs: options.runMs + options.stuckMs + SLACK_MS,
      ...(payload ? { payload } : {}),
    });
  try {
    const random = new Random(options.seed);
    const canary = await run(CANARY);
    const until = performance.now() + options.seconds * 1000;
    for (; graphs < options.graphs && performance.now() < until; graphs++) {
      const names = Object.keys(KINDS);
      const kind = names[graphs % names.length] ?? '';
      const { graph, payload } = KINDS[kind]?.(random) ?? { graph: CANARY };
      const begun = performance.now();
      const outcome = await run(graph, payload);
      const took = performance.now() - begun;
      longestMs = Math.max(longestMs, took);
      const counts = ends.get(kind) ?? {};
      counts[outcome.ended] = (counts[outcome.ended] ?? 0) + 1;
      ends.set(kind, counts);
      violations.push(...outcome.violations.map((violation) => `${kind}: ${violation}`));
      const after = await run(CANARY);
      const same = Buffer.concat([...after.payloads.values()]).equals(
        Buffer.concat([...canary.payloads.values()]),
      );
      if (after.ended !== 'completed' || !same)
        violations.push(`after ${kind} the next client got ${after.ended}`);
      await sleep(5);
      if (gateway.heldBytes > 0)
        violations.push(`after ${kind} the gateway holds ${gateway.heldBytes} bytes`);
      tell(`${kind}: ${outcome.ended} after ${took.toFixed(0)} ms`);
    }
  } finally {
    listener.close();
    gateway.close();
  }
  const peakBytes = peak();
  if (peakBytes > options.memoryBytes + BETWEEN_LOOKS_BYTES)
    violations.push(`a host took ${peakBytes} bytes`);
  return { ends, graphs, longestMs, peakBytes, violations };
}

async function boundedServer({ runMs, stuckMs, memoryBytes }: FuzzOptions) {
  const main = path.join(ROOT, 'server/dist/host/main.js');
  const model = new ServedModel({
    config: tinyGpt2Config(),
    start: () => startHostProcess({ model: MODEL, log: SILENT, memoryBytes, main }),
    log: SILENT,
    runMs,
    stuckMs,
  });
  await model.load();
  const gateway = new Gateway({ models: [model], log: SILENT, version: '0.0.0' });
  const listener = await Listener.bind({ host: '127.0.0.1', port: 0 });
  listener.open(gateway);
  return { gateway, listener };
}

/** Looks often at all that this process has started; gives the most that one of them took. */
function watchPeak(): () => number {
  let most = 0;
  const timer = setInterval(() => {
    for (const pid of childrenOf(process.pid)) most = Math.max(most, memoryOf(pid));
  }, 20).unref();
  return () => {
    clearInterval(timer);
    return most;
  };
}

interface Hostile {
  readonly graph: Graph;
  readonly payload?: readonly Uint8Array[];
}

const BLOCK = { module: 'transformer.h.0', port: 'output', member: 0 } as const;
const HEAD = { module: 'lm_head', port: 'output' } as const;
const READ: GraphNode = { kind: 'read', place: BLOCK };

const ofIds = (tokens: number, nodes: readonly GraphNode[]): Graph => ({
  invokes: [{ input: { ids: Array.from({ length: tokens }, (_, index) => (index * 7) % 1500) } }],
  nodes,
});
const operator = (
  name: string,
  inputs: readonly number[],
  attributes?: Record<string, number>,
): GraphNode => ({
  kind: 'operator',
  operator: name,
  inputs,
  ...(attributes ? { attributes } : {}),
});
const save = (value: number): GraphNode => ({ kind: 'save', value });

const CANARY = ofIds(3, [{ kind: 'read', place: HEAD }, save(0)]);

/** A chain of `count` nodes behind a read, its end saved. */
const chain = (tokens: number, count: number, link: (before: number) => GraphNode): Hostile => ({
  graph: ofIds(tokens, [READ, ...Array.from({ length: count }, (_, index) => link(index)), save(count)]),
});

const KINDS: Readonly<Record<string, (random: Random) => Hostile>> = {
  'deep: thousands of operators in a row': (random) =>
    chain(1 + random.below(50), 1000 + random.below(8000), (before) =>
      operator(random.pick(['Exp', 'Tanh', 'Neg', 'Sigmoid', 'Relu']), [before]),
    ),
  'doubling: each Concat twice the one before': (random) =>
    chain(1 + random.below(100), 10 + random.below(40), (before) =>
      operator('Concat', [before, before], { axis: random.below(3) }),
    ),
  'kept: all of a doubling are saved': (random) => {
    const count = 8 + random.below(16);
    const doubling = Array.from({ length: count }, (_, index) =>
      operator('Concat', [index, index], { axis: 1 }),
    );
    const saves = Array.from({ length: count }, (_, index) => save(index));
    return { graph: ofIds(1 + random.below(100), [READ, ...doubling, ...saves]) };
  },
  'broadcast: a column times a row': (random) => {
    const length = 1000 * (1 + random.below(80));
    const column = new Uint8Array(new Float32Array(length).fill(1).buffer);
    const tensor = (dims: readonly number[], offset: number) => ({
      kind: 'constant' as const,
      tensor: { dtype: 'float32' as const, dims: [...dims], offset, length: column.byteLength },
    });
    const nodes: GraphNode[] = [
      tensor([length, 1], 0),
      tensor([1, length], column.byteLength),
      operator('Mul', [0, 1]),
      operator('MatMul', [2, 0]),
      save(3),
    ];
    return { graph: ofIds(1, nodes), payload: [column, column] };
  },
  'expensive: products of large matrices in a row': (random) => {
    const size = 200 + random.below(1200);
    const bytes = new Uint8Array(new Float32Array(size * size).fill(1e-3).buffer);
    const square: GraphNode = {
      kind: 'constant',
      tensor: { dtype: 'float32', dims: [size, size], offset: 0, length: bytes.byteLength },
    };
    const count = 50 + random.below(2000);
    const products = Array.from({ length: count }, (_, index) => operator('MatMul', [index, 0]));
    return { graph: ofIds(1, [square, ...products, save(count)]), payload: [bytes] };
  },
  'wide: thousands of saves of one large value': (random) => {
    const nodes: GraphNode[] = [{ kind: 'read', place: HEAD }];
    const count = 1000 + random.below(8000);
    return { graph: ofIds(200, [...nodes, ...Array.from({ length: count }, () => save(0))]) };
  },
  'talkative: thousands of logs': (random) => {
    const logs = Array.from(
      { length: 1000 + random.below(8000) },
      (): GraphNode => ({ kind: 'log', text: 'x'.repeat(random.below(1000)), value: 0 }),
    );
    return { graph: ofIds(1 + random.below(20), [READ, ...logs, save(0)]) };
  },
  'written: thousands of writes to one place': (random) => {
    const writes = Array.from(
      { length: 500 + random.below(3000) },
      (): GraphNode => ({ kind: 'write', place: BLOCK, value: 0 }),
    );
    return {
      graph: ofIds(1 + random.below(50), [
        READ,
        ...writes,
        { kind: 'read', place: HEAD },
        save(1 + writes.length),
      ]),
    };
  },
  'applied: the head a hundred times': (random) => {
    const nodes: GraphNode[] = [{ kind: 'read', place: { module: 'transformer.ln_f', port: 'output' } }];
    const count = 50 + random.below(200);
    const heads = Array.from(
      { length: count },
      (): GraphNode => ({ kind: 'apply', module: 'lm_head', input: 0 }),
    );
    return { graph: ofIds(200, [...nodes, ...heads, ...heads.map((_, index) => save(index + 1))]) };
  },
  'long: as many tokens as there may be, read again and again': (random) => {
    const count = 200 + random.below(4000);
    const reads = Array.from({ length: count }, () => READ);
    return { graph: ofIds(250, [...reads, ...reads.map((_, index) => save(index))]) };
  },
};
