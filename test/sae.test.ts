/** The example of docs/SAE.md: its printed facts hold. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from './support/server.ts';

it('an SAE of block 2 is trained, called, and read', { timeout: 280_000 }, () => {
  const example = path.join(ROOT, 'docs/examples/sae.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', example], {
    encoding: 'utf8',
  });
  expect(
    stderr
      .split('\n')
      .filter((line) => !line.startsWith('npm warn'))
      .join('\n')
      .trim(),
  ).toBe('');
  expect(status).toBe(0);
  expect(stdout).toContain('7801 activations: 32 of 66 modules a pass, which stops after transformer.h.2.');
  expect(stdout).toContain('reconstruction [batch, position, 128], features [batch, position, 256]');
  const number = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1]);
  // 87.2% when this was written.
  expect(number(/explains (\S+)% of the variance/)).toBeGreaterThan(80);
  expect(number(/with (\S+) of 256 features/)).toBeLessThanOrEqual(16.1);
  // 0.63, 0.75 and 7.58.
  expect(number(/^Loss (\S+);/m)).toBeLessThan(0.8);
  expect(number(/with the reconstruction (\S+), with/)).toBeLessThan(number(/^Loss (\S+);/m) + 0.4);
  expect(number(/: (\S+)% recovered/)).toBeGreaterThan(94);
  expect(stdout).toContain('city of … Paris; with the reconstruction … Paris.');
  const features = (subject: string): string[] => {
    const line = stdout.split('\n').find((one) => one.startsWith(`${subject}:`)) ?? '';
    return [...line.matchAll(/(\d+) \(/g)].map(([, feature = '']) => feature);
  };
  const shared = (one: string, other: string): number =>
    features(one).filter((feature) => features(other).includes(feature)).length;
  expect(features('The Eiffel Tower')).toHaveLength(5);
  expect(shared('The Eiffel Tower', 'The Colosseum')).toBeGreaterThan(0);
  expect(shared('The Eiffel Tower', 'Mary and John')).toBe(0);
});
