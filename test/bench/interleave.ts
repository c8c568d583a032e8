/** Times several things in turn, round after round in one process, so that a machine's moods hit all alike. */

export interface Timing {
  readonly name: string;
  /** Milliseconds, ascending. */
  readonly samples: readonly number[];
}

export async function interleave(
  things: Readonly<Record<string, () => Promise<unknown>>>,
  rounds: number,
  warmUp = 5,
): Promise<ReadonlyMap<string, Timing>> {
  const samples = new Map<string, number[]>(Object.keys(things).map((name) => [name, []]));
  for (let round = -warmUp; round < rounds; round++) {
    for (const [name, run] of shuffled(Object.entries(things))) {
      const begun = performance.now();
      await run();
      if (round >= 0) samples.get(name)?.push(performance.now() - begun);
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
