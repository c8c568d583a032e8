/**
 * A trace over a data set: a few runs at a time, results in the order of the items, errors with the item that they belong
 * to. No more is held than what runs and what waits for its turn, together as many as `concurrency`.
 */
import { type ErrorCode, TracewireError } from '@tracewire/protocol/core';
import { abortable } from './abort.ts';
import { localError } from './errors.ts';
import { describe } from './options.ts';

/** Items one after the other: an array, a generator, lines of a file. They are taken when there is room. */
export type Items<P> = Iterable<P> | AsyncIterable<P>;

/** What came of one item. */
export class Mapped<P, T> {
  /** From 0. */
  readonly index: number;
  readonly item: P;
  /** Why there is no result; undefined where there is one. */
  readonly error: Error | undefined;
  readonly #result: T | undefined;

  constructor(index: number, item: P, outcome: { readonly result: T } | { readonly error: Error }) {
    this.index = index;
    this.item = item;
    this.error = 'error' in outcome ? outcome.error : undefined;
    this.#result = 'result' in outcome ? outcome.result : undefined;
  }

  /** What the function returned for the item, its handles filled. Throws `error` where there is one. */
  get result(): T {
    if (this.error) throw this.error;
    return this.#result as T;
  }
}

/** These would be the same for every item, so they end the loop. */
const FOR_ALL: ReadonlySet<ErrorCode> = new Set([
  'unreachable',
  'refused_upgrade',
  'unauthorized',
  'unsupported_version',
  'protocol_violation',
  'not_installed',
  'unknown_model',
  'not_offered',
  'closed',
  'connection_lost',
  'shutting_down',
  'model_not_found',
  'model_invalid',
  'model_unsupported',
]);

export interface MapRun<P, T> {
  readonly items: Items<P>;
  readonly concurrency: number;
  readonly signal: AbortSignal | undefined;
  /** Runs one item; the signal cancels it. */
  run(item: P, index: number, signal: AbortSignal): Promise<T>;
}

/** Throws what is wrong for all items, and what the items' own iterator throws; whoever leaves the loop cancels what runs. */
export async function* mapItems<P, T>({
  items,
  concurrency,
  signal,
  run,
}: MapRun<P, T>): AsyncGenerator<Mapped<P, T>, void, undefined> {
  const source = iteratorOf(items);
  const stop = new AbortController();
  const abort = (): void => stop.abort(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  const window: Promise<Mapped<P, T>>[] = [];
  let index = 0;
  let taking: Promise<IteratorResult<P>> | undefined;
  let over = false;
  try {
    while (!over || window.length > 0) {
      if (!over && window.length < concurrency) taking ??= Promise.resolve(source.next());
      const [first] = window;
      const next = Promise.race([
        ...(first ? [first.then((mapped) => ({ mapped }))] : []),
        ...(taking ? [taking.then((taken) => ({ taken }))] : []),
      ]);
      const came = await abortable(next, stop.signal);
      if ('taken' in came) {
        taking = undefined;
        over = came.taken.done === true;
        if (!came.taken.done) window.push(settled(came.taken.value, index++, stop.signal, run));
      } else {
        window.shift();
        const { error } = came.mapped;
        if (error instanceof TracewireError && FOR_ALL.has(error.code)) throw error;
        yield came.mapped;
      }
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    stop.abort(new Error('the loop over the data set ended'));
    if (!over) void Promise.resolve(source.return?.()).catch(() => undefined);
  }
}

/** Never rejects. */
async function settled<P, T>(
  item: P,
  index: number,
  signal: AbortSignal,
  run: MapRun<P, T>['run'],
): Promise<Mapped<P, T>> {
  try {
    return new Mapped(index, item, { result: await run(item, index, signal) });
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
    return new Mapped<P, T>(index, item, { error });
  }
}

function iteratorOf<P>(items: Items<P>): Iterator<P> | AsyncIterator<P> {
  if (typeof items === 'object' && items !== null) {
    if (Symbol.asyncIterator in items) return items[Symbol.asyncIterator]();
    if (Symbol.iterator in items) return items[Symbol.iterator]();
  }
  const message = `map wants a list of prompts, or something else to loop over, not ${describe(items)}: model.map([prompt, …], (m) => …).`;
  throw localError('bad_input', message, { wanted: 'an iterable of prompts', got: describe(items) });
}
