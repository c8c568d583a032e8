/** Shows how models load, so that a long first preparation does not look like a hang. */
import type { Loading } from '../gateway/host-handle.ts';
import type { Log } from '../gateway/log.ts';

/** At most one line a second for each phase. */
const INTERVAL_MS = 1000;

export type ShowLoading = (loading: Loading) => void;

/** On a terminal plain lines, else log lines. */
export function loadingProgress(model: string, terminal: boolean, log: Log): ShowLoading {
  let phase = '';
  let shown = 0;
  return (loading) => {
    const now = performance.now();
    if (loading.phase === phase && now - shown < INTERVAL_MS) return;
    phase = loading.phase;
    shown = now;
    if (terminal) process.stderr.write(`${model}: ${describe(loading)}\n`);
    else log.info({ model, ...loading }, 'loading');
  };
}

function describe({ phase, done, total }: Loading): string {
  return total > 0 && done > 0 ? `${phase} ${Math.floor((100 * done) / total)}%` : `${phase} …`;
}
