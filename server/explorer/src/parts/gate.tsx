/** What stands between the page and the server: nobody answers, models are being loaded, a key is wanted. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Server, ServerState } from '../server.ts';
import { FaultNotice, Hint } from './notice.tsx';

interface Props {
  readonly server: Server;
  readonly state: ServerState;
  /** Whether there is something on the page that is still of use. */
  readonly hasModels: boolean;
}

export function Gate({ server, state, hasModels }: Props): JSX.Element | null {
  const again = (): void => server.ask();
  switch (state.at) {
    case 'open':
      return null;
    case 'asking':
      return hasModels ? null : <Hint>Asking the server for its models…</Hint>;
    case 'gone': {
      const advice = `Start it again with tracewire serve. The page keeps trying${hasModels ? ', and what you see stays' : ''}.`;
      return (
        <FaultNotice
          fault={{ what: `The server at ${server.origin} does not answer.`, advice }}
          again={again}
        />
      );
    }
    case 'starting':
      return (
        <Hint>
          The server is there but not ready: it loads its models, or is going away. The page waits for it.
        </Hint>
      );
    case 'refused': {
      const advice = 'Whoever runs the server can change that.';
      return <FaultNotice fault={{ what: state.why, advice }} again={again} />;
    }
    case 'locked':
      return <KeyForm server={server} why={state.why} />;
  }
}

function KeyForm({
  server,
  why,
}: {
  readonly server: Server;
  readonly why: string | undefined;
}): JSX.Element {
  const [key, setKey] = useState('');
  return (
    <form
      class="notice key-form"
      onSubmit={(event) => {
        event.preventDefault();
        server.unlock(key.trim());
      }}
    >
      <h2>This server wants a key</h2>
      {why !== undefined && <p role="alert">{why}</p>}
      <p class="quiet">
        Whoever runs it makes one with <code>tracewire keys make NAME</code>. The page keeps it until this tab
        is closed.
      </p>
      <label>
        Key
        <input
          type="password"
          autocomplete="off"
          required
          pattern="\s*[\x21-\x7e]+\s*"
          title="A key has no spaces"
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
        />
      </label>
      <button type="submit">Use the key</button>
    </form>
  );
}
