/** Short forms of `npm run load`, `faults`, `soak` and `fuzz`: the same code, a few seconds each, no time asserted. */
import { describe, expect, it } from 'vitest';
import { TINY_GPT2 } from '../support/server.ts';
import { breakEverything } from './faults.ts';
import { fuzz } from './fuzz.ts';
import { measureLoad } from './load.ts';
import { soak } from './soak.ts';

const LONG_MS = 180_000;

describe('a server', () => {
  it.each(['exact', 'shared'] as const)(
    'gives many clients at once the answers that each has alone: %s',
    { timeout: LONG_MS },
    async (batching) => {
      const stages = await measureLoad({
        batching,
        model: TINY_GPT2,
        seed: 1,
        clients: [1, 12],
        seconds: 2,
        keys: 2,
        threads: 1,
        mostTokens: 16,
        pieces: 10,
      });
      expect(stages.map(({ wrong, errors }) => [wrong, errors])).toEqual([
        [0, {}],
        [0, {}],
      ]);
      for (const { runs, ratio, lagP99 } of stages) {
        expect(runs).toBeGreaterThan(0);
        expect(ratio).toBeGreaterThan(0);
        expect(lagP99).not.toBeNaN();
      }
    },
  );

  it('ends every run once, whatever breaks, and leaves nothing over', { timeout: LONG_MS }, async () => {
    const results = await breakEverything({ seed: 2, trials: 1, bytesPerSecond: 20_000, patient: false });
    expect(results.flatMap(({ fault, violations }) => violations.map((one) => `${fault}: ${one}`))).toEqual(
      [],
    );
    expect(results.every(({ trials }) => trials > 0)).toBe(true);
    const ends = new Set(results.flatMap(({ ends }) => Object.keys(ends)));
    expect(ends).toContain('completed');
    expect(ends).toContain('failed');
  });

  it('keeps no file, socket or host of clients that have gone', { timeout: LONG_MS }, async () => {
    const result = await soak({ model: TINY_GPT2, seed: 3, seconds: 4, clients: 3 });
    expect(result).toMatchObject({ wrong: 0, errors: {}, orphanFiles: 0 });
    expect(result.runs).toBeGreaterThan(0);
    expect(result.unwelcomed).toBeGreaterThan(0);
    expect(result.files[1]).toBeLessThanOrEqual(result.files[0]);
    expect(result.hosts[1]).toBe(result.hosts[0]);
  });

  it('ends hostile graphs within its bounds, and serves the next client', { timeout: LONG_MS }, async () => {
    const result = await fuzz({
      seed: 4,
      graphs: 10,
      seconds: 60,
      runMs: 1000,
      stuckMs: 1000,
      memoryBytes: 512 * 1024 ** 2,
    });
    expect(result.violations).toEqual([]);
    expect(result.graphs).toBeGreaterThan(0);
  });
});
