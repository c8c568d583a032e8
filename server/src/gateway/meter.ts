/** What the gateway counts for whoever watches it; metrics.ts keeps the counts. */
import type { Report, RunState } from '@tracewire/protocol';

export interface EndedRun {
  readonly model: string;
  readonly state: RunState;
  /** Milliseconds from `received` to `running`, or to the end of a run that never ran. */
  readonly queuedMs: number;
  /** Milliseconds from `running` to the end; undefined for a run that never ran. */
  readonly ranMs: number | undefined;
  /** Of its passes that began: one, or of a session one for each trace. */
  readonly reports: readonly Report[];
}

export interface Meter {
  runEnded(run: EndedRun): void;
  /** A pass begins, of one run or of several. */
  passBegan(model: string, runs: number): void;
  /** A host that ended without being asked to. */
  hostLost(model: string): void;
  /** Payload bytes of values that go to clients. */
  valueBytes(model: string, bytes: number): void;
}

export const NO_METER: Meter = { runEnded() {}, passBegan() {}, hostLost() {}, valueBytes() {} };
