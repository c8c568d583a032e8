import { expect, test } from 'vitest';
import { reason } from '../test/reason.ts';
import { arriving } from './arriving.ts';
import { localError } from './errors.ts';
import { CallSite } from './location.ts';
import { Saved } from './saved.ts';
import { type SavedValue, Tensor } from './tensor.ts';

const saved = (label: string): Saved<SavedValue> =>
  new Saved<SavedValue>({ outcome: { value: Tensor.from([1]) } }, label, new CallSite());

/** A run that a test drives. */
function driven() {
  let on: ((saved: Saved<SavedValue>) => void) | undefined;
  let settle: { resolve(): void; reject(error: unknown): void } | undefined;
  const values = arriving(({ onValue }) => {
    on = onValue;
    return new Promise<void>((resolve, reject) => {
      settle = { resolve, reject };
    });
  });
  return {
    values,
    come: (label: string) => on?.(saved(label)),
    end: () => settle?.resolve(),
    fail: (error: unknown) => settle?.reject(error),
  };
}

test('gives each value when it has come, before the run has ended', async () => {
  const { values, come, end } = driven();
  const first = values.next();
  come('a');
  expect((await first).value?.label).toBe('a');
  come('b');
  come('c');
  end();
  const rest: string[] = [];
  for await (const { label } of values) rest.push(label);
  expect(rest).toEqual(['b', 'c']);
});

test('gives what came, and then throws what the run rejects with', async () => {
  const { values, come, fail } = driven();
  const first = values.next();
  come('a');
  fail(localError('cancelled', 'The run was cancelled.'));
  expect((await first).value?.label).toBe('a');
  expect((await reason(values.next())).code).toBe('cancelled');
});

test('a loop that is left early leaves the run alone, and a failure later is nobody’s', async () => {
  const { values, come, fail } = driven();
  const first = values.next();
  come('a');
  await first;
  await values.return();
  fail(new Error('later'));
  expect((await values.next()).done).toBe(true);
});
