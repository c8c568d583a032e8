/** A session whose traces are the prompts of one pass: each `trace` is an `invoke`. */
import type { Batch } from './batch.ts';
import { localError } from './errors.ts';
import type { TraceInput } from './input.ts';
import { describe } from './options.ts';
import type { Session } from './session.ts';
import type { Trace } from './trace-context.ts';

/** What such a session's function is called with, as the function of a batch. */
export function inOnePass<T>(fn: (s: Session) => T): (t: Batch) => T {
  return (t) => {
    let traces = 0;
    const trace = (...written: readonly unknown[]): unknown => {
      traces += 1;
      const [first, second] = written;
      if (written.length === 1 && typeof first === 'function') return (first as (t: Batch) => unknown)(t);
      if (written.length !== 2 || typeof second !== 'function')
        throw localError(
          'misuse',
          `trace wants a prompt and a function that writes the trace, not ${written.length === 2 ? describe(second) : `${written.length} arguments`}: s.trace(prompt, (m) => m.lm_head.output.save()).`,
        );
      return t.invoke(first as TraceInput, second as (m: Trace) => unknown);
    };
    const generate = (): never => {
      throw localError(
        'misuse',
        'A session with batch: true is one pass, and a generation is many. Leave batch out, or generate in a session of its own.',
      );
    };
    const result = fn({ trace, generate } as unknown as Session);
    if (traces === 0)
      throw localError('misuse', 'The session has no trace. Add one: s.trace(prompt, (m) => …).');
    return result;
  };
}
