/** The tiniest models of the matrix: every module that PyTorch has and that computes, in the engine, as `npm run parity` compares. */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/server.ts';
import { compareModel } from './compare.ts';
import { cutToleranceOf, type Entry, readEntries, toleranceOf } from './entries.ts';
import { isSound, summaryOf } from './report.ts';

const FOLDER = path.join(ROOT, 'test/fixtures/matrix');

describe('the matrix’s fixtures and PyTorch', () => {
  it.each(readEntries(FOLDER, []))(
    '$architecture/$variant',
    async (entry: Entry) => {
      const home = path.join(FOLDER, entry.architecture);
      const result = await compareModel(
        path.join(home, entry.variant),
        path.join(home, 'reference.safetensors'),
        toleranceOf(entry),
        cutToleranceOf(entry),
      );
      const judged = { entry, result };
      expect(isSound(judged), summaryOf(judged)).toBe(true);
      const unexplained = result.modules.filter(({ hooked, reason }) => !hooked && !reason);
      expect(unexplained).toEqual([]);
    },
    120_000,
  );
});
