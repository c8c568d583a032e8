/**
 * One run as the gateway keeps it (PROTOCOL.md, section 2.3): its state, and for each of its `save` nodes
 * exactly one outcome before the terminal status, whatever becomes of the host. It takes the host's events
 * and puts the client's messages into its outbox.
 */
import {
  type AccessCode,
  beganOf,
  type ErrorBody,
  isTerminal,
  type MessageOf,
  NEVER_SET,
  Outcomes,
  type Report,
  type RunState,
  type Status,
  stepNeverCame,
  type TraceReport,
} from '@tracewire/protocol';
import type { hostEvents } from '../host/messages.ts';
import { Assembly } from './assembly.ts';
import type { RunEvents, Work } from './host-handle.ts';
import type { Meter } from './meter.ts';
import type { Outbox } from './outbox.ts';
import type { Share } from './sharing.ts';

type HostEvent<K extends keyof typeof hostEvents> = MessageOf<typeof hostEvents, K>;
type FinalState = Extract<RunState, 'completed' | 'failed' | 'cancelled'>;

/** How a run ended, apart from its state. */
interface Ending {
  readonly errors?: readonly ErrorBody[] | undefined;
  readonly report?: Report | undefined;
  /** Of a session, in place of it. */
  readonly reports?: readonly TraceReport[] | undefined;
}

/** What one trace still owes. */
interface Owing {
  readonly outcomes: Outcomes;
  /** Those of each invoke of a generation so far; undefined for one pass. */
  readonly tokens: number[] | undefined;
}

/** What an outcome is of. */
type At = Pick<HostEvent<'access_error'>, 'trace' | 'save' | 'step'>;

export interface RunOptions {
  /** The client's id; the outbox puts it on every message. */
  readonly id: string;
  /** The gateway's own id towards the host, for clients choose theirs freely. */
  readonly hostId: string;
  /** Whose turn it is in the queue: the key, or where there are none the connection. */
  readonly lane: string;
  readonly work: Work;
  /** What it brings into a pass with others; undefined for one that runs alone. */
  readonly share?: Share | undefined;
  readonly outbox: Outbox;
  /** The model's name, for the meter. */
  readonly model: string;
  readonly meter: Meter;
  /** Bytes that logs may add before their values are left out. */
  readonly logBytes: number;
  /** Whether so many bytes more may be kept for the client. */
  hasRoom(bytes: number): boolean;
  progress(done: number, total: number, phase?: 'loading'): void;
  /** Called once, after the terminal status. */
  ended(state: FinalState, errors: readonly ErrorBody[]): void;
}

/** A run that has not ended, for those who look at the queue. */
export interface RunStanding {
  readonly model: string;
  readonly state: 'received' | 'queued' | 'running';
  /** While queued: runs ahead of it. */
  readonly position?: number | undefined;
  /** Since it was received. */
  readonly ageMs: number;
  /** Since it began. */
  readonly runningMs?: number | undefined;
}

export class Run implements RunEvents {
  readonly id: string;
  readonly hostId: string;
  readonly lane: string;
  readonly outbox: Outbox;
  readonly #options: RunOptions;
  #work: Work | undefined;
  #state: RunState | undefined;
  #position: number | undefined;
  /** Set once the run can only end as `cancelled`, or as failed with this error. */
  #verdict: 'cancelled' | ErrorBody | undefined;
  #assembly: Assembly | undefined;
  readonly #received = performance.now();
  #begun: number | undefined;
  /** By trace; a run that is no session has one. */
  readonly #owing: readonly Owing[];
  readonly #isSession: boolean;
  #share: Share | undefined;
  /** Nodes whose logs have come from a shared pass: one that didn't go through tells them again alone. */
  readonly #logged = new Set<number>();

  constructor(options: RunOptions) {
    this.id = options.id;
    this.hostId = options.hostId;
    this.lane = options.lane;
    this.outbox = options.outbox;
    this.#options = options;
    this.#work = options.work;
    const { traces, isSession } = options.work;
    this.#isSession = isSession;
    this.#owing = traces.map(({ graph, generate }) => ({
      outcomes: new Outcomes(graph, generate !== undefined),
      tokens: generate && graph.invokes.map(() => 0),
    }));
    this.#share = options.share;
  }

  /** What the host needs, until the run has begun or ended. */
  get work(): Work | undefined {
    return this.#work;
  }

  /** What it brings into a pass with others, if it may go with them. */
  get share(): Share | undefined {
    return this.#share;
  }

  get ended(): boolean {
    return this.#state !== undefined && isTerminal(this.#state);
  }

  /** Where it stands; undefined once it has ended. */
  get standing(): RunStanding | undefined {
    const state = this.#state;
    if (state !== 'received' && state !== 'queued' && state !== 'running') return undefined;
    const now = performance.now();
    return {
      model: this.#options.model,
      state,
      ...(state === 'queued' ? { position: this.#position } : {}),
      ageMs: Math.round(now - this.#received),
      ...(this.#begun === undefined ? {} : { runningMs: Math.round(now - this.#begun) }),
    };
  }

  received(warnings: readonly ErrorBody[]): void {
    this.#enter('received', warnings.length > 0 ? { warnings: [...warnings] } : {});
  }

  /** `waitMs`: about how long until it begins, where that is known. */
  queued(position: number, waitMs?: number): void {
    if (this.#position === position || this.#begun !== undefined) return;
    this.#position = position;
    this.#enter('queued', { position, waitMs });
  }

  /** Says that the run begins, and gives what the host needs; it isn't kept, unless the run shares its pass. */
  running(shared = false): Work | undefined {
    const work = this.#work;
    if (!shared) this.#work = undefined;
    if (this.#begun === undefined) this.#enter('running', {});
    this.#begun ??= performance.now();
    return work;
  }

  /** The pass that it shared didn't go through; what has come of it stays. From here on it runs alone. */
  apart(): void {
    this.#share = undefined;
    this.#assembly = undefined;
  }

  /** From here on the run can only end as `cancelled`, if it has not expired. */
  cancel(): void {
    this.#verdict ??= 'cancelled';
  }

  /** From here on the run can only end as failed with this error, if it was not cancelled. Cancel it too. */
  expire(error: ErrorBody): void {
    this.#verdict ??= error;
  }

  progress({ done, total }: HostEvent<'progress'>): void {
    if (!this.ended) this.#options.progress(done, total);
  }

  /** The model that it waits for is being loaded. */
  loading(done: number, total: number): void {
    if (!this.ended) this.#options.progress(done, total, 'loading');
  }

  value(event: HostEvent<'value'>, payload: Uint8Array): void {
    this.#assembly = new Assembly(event, payload);
    this.#sendWhole();
  }

  chunk(event: HostEvent<'chunk'>, payload: Uint8Array): void {
    this.#assembly?.add(event, payload);
    this.#sendWhole();
  }

  access_error({ error, ...at }: HostEvent<'access_error'>): void {
    this.#accessError(at, error);
  }

  token({ trace, invoke, step, id, text }: HostEvent<'token'>): void {
    const { tokens = [] } = this.#owing[trace ?? 0] ?? {};
    if (this.ended || tokens[invoke ?? 0] !== step) return;
    tokens[invoke ?? 0] = step + 1;
    this.outbox.push({ type: 'token', trace, invoke, step, id, text });
  }

  log({ trace, node, step, text, value }: HostEvent<'log'>, payload: Uint8Array): void {
    if (this.ended || this.#logged.has(node)) return;
    if (this.#share) this.#logged.add(node);
    const { outbox } = this;
    const { byteLength } = payload;
    if (outbox.heldBytes + byteLength <= this.#options.logBytes && outbox.hasRoom(byteLength)) {
      outbox.push({ type: 'log', trace, node, step, text, value }, payload);
    } else {
      const note = `(${byteLength} bytes left out: the run holds too much unread)`;
      outbox.push({ type: 'log', trace, node, step, text: text === undefined ? note : `${text} ${note}` });
    }
  }

  done({ state, errors, report, reports }: HostEvent<'done'>): void {
    this.finish(state, { errors, report, reports });
  }

  /** Ends the run once: outcomes for the saves that have none, then the terminal status. */
  finish(state: FinalState, { errors, report, reports }: Ending = {}): void {
    if (this.ended) return;
    this.#work = undefined;
    this.#assembly = undefined;
    const ending = this.#judged(state, errors ?? []);
    for (const [trace, { outcomes, tokens }] of this.#owing.entries()) {
      const told = reports?.[trace]?.report ?? report;
      for (const missing of outcomes.missing(told ? beganOf(told) : this.#stepsBegun(tokens))) {
        const { save, step, came } = missing;
        const why = 'for the run did not go on';
        const of = ending.missing(save);
        const error = came ? of : stepNeverCame(missing, { why, cause: of.cause });
        this.#accessError({ trace: this.#isSession ? trace : undefined, save, step }, error);
      }
    }
    const failed = ending.state === 'failed' ? { errors: ending.errors.slice(0, 100) } : {};
    this.#enter(ending.state, { ...failed, report, reports: reports && [...reports] });
    this.#measure(ending.state, report ? [report] : (reports ?? []).flatMap((of) => of.report ?? []));
    this.#options.ended(ending.state, ending.errors);
  }

  /** After each token of a generation, where the host can say no more. */
  #stepsBegun(tokens: readonly number[] = [0]): number[] {
    return tokens.map((count) => (this.#begun === undefined ? 0 : count + 1));
  }

  /** How the run ends, whatever the host says of it once it was cancelled or has expired. */
  #judged(state: FinalState, errors: readonly ErrorBody[]) {
    const verdict = this.#verdict;
    if (verdict === undefined) {
      return { state, errors, missing: (save: number) => missing(save, state, errors[0]) };
    }
    const [end, found]: [FinalState, ErrorBody[]] =
      verdict === 'cancelled' ? ['cancelled', []] : ['failed', [verdict]];
    return { state: end, errors: found, missing: (save: number) => missing(save, 'cancelled', found[0]) };
  }

  /** A value goes out only when all of it is here, so that a lost host leaves no half of one behind. */
  #sendWhole(): void {
    const assembly = this.#assembly;
    if (!assembly?.complete) return;
    this.#assembly = undefined;
    if (!this.#options.hasRoom(assembly.bytes)) {
      return this.#accessError(assembly.at, noRoom(assembly.at.save));
    }
    if (this.ended || !this.#take(assembly.at)) return;
    this.#options.meter.valueBytes(this.#options.model, assembly.bytes);
    for (const { message, payload } of assembly.messages()) this.outbox.push(message, payload);
  }

  #measure(state: FinalState, reports: readonly Report[]): void {
    const now = performance.now();
    const { model, meter } = this.#options;
    const queuedMs = (this.#begun ?? now) - this.#received;
    const ranMs = this.#begun === undefined ? undefined : now - this.#begun;
    meter.runEnded({ model, state, queuedMs, ranMs, reports });
  }

  #accessError(at: At, error: ErrorBody): void {
    if (this.ended || !this.#take(at)) return;
    const { trace, save, step } = at;
    this.outbox.push({ type: 'access_error', trace, save, step, error });
  }

  /** Notes an outcome; false if none is due. */
  #take({ trace, save, step }: At): boolean {
    if ((trace === undefined) === this.#isSession) return false;
    return this.#owing[trace ?? 0]?.outcomes.take(save, step) ?? false;
  }

  #enter(state: RunState, fields: Omit<Status, 'type' | 'run' | 'seq' | 'state'>): void {
    if (this.ended) return;
    this.#state = state;
    this.outbox.push({ type: 'status', state, ...fields });
  }
}

/** Why a save has no value when the host gave no reason of its own. */
function missing(save: number, state: FinalState, cause: ErrorBody | undefined): ErrorBody {
  const reasons: Record<FinalState, { code: AccessCode; message: string }> = {
    cancelled: {
      code: 'cancelled',
      message: `${NEVER_SET} The run was cancelled before the value came to be.`,
    },
    failed: { code: 'failed', message: `${NEVER_SET} The run failed${cause ? `: ${cause.message}` : '.'}` },
    completed: { code: 'unset', message: `${NEVER_SET} The run ended without computing it.` },
  };
  return { ...reasons[state], node: save, cause: state === 'completed' ? undefined : cause };
}

function noRoom(save: number): ErrorBody {
  const message =
    'The server has no room for this value: too much of what runs saved has not been fetched or has not expired yet.';
  return { code: 'too_large', message, node: save };
}
