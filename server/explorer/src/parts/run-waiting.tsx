/** A view's run while it goes on. */
import type { JSX } from 'preact';
import type { Runs } from '../runs.ts';
import { useStore } from '../store.ts';
import { Waiting } from './notice.tsx';

interface Props {
  readonly runs: Runs;
  readonly id: number;
  cancel(): void;
}

export function RunWaiting({ runs, id, cancel }: Props): JSX.Element {
  const list = useStore(runs.list);
  return <Waiting run={list.find((run) => run.id === id)} cancel={cancel} />;
}
