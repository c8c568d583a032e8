import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { f32, scripted } from '../test/scripted-server.ts';
import type { RunCallbacks } from './filler.ts';
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
  line.onEnd();
  expect(shown()).toBe('');
});

test('is quiet about what is quick, and writes no more often than one can read', () => {
  const { line, later, written } = terminal();
  line.onProgress({ done: 1, total: 12 });
  expect(written()).toBe('');
  later(() => line.onProgress({ done: 2, total: 12 }));
  line.onProgress({ done: 3, total: 12 });
  expect(written()).not.toContain('part 3');
  line.onEnd();
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

/** A trace whose line shows its second part. */
async function begun(over: { readonly signal?: AbortSignal } & RunCallbacks = {}) {
  const { line, shown } = terminal();
  const { model, server } = scripted();
  const trace = model.trace('a', { ...line, ...over }, (m) => m.lm_head.output.save());
  const ended = trace.then(
    () => undefined,
    (error: unknown) => error,
  );
  const run = await server.nextRun();
  run.status('received');
  run.status('running');
  const progress = async (): Promise<void> => {
    vi.advanceTimersByTime(400);
    server.send({ type: 'progress', run: run.id, done: 2, total: 12 });
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await progress();
  expect(shown()).toBe('running part 2 of 12');
  return { model, run, ended, shown, progress };
}

test('is gone as soon as the run ends for its client: by a signal, a callback, a lost connection', async () => {
  const controller = new AbortController();
  const aborted = await begun({ signal: controller.signal });
  controller.abort();
  expect(aborted.shown()).toBe('');
  await aborted.progress();
  expect(aborted.shown()).toBe('');
  expect(await aborted.ended).toMatchObject({ code: 'cancelled' });

  const thrown = await begun({
    onValue: () => {
      throw new Error('enough');
    },
  });
  thrown.run.value(thrown.run.saves[0] ?? -1, f32([1], 1));
  expect(await thrown.ended).toMatchObject({ message: 'enough' });
  expect(thrown.shown()).toBe('');

  const closed = await begun();
  await closed.model.close();
  expect(await closed.ended).toMatchObject({ code: 'closed' });
  expect(closed.shown()).toBe('');
});

test('what a run’s end is told to may fail it, but not hide why it failed', async () => {
  const onEnd = (): void => {
    throw new Error('enough');
  };
  const { run, ended } = await begun({ onEnd });
  run.value(run.saves[0] ?? -1, f32([1], 1));
  run.complete();
  expect(await ended).toMatchObject({ message: 'enough' });
  const aborted = await begun({ onEnd, signal: AbortSignal.timeout(60) });
  expect(await aborted.ended).toMatchObject({ code: 'cancelled' });
});
