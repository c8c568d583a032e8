/** The server's models, and how many runs wait for each. */
import type { JSX } from 'preact';
import type { ModelState } from '../server.ts';

interface Props {
  readonly models: readonly ModelState[];
  readonly chosen: string;
  /** The server has not answered since. */
  readonly stale: boolean;
  onChoose(name: string): void;
}

export function ModelList({ models, chosen, stale, onChoose }: Props): JSX.Element {
  return (
    <section aria-labelledby="models-title">
      <h2 id="models-title">Models</h2>
      <ul class="models">
        {models.map((model) => (
          <li key={model.name}>
            <button type="button" aria-pressed={model.name === chosen} onClick={() => onChoose(model.name)}>
              <b>{model.name}</b>
              <span class="quiet">{model.architecture}</span>
              <span class="queue">{stale ? 'unknown' : queueOf(model)}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function queueOf({ loaded, waiting, running }: ModelState): string {
  const words = [loaded ? undefined : 'not in memory', running > 0 ? `${running} running` : undefined];
  if (waiting > 0) words.push(`${waiting} waiting`);
  return words.filter(Boolean).join(', ') || 'idle';
}
