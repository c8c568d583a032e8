import { expect, it } from 'vitest';
import { HeldTokens, TOGETHER_MS } from './held-tokens.ts';

it('sends the first token at once, and those that come soon after it together, in order', () => {
  const sent: number[] = [];
  let now = 0;
  const tokens = new HeldTokens<number>(
    (token) => void sent.push(token),
    () => now,
  );
  tokens.take(0);
  expect(sent).toEqual([0]);
  now += 1;
  tokens.take(1);
  now += 1;
  tokens.take(2);
  expect(sent).toEqual([0]);
  now = TOGETHER_MS;
  tokens.take(3);
  expect(sent).toEqual([0, 1, 2, 3]);
  now += TOGETHER_MS;
  tokens.take(4);
  expect(sent).toEqual([0, 1, 2, 3, 4]);
});

it('sends what it holds when asked, once', () => {
  const sent: number[] = [];
  const tokens = new HeldTokens<number>(
    (token) => void sent.push(token),
    () => 0,
  );
  tokens.take(0);
  tokens.take(1);
  tokens.flush();
  tokens.flush();
  expect(sent).toEqual([0, 1]);
});
