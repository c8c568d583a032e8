/** The page's runs, the newest first. */
import type { JSX } from 'preact';
import type { PageRun, Runs } from '../runs.ts';
import { useStore } from '../store.ts';

const ENDED: ReadonlySet<PageRun['state']> = new Set(['completed', 'failed', 'cancelled']);

export function RunList({ runs }: { readonly runs: Runs }): JSX.Element {
  const list = useStore(runs.list);
  return (
    <section aria-labelledby="runs-title">
      <h2 id="runs-title">Runs of this page</h2>
      {list.length === 0 && <p class="quiet">None yet.</p>}
      <ol class="runs">
        {list.map((run) => (
          <li key={run.id} class={run.state} title={run.fault?.what}>
            <b>{run.what}</b>
            <span class="quiet">{run.model}</span>
            <span class="run-detail">
              {run.detail}
              {run.ms !== undefined && ` · ${timeOf(run.ms)}`}
            </span>
            {!ENDED.has(run.state) && (
              <>
                <progress max={1} value={run.part} aria-label={`${run.what}: how far`} />
                <button type="button" aria-label={`Cancel ${run.what}`} onClick={() => runs.cancel(run.id)}>
                  Cancel
                </button>
              </>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}

const timeOf = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
