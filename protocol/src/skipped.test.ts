import { expect, it } from 'vitest';
import type { Steps } from './graph.ts';
import { Skipped } from './skipped.ts';

/** `[skipped before, steps, all of them, any of them]` */
it.each<[Steps[], Steps, boolean, boolean]>([
  [[3], 3, true, true],
  [[3], 4, false, false],
  [[1, 3], [1, 3], true, true],
  [[1], [1, 3], false, true],
  [[[1, 3, 5]], { start: 1, end: 6, step: 2 }, true, true],
  [[{}], { start: 4 }, true, true],
  [[{}], { start: 4, end: 1e9 }, true, true],
  [[{ start: 2 }], {}, false, true],
  [[{ start: 1, step: 2 }], { start: 3, step: 4 }, true, true],
  [[{ start: 1, step: 2 }], { start: 0, step: 2 }, false, false],
  [[{ end: 3 }, { start: 3 }], 2, true, true],
  [[{ end: 3 }], { start: 3 }, false, false],
  [[{}], [], false, false],
])('%j skips %j: all %s, any %s', (before, steps, all, any) => {
  const skipped = new Skipped();
  for (const one of before) expect(skipped.add('h.1', undefined, one)).toBe(true);
  expect([skipped.inAll('h.1', 0, steps), skipped.inAny('h.1', 0, steps)]).toEqual([all, any]);
  expect(skipped.add('h.1', undefined, steps)).toBe(!any);
  expect([skipped.inAny('h.1', 1, 0), skipped.inAny('h.2', 0, 0)]).toEqual([false, false]);
});

it('takes a bounded number of ranges', () => {
  const skipped = new Skipped();
  const added = Array.from({ length: 20 }, (_, n) => skipped.add('h', 0, { start: 2 * n, end: 2 * n + 2 }));
  expect(added.filter(Boolean)).toHaveLength(16);
});
