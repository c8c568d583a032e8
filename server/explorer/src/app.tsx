/** The whole page: the server's state above, models and runs aside, the workbench in the middle. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Models } from './models.ts';
import { Gate } from './parts/gate.tsx';
import { ModelList } from './parts/model-list.tsx';
import { Queue } from './parts/queue.tsx';
import { RunList } from './parts/run-list.tsx';
import { TopBar } from './parts/top-bar.tsx';
import type { Runs } from './runs.ts';
import type { ModelState, Server } from './server.ts';
import { useStore } from './store.ts';
import { Workbench } from './workbench.tsx';

export interface Parts {
  readonly server: Server;
  readonly models: Models;
  readonly runs: Runs;
}

export function App({ server, models, runs }: Parts): JSX.Element {
  const state = useStore(server.state);
  const known = useLast(state.at === 'open' ? state.models : undefined);
  const [wanted, setWanted] = useHash();
  // Without an answer the page stays as it was; without a key there is nothing to show.
  const listed = state.at === 'locked' || state.at === 'refused' ? [] : (known ?? []);
  const name = listed.find((model) => model.name === wanted)?.name ?? listed[0]?.name;
  return (
    <>
      <a class="skip" href="#workbench">
        Skip to the workbench
      </a>
      <TopBar server={server} state={state} />
      <Gate server={server} state={state} hasModels={known !== undefined} />
      {name !== undefined && (
        <div class="page">
          <aside aria-label="Models and runs">
            <ModelList models={listed} chosen={name} onChoose={setWanted} stale={state.at !== 'open'} />
            <RunList runs={runs} />
            <Queue server={server} runs={runs} listed={state.at === 'open' ? state.runs : []} />
          </aside>
          <main id="workbench" tabIndex={-1}>
            <Workbench
              key={`${name} ${server.key ?? ''}`}
              server={server}
              model={models.get(name)}
              runs={runs}
            />
          </main>
        </div>
      )}
      {state.at === 'open' && state.models.length === 0 && <p class="notice">This server has no models.</p>}
    </>
  );
}

function useLast(models: readonly ModelState[] | undefined): readonly ModelState[] | undefined {
  const [last, setLast] = useState<readonly ModelState[] | undefined>(undefined);
  useEffect(() => {
    if (models) setLast(models);
  }, [models]);
  return models ?? last;
}

/** The model's name in the address, so that it can be kept and shared. */
function useHash(): readonly [string, (name: string) => void] {
  const read = (): string => decoded(location.hash.slice(2));
  const [name, setName] = useState(read);
  useEffect(() => {
    const follow = (): void => {
      if (location.hash.startsWith('#/')) setName(read());
    };
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return [
    name,
    (chosen) => {
      location.hash = `#/${encodeURIComponent(chosen)}`;
      setName(chosen);
    },
  ];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
