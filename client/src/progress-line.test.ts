import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { progressLine } from './progress-line.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

function terminal(isTTY = true) {
  let written = '';
  const write = (text: string): void => {
    written += text;
  };
  const line = progressLine({ isTTY, columns: 40, write });
  /** What is on the line now. */
  const shown = (): string => written.split('\r\u001b[K').at(-1) ?? '';
  const later = (act: () => void): string => {
    vi.advanceTimersByTime(400);
    act();
    return shown();
  };
  return { line, later, shown, written: () => written };
}

test('says what a run waits for, and leaves nothing behind', () => {
  const { line, later, shown } = terminal();
  expect(later(() => line.onStatus({ run: 'a', state: 'queued', position: 1, waitMs: 2400 }))).toBe(
    'queued at place 2, about 3 s',
  );
  expect(later(() => line.onProgress({ phase: 'loading', done: 0, total: 0 }))).toBe('loading the model');
  expect(later(() => line.onProgress({ phase: 'loading', done: 2, total: 5 }))).toBe('loading 40%');
  expect(later(() => line.onProgress({ done: 7, total: 12 }))).toBe('running part 7 of 12');
  expect(later(() => line.onProgress({ phase: 'receiving', done: 12_000_000, total: 25e6 }))).toBe(
    'receiving 12 of 25 MB',
  );
  line.onStatus({ run: 'a', state: 'completed' });
  expect(shown()).toBe('');
});

test('is quiet about what is quick, and writes no more often than one can read', () => {
  const { line, later, written } = terminal();
  line.onProgress({ done: 1, total: 12 });
  expect(written()).toBe('');
  later(() => line.onProgress({ done: 2, total: 12 }));
  line.onProgress({ done: 3, total: 12 });
  expect(written()).not.toContain('part 3');
  line.onStatus({ run: 'a', state: 'completed' });
  const before = written();
  line.onProgress({ done: 1, total: 12 });
  expect(written()).toBe(before);
});

test('shows nothing where there is no terminal, and stays within its line', () => {
  const { line, later, written } = terminal(false);
  later(() => line.onProgress({ done: 1, total: 2 }));
  expect(written()).toBe('');
  const narrow = terminal();
  expect(narrow.later(() => narrow.line.onProgress({ done: 1e30, total: 1e40 })).length).toBeLessThan(40);
});
