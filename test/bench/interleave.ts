/** Times several things in turn, round after round in one process, so that a machine's moods hit all alike. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Timing {
  readonly name: string;
  /** Milliseconds, ascending. */
  readonly samples: readonly number[];
}

export interface InterleaveOptions {
  readonly warmUp?: number;
  /** Milliseconds of rest before each thing, in which the threads of the one before cease to spin. */
  readonly rest?: number;
}

/** A thing may time itself: what it resolves to is then its milliseconds, as long as it is a number. */
export async function interleave(
  things: Readonly<Record<string, () => Promise<unknown>>>,
  rounds: number,
  { warmUp = 5, rest = 0 }: InterleaveOptions = {},
): Promise<ReadonlyMap<string, Timing>> {
  const samples = new Map<string, number[]>(Object.keys(things).map((name) => [name, []]));
  for (let round = -warmUp; round < rounds; round++) {
    for (const [name, run] of shuffled(Object.entries(things))) {
      if (rest > 0) await sleep(rest);
      const begun = performance.now();
      const own = await run();
      const taken = performance.now() - begun;
      if (round >= 0) samples.get(name)?.push(typeof own === 'number' ? own : taken);
    }
  }
  return new Map([...samples].map(([name, list]) => [name, { name, samples: list.sort((a, b) => a - b) }]));
}

/** Always in one order, each thing would be timed with the garbage of the same other one to collect. */
function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

export function quantile({ samples }: Timing, q: number): number {
  return samples[Math.min(samples.length - 1, Math.floor(q * samples.length))] ?? Number.NaN;
}

export const median = (timing: Timing): number => quantile(timing, 0.5);

/** Medians by name; an unknown name is a mistake in the bench. */
export function medians(timings: ReadonlyMap<string, Timing>): (name: string) => number {
  return (name) => {
    const timing = timings.get(name);
    if (!timing) throw new Error(`Nothing called ${name} was measured.`);
    return median(timing);
  };
}
