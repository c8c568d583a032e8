/** What a run reports while it goes: the engine's side of the host's events. */
import type { ErrorBody, Report, Value } from '@tracewire/protocol';

export interface RunListener {
  value(save: number, value: Value): void;
  accessError(save: number, error: ErrorBody): void;
  log(node: number, text: string | undefined, value: Value | undefined): void;
  progress(done: number, total: number): void;
}

export interface RunOutcome {
  readonly state: 'completed' | 'failed' | 'cancelled';
  readonly errors: readonly ErrorBody[];
  readonly report: Report | undefined;
}
