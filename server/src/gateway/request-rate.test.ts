import { expect, it } from 'vitest';
import { RequestRate } from './request-rate.ts';

it('lets a peer ask so often at once, and then as often a second', () => {
  let now = 5000;
  const rate = new RequestRate(4, () => now);
  const asks = (count: number) => Array.from({ length: count }, () => rate.take('a'));
  expect(asks(6)).toEqual([0, 0, 0, 0, 250, 250]);
  now += 249;
  expect(asks(1)).toEqual([1]);
  now += 1;
  expect(asks(2)).toEqual([0, 250]);
  now += 60_000;
  expect(asks(5)).toEqual([0, 0, 0, 0, 250]);
});

it('counts each by itself', () => {
  const rate = new RequestRate(1, () => 0);
  expect([rate.take('a'), rate.take('b'), rate.take('a'), rate.take('b')]).toEqual([0, 0, 1000, 1000]);
});

it('takes as many as it says, however they come', () => {
  let now = 0;
  const rate = new RequestRate(7, () => now);
  let taken = 0;
  for (; now < 10_000; now += 13) if (rate.take('a') === 0) taken += 1;
  expect(taken).toBeGreaterThanOrEqual(75);
  expect(taken).toBeLessThanOrEqual(77);
});
