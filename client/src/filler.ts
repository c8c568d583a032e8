/** Fills a recorded trace's handles as values come, and maps what the server says back to the user's lines. */
import {
  beganOf,
  type ErrorBody,
  type Report,
  type RunState,
  type Status,
  stepsOfNodes,
  stepsThatCame,
} from '@tracewire/protocol';
import { cancelled } from './abort.ts';
import { type LocatedError, TraceError } from './errors.ts';
import type { CallSite, SourceLocation } from './location.ts';
import type { ConnectionEvent } from './reconnect.ts';
import { failSaves, type Recorded } from './record.ts';
import type { GeneratedToken, LogOf, RunListener, RunProgress, SaveOf } from './run.ts';
import type { OpenRun } from './runs.ts';
import type { Saved } from './saved.ts';
import type { SavedValue } from './tensor.ts';
import { located } from './trace-error.ts';

/** A step of a run's life. */
export interface RunStatus {
  readonly state: RunState;
  /** The run's id, as the server's log has it. */
  readonly run: string;
  /** While queued: runs ahead of this one. */
  readonly position?: number | undefined;
  /** While queued: about how many milliseconds until it begins. */
  readonly waitMs?: number | undefined;
  /** Hooks that can't fire because a stop comes first. */
  readonly warnings?: readonly ErrorBody[] | undefined;
}

/** What `.log()` prints. */
export interface LogEvent {
  readonly text: string | undefined;
  readonly value: SavedValue | undefined;
  readonly location: SourceLocation | undefined;
  /** In a session: of which trace, counted from 0. */
  readonly trace?: number | undefined;
  /** In a generation. */
  readonly step?: number | undefined;
}

/** Callbacks of one run; one that throws cancels it, and the trace rejects with what was thrown. */
export interface RunCallbacks {
  readonly onStatus?: ((status: RunStatus) => void) | undefined;
  /** Parts of the pass that have run, how far the loading of the model is, or bytes of a value that comes in parts. */
  readonly onProgress?: ((progress: RunProgress) => void) | undefined;
  /** Without it, logs go to the console. */
  readonly onLog?: ((event: LogEvent) => void) | undefined;
  /** A handle has its value, or its access error, before the run has ended. */
  readonly onValue?: ((saved: Saved<SavedValue>) => void) | undefined;
  /** A token of a generation was chosen. */
  readonly onToken?: ((token: GeneratedToken) => void) | undefined;
  /** The connection was lost, and what becomes of it; meanwhile the run goes on. */
  readonly onConnection?: ((event: ConnectionEvent) => void) | undefined;
  /** Nothing more is told of the run: it has ended, was refused or aborted, or its connection is lost for good. */
  readonly onEnd?: (() => void) | undefined;
}

/** What any run may be told. */
export interface ExecuteOptions extends RunCallbacks {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that the run may take at the server; past them it is cancelled and fails with `deadline_exceeded`. */
  readonly deadlineMs?: number | undefined;
  /**
   * `exact`: the run has its passes to itself, and gives the bytes that it gives in this process. `shared`: it may go with
   * other clients' runs in one pass, equal within float error, so that a busy server does more. Without it, as the server
   * has it (`server()` tells: `batching`). A server that shares no passes has all runs `exact`.
   */
  readonly batching?: 'exact' | 'shared' | undefined;
}

/** Fills a trace's handles with what comes. */
export class Filler implements RunListener {
  readonly accepted: Promise<void>;
  readonly done: Promise<void>;
  /** By trace. */
  readonly #recorded: readonly Recorded<unknown>[];
  readonly #options: ExecuteOptions;
  readonly #site: CallSite;
  readonly #abort = (): void => this.abort();
  #accept: () => void = () => undefined;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #cancel: () => void = () => undefined;
  #warnings: readonly ErrorBody[] = [];
  #over = false;

  constructor(recorded: readonly Recorded<unknown>[], options: ExecuteOptions, site: CallSite) {
    this.#recorded = recorded;
    this.#options = options;
    this.#site = site;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const accepted = new Promise<void>((resolve) => {
      this.#accept = resolve;
    });
    this.accepted = Promise.race([accepted, this.done]);
    // Not everybody waits for both.
    for (const promise of [this.accepted, this.done]) promise.catch(() => undefined);
  }

  /** Gives the run's id. */
  start(send: () => OpenRun): string {
    this.#options.signal?.addEventListener('abort', this.#abort, { once: true });
    try {
      const { id, cancel } = send();
      this.#cancel = cancel;
      return id;
    } catch (error) {
      this.#finish(error, 'The run was not sent.');
      return '';
    }
  }

  abort(): void {
    this.#giveUp(this.#aborted(), 'The run was cancelled.');
  }

  connection(event: ConnectionEvent): void {
    this.#tell(() => this.#options.onConnection?.(event));
  }

  status({ run, state, position, waitMs, warnings }: Status): void {
    this.#accept();
    if (warnings) this.#warnings = warnings;
    this.#tell(() =>
      this.#options.onStatus?.({
        state,
        run,
        ...(position === undefined ? {} : { position }),
        ...(waitMs === undefined ? {} : { waitMs }),
        ...(warnings === undefined ? {} : { warnings }),
      }),
    );
  }

  value(of: SaveOf, value: SavedValue): void {
    this.#settle(of, { value });
  }

  accessError(of: SaveOf, body: ErrorBody): void {
    this.#settle(of, { error: this.#located(body, of.trace, of.save) });
  }

  token(token: GeneratedToken): void {
    this.#tell(() => this.#options.onToken?.(token));
  }

  log({ trace, node, step }: LogOf, text: string | undefined, value: SavedValue | undefined): void {
    const location = this.#recorded[trace ?? 0]?.recording.locate(node);
    const where = { ...(trace === undefined ? {} : { trace }), ...(step === undefined ? {} : { step }) };
    this.#tell(() => (this.#options.onLog ?? printLog)({ text, value, location, ...where }));
  }

  progress(progress: RunProgress): void {
    this.#tell(() => this.#options.onProgress?.(progress));
  }

  end({ state, errors, report, reports }: Status): void {
    if (this.#over) return;
    for (const [trace, recorded] of this.#recorded.entries()) {
      const of = reports?.[trace];
      this.#report(recorded, trace, of?.report ?? report, of?.errors);
    }
    if (state === 'completed') this.#finish();
    else if (state === 'cancelled') this.#finish(this.#aborted(), 'The run was cancelled.');
    else this.#finish(this.#traceError(errors ?? []), 'The run failed.');
  }

  /** Fills what a trace's function asked of its report, and lets its handles know how many steps there were. */
  #report(
    { report: slot, recording }: Recorded<unknown>,
    trace: number,
    report: Report | undefined,
    errors: readonly ErrorBody[] = [],
  ): void {
    tellSteps(recording, report);
    const [error] = errors;
    if (error) slot.outcome = { error: this.#located(error, trace) };
    else if (report) {
      const own = this.#warnings.filter((warning) => (warning.trace ?? 0) === trace);
      const warnings = own.map((body) => ({ ...body, location: this.#located(body).location }));
      slot.outcome = { value: { ...report, warnings } };
    }
  }

  refused(errors: readonly ErrorBody[]): void {
    this.#finish(this.#traceError(errors), 'The trace did not run to its end.');
  }

  #settle(
    { trace = 0, save, step = 0 }: SaveOf,
    outcome: { readonly value: SavedValue } | { readonly error: LocatedError },
  ): void {
    const entry = this.#recorded[trace]?.recording.saves.get(save);
    if (this.#over || !entry) return;
    const { slot } = entry;
    if (slot.steps) slot.steps.slots.set(step, { outcome });
    else slot.outcome = outcome;
    this.#tell(() => this.#options.onValue?.(entry.saved));
  }

  /** Calls the user back; what they throw ends the run. */
  #tell(callback: () => void): void {
    if (this.#over) return;
    try {
      callback();
    } catch (error) {
      this.#giveUp(error, 'A callback of the trace threw.');
    }
  }

  #giveUp(error: unknown, why: string): void {
    if (this.#over) return;
    this.#cancel();
    this.#finish(error, why);
  }

  #finish(error?: unknown, why = ''): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.signal?.removeEventListener('abort', this.#abort);
    const outcome = this.#tellEnd(error);
    const code = error instanceof TraceError && error.code === 'cancelled' ? 'cancelled' : 'unset';
    const cause = error instanceof TraceError ? error.body : undefined;
    const nothing: ErrorBody =
      error === undefined
        ? { code: 'unset', message: 'The server sent nothing for it.' }
        : { code, message: why, cause };
    for (const { recording, report } of this.#recorded) failSaves(recording, report, nothing, this.#site);
    if (outcome === undefined) this.#resolve();
    else this.#reject(outcome);
  }

  /** Gives what the run rejects with, if it does. */
  #tellEnd(error: unknown): unknown {
    try {
      this.#options.onEnd?.();
      return error;
    } catch (thrown) {
      return error ?? thrown;
    }
  }

  #aborted(): TraceError {
    const { body, cause } = cancelled(this.#options.signal?.reason);
    return new TraceError([{ body, location: this.#site.location }], { cause });
  }

  #traceError(errors: readonly ErrorBody[]): TraceError {
    const [first, ...rest] = errors.map((body) => this.#located(body));
    const nothing = {
      body: { code: 'internal' as const, message: 'The run failed and the server did not say why.' },
    };
    return new TraceError([first ?? { ...nothing, location: this.#site.location }, ...rest]);
  }

  #located(body: ErrorBody, trace?: number, node?: number): LocatedError {
    const recordings = this.#recorded.map(({ recording }) => recording);
    return located(body, recordings, this.#site, { trace, node });
  }
}

function tellSteps({ graph, saves }: Recorded<unknown>['recording'], report: Report | undefined): void {
  const several = [...saves].filter(([, { slot }]) => slot.steps);
  if (several.length === 0) return;
  const came = stepsThatCame(graph, stepsOfNodes(graph), report ? beganOf(report) : 0);
  for (const [save, { slot }] of several) if (slot.steps) slot.steps.began = came[save];
}

function printLog({ text, value }: LogEvent): void {
  console.log(...[text, value].filter((part) => part !== undefined));
}
