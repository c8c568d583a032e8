/** The host process's memory: after many different traces against the first, and against the weights. Linux only. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Figure } from './figures.ts';
import { lastLogits, type Setting, someIds } from './setting.ts';

const TRACES = 50;

/** Writes at 50 different modules, spread over the model: each cuts it in another place, the dearest there is. */
export async function benchMemory(setting: Setting): Promise<Figure[]> {
  const host = hostOf(setting.server.pid);
  const ids = someIds(setting, 10);
  const places = setting.description.modules
    .filter(({ path, outputs, order }) => path !== '' && order.output !== undefined && outputs.length === 1)
    .map(({ path }) => path);
  const first = places[0] ?? '';
  const trace = (place: string) =>
    setting.remote.trace(ids, (m) => {
      const { output } = m.get(place);
      output.set(output.mul(0.5));
      return lastLogits(m);
    });
  await trace(first);
  const before = memoryOf(host);
  for (let count = 1; count < TRACES; count++) {
    await trace(places[Math.floor((count * places.length) / TRACES)] ?? first);
  }
  const after = memoryOf(host);
  const weights = setting.weightBytes;
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
  return [
    {
      name: `the host’s memory (PSS) after ${TRACES} different traces, of that after the first`,
      measured: after.pss / before.pss,
      unit: '×',
      aim: 1.3,
      note: `${mb(after.pss)} of ${mb(before.pss)}; RSS ${mb(after.rss)} of ${mb(before.rss)}`,
    },
    {
      name: 'the host’s memory (PSS) after the first trace, of the weights’ bytes',
      measured: before.pss / weights,
      unit: '×',
      note: `weights ${mb(weights)}; PSS ${mb(before.pss)}, RSS ${mb(before.rss)} (which counts a page once for each mapping): held twice it would be 2`,
    },
  ];
}

/** The one child of the server: the process that holds the model. */
function hostOf(server: number): number {
  const tasks = readdirSync(`/proc/${server}/task`);
  const children = tasks.flatMap((task) =>
    readFileSync(`/proc/${server}/task/${task}/children`, 'utf8')
      .trim()
      .split(/\s+/)
      .filter(Boolean)
      .map(Number),
  );
  const [host] = children;
  if (host === undefined) throw new Error('The server has no host process.');
  return host;
}

/** Bytes: `rss` all resident pages, `pss` those shared with other processes counted in part. */
function memoryOf(pid: number): { readonly rss: number; readonly pss: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024;
  return { rss: field('Rss'), pss: field('Pss') };
}
