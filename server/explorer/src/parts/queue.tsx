/** The runs of others that the page may see: those of its key, or without keys of everybody; the next first. */
import type { JSX } from 'preact';
import type { Runs } from '../runs.ts';
import type { Server, ServerRun } from '../server.ts';
import { useStore } from '../store.ts';

interface Props {
  readonly server: Server;
  readonly runs: Runs;
  /** All that the server tells, the page's own among them. */
  readonly listed: readonly ServerRun[];
}

export function Queue({ server, runs, listed }: Props): JSX.Element {
  const own = new Set(useStore(runs.list).map(({ handle }) => handle));
  const others = listed.filter(({ handle }) => !own.has(handle));
  return (
    <section aria-labelledby="queue-title">
      <h2 id="queue-title">
        {server.key === undefined ? 'Other runs on this server' : 'Other runs of this key'}
      </h2>
      {others.length === 0 && <p class="quiet">None.</p>}
      <ol class="runs others">
        {others.map((run) => (
          <li key={run.handle} class={run.state}>
            <b>{run.model}</b>
            <span class="quiet">{run.detached ? 'detached' : ''}</span>
            <span class="run-detail">{detailOf(run)}</span>
            <button
              type="button"
              aria-label={`Cancel the run of ${run.model} that is ${run.state}, ${run.handle.slice(0, 6)}`}
              onClick={() => void server.cancel(run.handle)}
            >
              Cancel
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}

function detailOf({ state, position, ageMs, runningMs }: ServerRun): string {
  if (state === 'running') return `running for ${timeOf(runningMs ?? ageMs)}`;
  const place =
    position === undefined ? 'received' : position === 0 ? 'queued: next' : `queued: ${position} ahead`;
  return `${place}, came ${timeOf(ageMs)} ago`;
}

/** No more often than the server is asked. */
function timeOf(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
