/** Sentences that say how things stand: what failed and what to do, what is still to come, what can't be had. */
import type { ComponentChildren, JSX } from 'preact';
import type { Fault } from '../faults.ts';
import type { PageRun } from '../runs.ts';

export function FaultNotice({ fault, again }: { readonly fault: Fault; again?: () => void }): JSX.Element {
  return (
    <div class="notice bad" role="alert">
      <p>
        <strong>{fault.what}</strong> {fault.advice}
      </p>
      {again && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Hint({ children }: { readonly children: ComponentChildren }): JSX.Element {
  return <p class="notice">{children}</p>;
}

/** A run that hasn't ended: how far it is, and a way out. */
export function Waiting({ run, cancel }: { readonly run: PageRun | undefined; cancel(): void }): JSX.Element {
  return (
    <div class="notice waiting" role="status">
      <p>
        {run?.what ?? 'The run'}: {run?.detail ?? 'starting'}…
      </p>
      <progress max={1} value={run?.part} aria-label={run?.what ?? 'run'} />
      <button type="button" onClick={cancel}>
        Cancel
      </button>
    </div>
  );
}
