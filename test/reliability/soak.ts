/**
 * The same work for minutes, with everything that clients do to a server: they come, ask, run, cancel, are cut off, leave
 * runs behind. What must not grow: the gateway's memory, its files and sockets, its hosts, and what it has on disk.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LanguageModel } from '@tracewire/client';
import { childrenOf, filesOf, memoryOf } from '../support/processes.ts';
import { Random } from '../support/random.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { probedServer } from './probed-server.ts';
import { mixedWork, shapeOf } from './work.ts';

export interface SoakOptions {
  readonly model: string;
  readonly seed: number;
  readonly seconds: number;
  readonly clients: number;
}

/** Bytes, counts and milliseconds, of the gateway where nothing else is said. */
export interface SoakResult {
  readonly runs: number;
  readonly wrong: number;
  readonly cuts: number;
  /** Cut off before they were connected: `unreachable`. */
  readonly unreached: number;
  /** Cut off between that and the welcome, with nothing to come back to: `connection_lost`. */
  readonly unwelcomed: number;
  readonly cancelled: number;
  readonly detached: number;
  /** Errors that nothing here explains, by code. */
  readonly errors: Readonly<Record<string, number>>;
  /** Growth an hour of the heap's low points, over the second half. */
  readonly heapSlope: number;
  readonly hostBytes: readonly [begin: number, end: number];
  /** At the begin and at the end, no client connected. */
  readonly files: readonly [begin: number, end: number];
  readonly hosts: readonly [begin: number, end: number];
  /** Of runs that are not kept. */
  readonly orphanFiles: number;
}

/** So many-th connections are cut where the welcome would come. */
const UNWELCOMED = 6;

export async function soak(
  options: SoakOptions,
  tell: (line: string) => void = () => {},
): Promise<SoakResult> {
  const results = mkdtempSync(path.join(tmpdir(), 'tracewire-soak-'));
  const server = await probedServer({}, '--model', options.model, '--results', results);
  const proxy = await TcpProxy.start(server.url);
  const name = path.basename(options.model);
  const open = () => new LanguageModel(name, { url: proxy.url });
  const count = { runs: 0, wrong: 0, cuts: 0, unreached: 0, unwelcomed: 0, cancelled: 0, detached: 0 };
  const errors: Record<string, number> = {};
  try {
    const first = open();
    const shape = await shapeOf(first);
    const work = mixedWork(new Random(options.seed), shape, 20, 32);
    const alone = new Map<unknown, string>();
    for (const piece of work) alone.set(piece, await piece.run(first));
    await first.close();
    await sleep(500);
    proxy.rule((connection) =>
      connection % UNWELCOMED === 0 ? { from: 'server', frame: 1, at: 'before' } : undefined,
    );
    const [host = 0] = childrenOf(server.pid);
    const begin = { files: filesOf(server.pid), hosts: childrenOf(server.pid).length, bytes: memoryOf(host) };
    const until = performance.now() + options.seconds * 1000;

    /** `taken`: whether the server had its run, to which a client comes back. */
    const failed = (error: unknown, taken: boolean): void => {
      const { code = 'unknown' } = error as { readonly code?: string };
      if (code === 'cancelled') count.cancelled += 1;
      else if (code === 'unreachable' && !taken) count.unreached += 1;
      else if (code === 'connection_lost' && !taken) count.unwelcomed += 1;
      else errors[code] = (errors[code] ?? 0) + 1;
    };
    const client = async (index: number): Promise<void> => {
      const random = new Random(options.seed * 1000 + index);
      while (performance.now() < until) {
        const model = open();
        for (let n = random.below(20); n >= 0 && performance.now() < until; n--) {
          const what = random.below(20);
          let taken = false;
          const onStatus = (): void => {
            taken = true;
          };
          try {
            if (what === 0) {
              proxy.cut();
              count.cuts += 1;
            } else if (what === 1) {
              const signal = AbortSignal.timeout(1 + random.below(30));
              await model.trace([1, 2, 3], { signal, onStatus }, (m) => m.get(shape.head).output.save());
            } else if (what === 2 && count.detached < 200) {
              await model.start([1, 2, 3], { onStatus }, (m) => m.get(shape.head).output.save());
              count.detached += 1;
            } else {
              const piece = random.pick(work);
              if ((await piece.run(model, { onStatus })) !== alone.get(piece)) count.wrong += 1;
              count.runs += 1;
            }
          } catch (error) {
            failed(error, taken);
          }
        }
        await model.close();
      }
    };
    const report = setInterval(() => {
      const last = server.samples().at(-1);
      tell(
        `${count.runs} runs, heap ${mib(last?.heapUsed)}, rss ${mib(last?.rss)}, ${filesOf(server.pid)} files`,
      );
    }, 10_000);
    await Promise.all(Array.from({ length: options.clients }, (_, index) => client(index)));
    clearInterval(report);
    await settled(() => filesOf(server.pid) <= begin.files);
    const names = readdirSync(results).filter((file) => file !== 'lock');
    const kept = new Set(names.filter((file) => file.endsWith('.json')).map((file) => file.split('.')[0]));
    const [lastHost = 0] = childrenOf(server.pid);
    return {
      ...count,
      errors,
      heapSlope:
        slope(lowPoints(server.samples().map(({ at, heapUsed }) => [at, heapUsed] as const))) * 3600_000,
      hostBytes: [begin.bytes, memoryOf(lastHost)],
      files: [begin.files, filesOf(server.pid)],
      hosts: [begin.hosts, childrenOf(server.pid).length],
      orphanFiles: names.filter((file) => !kept.has(file.split('.')[0])).length,
    };
  } finally {
    await proxy.stop();
    await server.stop();
    rmSync(results, { recursive: true, force: true });
  }
}

const mib = (bytes = 0): string => `${(bytes / 1024 ** 2).toFixed(0)} MiB`;

async function settled(holds: () => boolean): Promise<void> {
  for (let n = 0; n < 200 && !holds(); n++) await sleep(50);
}

type Point = readonly [at: number, value: number];

/** The lowest of each of twenty stretches of the second half: between them the collector does as it likes. */
function lowPoints(points: readonly Point[]): Point[] {
  const half = points.slice(Math.floor(points.length / 2));
  const size = Math.max(1, Math.floor(half.length / 20));
  const stretches = Array.from({ length: Math.floor(half.length / size) }, (_, index) =>
    half.slice(index * size, (index + 1) * size),
  );
  return stretches.map((stretch) => stretch.reduce((low, point) => (point[1] < low[1] ? point : low)));
}

/** Least squares, value per millisecond. */
function slope(points: readonly Point[]): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map(([at]) => at)), mean(points.map(([, value]) => value))];
  const above = points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0);
  const below = points.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
  return below === 0 ? 0 : above / below;
}
