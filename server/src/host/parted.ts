/** What a pass over joined runs tells (join.ts), told to each run: its own, under its own ids. */
import type { ErrorBody } from '@tracewire/protocol';
import type { RunListener } from '../engine/outcomes.ts';

/** `firsts`: the first node of each run in the joined graph. */
export function parted(firsts: readonly number[], listenerOf: (run: number) => RunListener): RunListener {
  const listeners = firsts.map((_, run) => listenerOf(run));
  const tell = (node: number, how: (own: RunListener, id: number, by: number) => void): void => {
    const run = firsts.findLastIndex((first) => first <= node);
    const [own, by = 0] = [listeners[run], firsts[run]];
    if (own) how(own, node - by, by);
  };
  return {
    value: (save, value) => tell(save, (own, id) => own.value(id, value)),
    accessError: (save, error) => tell(save, (own, id, by) => own.accessError(id, moved(error, by))),
    log: (node, text, value) => tell(node, (own, id) => own.log(id, text, value)),
    progress: (done, total) => {
      for (const own of listeners) own.progress(done, total);
    },
    token: () => {
      throw new Error('runs that share a pass generate no tokens');
    },
  };
}

/** An error about a run's own nodes. */
function moved({ node, cause, ...rest }: ErrorBody, by: number): ErrorBody {
  return {
    ...rest,
    ...(node === undefined ? {} : { node: node - by }),
    ...(cause === undefined ? {} : { cause: moved(cause, by) }),
  };
}
