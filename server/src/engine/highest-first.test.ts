import { expect, it } from 'vitest';
import { HighestFirst } from './highest-first.ts';
import { Generator } from './random.ts';

const taken = (numbers: readonly number[], floor = Number.NEGATIVE_INFINITY): number[] => {
  const order = new HighestFirst(Float64Array.from(numbers), floor);
  const found: number[] = [];
  for (let index = order.take(); index !== undefined; index = order.take()) found.push(index);
  return found;
};

it('takes the order of a sort: the highest first, of equal ones the lowest index', () => {
  const random = new Generator(3);
  for (let length = 0; length < 60; length++) {
    // Few different numbers, so that many are equal.
    const numbers = Array.from({ length }, (_, index) =>
      Math.floor(random.uniform(length * 100 + index) * 9),
    );
    const sorted = numbers
      .map((number, index) => ({ number, index }))
      .sort((a, b) => b.number - a.number || a.index - b.index);
    expect(taken(numbers)).toEqual(sorted.map(({ index }) => index));
  }
});

it('leaves out what is not above the floor', () => {
  expect(taken([0, 0.5, 0, 0.25], 0)).toEqual([1, 3]);
  expect(taken([Number.NEGATIVE_INFINITY, 1])).toEqual([1]);
});
