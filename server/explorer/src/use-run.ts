/** A view's run: started when what it depends on changes, cancelled when that changes again, kept when it has ended. */
import { useCallback, useEffect, useState } from 'preact/hooks';
import { type Fault, faultOf } from './faults.ts';
import type { Started } from './runs.ts';

export type Outcome<T> =
  | { readonly at: 'idle' }
  | { readonly at: 'running'; readonly id: number }
  | { readonly at: 'done'; readonly value: T }
  | { readonly at: 'failed'; readonly fault: Fault };

export interface ViewRun<T> {
  readonly outcome: Outcome<T>;
  again(): void;
  cancel(): void;
}

/** Results of views that were left, so that coming back costs nothing. */
const kept = new Map<string, unknown>();
const KEPT = 40;

/** `key` says all that the run depends on; without one nothing runs. */
export function useRun<T>(key: string | undefined, start: () => Started<T>): ViewRun<T> {
  const [, draw] = useState(0);
  const [round, setRound] = useState(0);
  const [state, setState] = useState<{ key: string | undefined; outcome: Outcome<T>; cancel: () => void }>({
    key: undefined,
    outcome: { at: 'idle' },
    cancel: () => undefined,
  });
  // The key stands for all that start uses.
  useEffect(() => {
    if (key === undefined || kept.has(key)) return;
    let current = true;
    const run = start();
    setState({ key, outcome: { at: 'running', id: run.id }, cancel: run.cancel });
    const settle = (outcome: Outcome<T>): void => {
      if (current) setState({ key, outcome, cancel: () => undefined });
    };
    run.result.then(
      (value) => {
        keep(key, value);
        settle({ at: 'done', value });
        draw((count) => count + 1);
      },
      (error) => settle({ at: 'failed', fault: faultOf(error) }),
    );
    return () => {
      current = false;
      run.cancel();
    };
  }, [key, round]);
  const again = useCallback(() => {
    if (key !== undefined) kept.delete(key);
    setRound((count) => count + 1);
  }, [key]);
  return { outcome: outcomeOf(key, state), again, cancel: state.cancel };
}

function outcomeOf<T>(
  key: string | undefined,
  state: { readonly key: string | undefined; readonly outcome: Outcome<T> },
): Outcome<T> {
  if (key !== undefined && kept.has(key)) return { at: 'done', value: kept.get(key) as T };
  return state.key === key ? state.outcome : { at: 'idle' };
}

function keep(key: string, value: unknown): void {
  kept.set(key, value);
  const [oldest] = kept.keys();
  if (kept.size > KEPT && oldest !== undefined) kept.delete(oldest);
}
