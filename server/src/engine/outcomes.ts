/** What a run reports while it goes: the engine's side of the host's events. */
import type { ErrorBody, Report, Value } from '@tracewire/protocol';

export interface RunListener {
  /** `step`, here and below: in a generation, and only there. */
  value(save: number, value: Value, step?: number): void;
  accessError(save: number, error: ErrorBody, step?: number): void;
  log(node: number, text: string | undefined, value: Value | undefined, step?: number): void;
  progress(done: number, total: number): void;
  /** A token of a generation, behind the values of its step. */
  token(token: ChosenToken): void;
}

export interface ChosenToken {
  /** Where there are several prompts: of which. */
  readonly invoke?: number | undefined;
  readonly step: number;
  readonly id: number;
  /** What it adds to the text; empty where a character isn't whole yet. */
  readonly text: string;
}

export interface RunOutcome {
  readonly state: 'completed' | 'failed' | 'cancelled';
  readonly errors: readonly ErrorBody[];
  readonly report: Report | undefined;
}
