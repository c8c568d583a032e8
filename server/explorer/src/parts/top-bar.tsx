/** The page's head: what it is, which server it talks to, and how that is. */
import type { JSX } from 'preact';
import type { Server, ServerState } from '../server.ts';

const WORDS: Readonly<Record<ServerState['at'], string>> = {
  asking: 'connecting',
  gone: 'no answer',
  starting: 'not ready',
  locked: 'wants a key',
  refused: 'refused',
  open: 'connected',
};

export function TopBar({
  server,
  state,
}: {
  readonly server: Server;
  readonly state: ServerState;
}): JSX.Element {
  return (
    <header class="top">
      <h1>
        Tracewire <span>explorer</span>
      </h1>
      <p class="status" role="status">
        <i class={`dot ${state.at}`} aria-hidden="true" />
        <code>{server.origin.replace(/^https?:\/\//, '')}</code> {WORDS[state.at]}
      </p>
      {server.key !== undefined && state.at === 'open' && (
        <button type="button" onClick={() => server.unlock(undefined)}>
          Forget the key
        </button>
      )}
    </header>
  );
}
