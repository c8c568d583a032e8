import { describe, expect, it } from 'vitest';
import { Generator } from './random.ts';
import { chooseToken, lastLogits } from './sampler.ts';

const NONE: ReadonlySet<number> = new Set();
const at = (u: number) => ({ uniform: () => u });
const choose = (logits: readonly number[], options: object, u = 0, seen = NONE): number =>
  chooseToken(Float64Array.from(logits), { maxNewTokens: 1, ...options }, seen, 0, at(u));
/** Which ids can be drawn at all. */
const drawable = (logits: readonly number[], options: object): number[] => {
  const found = new Set(
    Array.from({ length: 999 }, (_, u) => choose(logits, { temperature: 1, ...options }, u / 999)),
  );
  return [...found].sort((a, b) => a - b);
};

describe('greedy', () => {
  it('takes the highest, of equal ones the lowest id', () => {
    expect(choose([1, 3, 3, 2], {})).toBe(1);
    expect(choose([1, 3, 3, 2], { temperature: 0, topK: 4 }, 0.99)).toBe(1);
    expect(choose([Number.NEGATIVE_INFINITY, -5], {})).toBe(1);
  });

  it('after the penalty, once for each id: what is above 0 is divided, what is not is multiplied', () => {
    expect(choose([4, 3], { repetitionPenalty: 2 }, 0, new Set([0]))).toBe(1);
    expect(choose([-1, -1.5], { repetitionPenalty: 2 }, 0, new Set([0]))).toBe(1);
    expect(choose([4, 3], { repetitionPenalty: 2 }, 0, new Set([0, 1, 99]))).toBe(0);
  });
});

describe('drawing', () => {
  it('goes by rising id: the first whose running sum is above u', () => {
    const logits = [Math.log(0.2), Math.log(0.5), Math.log(0.3)];
    expect([0, 0.19, 0.21, 0.69, 0.71, 0.999].map((u) => choose(logits, { temperature: 1 }, u))).toEqual([
      0, 0, 1, 1, 2, 2,
    ]);
    expect(choose([0, 0, Number.NEGATIVE_INFINITY], { temperature: 1 }, 1 - 2 ** -53)).toBe(1);
  });

  it('is flatter the hotter it is', () => {
    const logits = [0, 2];
    expect(choose(logits, { temperature: 0.1 }, 0.01)).toBe(1);
    expect(choose(logits, { temperature: 10 }, 0.4)).toBe(0);
  });

  it('with topK keeps the highest, and all that equal the last of them', () => {
    expect(drawable([1, 2, 3, 2], { topK: 1 })).toEqual([2]);
    expect(drawable([1, 2, 3, 2], { topK: 2 })).toEqual([1, 2, 3]);
    expect(drawable([1, 2, 3, 2], { topK: 99 })).toEqual([0, 1, 2, 3]);
  });

  it('with topP keeps the most probable up to the one that reaches it, of equal ones the lowest ids', () => {
    const logits = [0.1, 0.4, 0.3, 0.2].map(Math.log);
    expect(drawable(logits, { topP: 0.35 })).toEqual([1]);
    expect(drawable(logits, { topP: 0.65 })).toEqual([1, 2]);
    expect(drawable(logits, { topP: 1 })).toEqual([0, 1, 2, 3]);
    expect(drawable([0, 0, 0, 0], { topP: 0.5 })).toEqual([0, 1]);
  });

  it('takes the number of the step', () => {
    const numbers = new Generator(7);
    const tokens = Array.from({ length: 50 }, (_, step) =>
      chooseToken(new Float64Array(1000), { maxNewTokens: 1, temperature: 1 }, NONE, step, numbers),
    );
    // Sums of 1/1000 are off by float error only.
    const wanted = tokens.map((_, step) => numbers.uniform(step) * 1000);
    for (const [step, token] of tokens.entries())
      expect(Math.abs(token + 0.5 - (wanted[step] ?? 0))).toBeLessThan(0.51);
  });
});

describe('logits', () => {
  it('that are NaN, or infinite where one is drawn, are an error that names the step', () => {
    expect(() => choose([1, Number.NaN], {})).toThrow(/step 0.*token 1 is NaN/);
    expect(() => choose([1, Number.POSITIVE_INFINITY], { temperature: 1 })).toThrow(/highest is Infinity/);
    expect(() => choose([Number.NEGATIVE_INFINITY], { temperature: 1 })).toThrow(/highest is -Infinity/);
    expect(choose([1, Number.POSITIVE_INFINITY], {})).toBe(1);
  });

  it('are those of the last position, as float64, of half floats too', () => {
    const data = Float32Array.from([1, 2, 3, 4]);
    const double = (bits: number): number => bits * 2;
    expect([...lastLogits({ dtype: 'float32', dims: [1, 2, 2], data }, double)]).toEqual([3, 4]);
    const half = { dtype: 'float16' as const, dims: [1, 1, 2], data: Uint16Array.from([5, 6]) };
    expect([...lastLogits(half, double)]).toEqual([10, 12]);
    const whole = { dtype: 'int32' as const, dims: [1, 1, 1], data: Int32Array.from([5]) };
    expect(() => lastLogits(whole, double)).toThrow(/int32/);
  });
});
