/** Saved values as they arrive, for a loop: a run's values come one after another, and the first needn't wait for the last. */
import type { RunCallbacks } from './filler.ts';
import type { Saved } from './saved.ts';
import type { SavedValue } from './tensor.ts';

/**
 * Runs what `start` does with the options that it is given, and gives each handle as soon as it has its value or its
 * access error. Ends with the run, and throws what that rejects with. Leaving the loop doesn't cancel the run: a
 * `signal` does.
 *
 *     for await (const saved of arriving((on) => model.trace(prompt, on, fn))) console.log(saved.label, saved.value);
 */
export async function* arriving(
  start: (on: Required<Pick<RunCallbacks, 'onValue'>>) => PromiseLike<unknown>,
): AsyncGenerator<Saved<SavedValue>, void, undefined> {
  const come: Saved<SavedValue>[] = [];
  let wake = (): void => undefined;
  let over = false;
  const onValue = (saved: Saved<SavedValue>): void => {
    come.push(saved);
    wake();
  };
  const end = (): void => {
    over = true;
    wake();
  };
  const run = start({ onValue });
  // Whoever loops gets the error there.
  run.then(end, end);
  while (true) {
    const next = come.shift();
    if (next) yield next;
    else if (over) break;
    else
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  }
  await run;
}
