/**
 * One run as its key keeps it (PROTOCOL.md, section 2.4): which connection follows it, how long it waits for its client
 * without one, how long a detached one stays after its end, and its deadline. What happens in the run is run.ts's.
 */
import { type ClientMessage, type ErrorBody, encodeFrame, type Limits, tracesOf } from '@tracewire/protocol';
import type { Work } from './host-handle.ts';
import type { Log } from './log.ts';
import type { Meter } from './meter.ts';
import { Outbox, type OutboxOptions } from './outbox.ts';
import type { RestoredRun, ResultStore } from './result-store.ts';
import { Run, type RunStanding } from './run.ts';
import type { ServedModel } from './served-model.ts';
import { shareOf } from './sharing.ts';

/** The connection that follows a run. */
export interface Follower {
  send(parts: readonly Uint8Array[]): void;
  /** Another connection follows the run now, which this one has not seen the end of. */
  moved(run: string): void;
}

/** What the key and the server have for a run, wherever it comes from. */
export interface Keeping {
  readonly limits: Limits;
  /** The key's id. */
  readonly key: string | undefined;
  readonly results: ResultStore | undefined;
  /** The run has ended while nobody follows it. */
  endedAlone(): void;
  /** Nothing is left of the run; called once. */
  gone(run: KeptRun): void;
}

export interface NewRun {
  readonly message: Extract<ClientMessage, { type: 'run' }>;
  readonly payload: Uint8Array;
  /** The files of the blobs that it names, and what to call once it has ended. */
  readonly blobs: NonNullable<Work['blobs']>;
  release(): void;
  readonly model: ServedModel;
  /** The gateway's own id towards the host. */
  readonly hostId: string;
  /** Whose turn it is in the queue: the key, or where there are none the connection. */
  readonly lane: string;
  readonly meter: Meter;
  readonly log: Log;
  /** What a retry must ask for too (content.ts); undefined where retries aren't spoken of. */
  readonly content: string | undefined;
  /** Whether it may share a pass with others. */
  readonly shared: boolean;
  /** Whether a detached run may keep so many bytes more. */
  hasRoom(bytes: number): boolean;
}

/** Of a timer in Node; longer ones would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class KeptRun {
  readonly id: string;
  readonly content: string | undefined;
  readonly #keeping: Keeping;
  readonly #outbox: Outbox;
  /** One that an earlier gateway left has ended, and has none. */
  readonly #run: Run | undefined;
  readonly #model: ServedModel | undefined;
  readonly #deadlineMs: number | undefined;
  #follower: Follower | undefined;
  /** Keeps all its messages and needs no follower. */
  #detached: boolean;
  #waitingSince = 0;
  #deadline: NodeJS.Timeout | undefined;
  /** Until a run without a follower, or a detached one that has ended, is given up. */
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(keeping: Keeping, source: NewRun | RestoredRun) {
    this.#keeping = keeping;
    this.content = source.content;
    if ('message' in source) {
      const { options } = source.message;
      this.id = source.message.run;
      this.#detached = options?.detach === true;
      this.#deadlineMs = options?.deadlineMs;
      this.#model = source.model;
      this.#outbox = this.#newOutbox();
      this.#run = this.#newRun(source);
    } else {
      this.id = source.run;
      this.#detached = true;
      this.#outbox = this.#newOutbox(source);
      // A clock that was put back doesn't lengthen its time.
      this.#retain(Math.min(source.expires - Date.now(), this.#retainMs));
    }
  }

  #newOutbox(restored?: RestoredRun): Outbox {
    const { limits, results } = this.#keeping;
    const options: OutboxOptions = {
      run: this.id,
      windowBytes: limits.windowBytes,
      keepsAll: this.#detached,
      store: results,
      unreadable: () => this.#lose(),
    };
    return new Outbox(options, restored);
  }

  #newRun(source: NewRun): Run {
    const { message, payload, blobs, release, hostId, lane, model, meter, log, shared, hasRoom } = source;
    return new Run({
      id: this.id,
      hostId,
      lane,
      model: model.name,
      meter,
      work: { traces: tracesOf(message), isSession: message.traces !== undefined, payload, blobs },
      share: shared ? shareOf(message, model.index) : undefined,
      outbox: this.#outbox,
      logBytes: this.#keeping.limits.savedBytes,
      hasRoom: (bytes) => (!this.#detached || hasRoom(bytes)) && this.#outbox.hasRoom(bytes),
      progress: (done, total, phase) => this.#progress(done, total, phase),
      ended: (state, errors) => {
        release();
        const codes = errors.length > 0 ? { codes: errors.map(({ code }) => code) } : {};
        log.info({ run: this.id, ...traceOf(message), state, ...codes }, 'run ended');
        this.#ended();
      },
    });
  }

  get follower(): Follower | undefined {
    return this.#follower;
  }

  get ended(): boolean {
    return this.#run?.ended ?? true;
  }

  /** Where it stands; undefined once it has ended. */
  get standing(): RunStanding | undefined {
    return this.#run?.standing;
  }

  get detached(): boolean {
    return this.#detached;
  }

  /** Whether all its messages have been acknowledged. */
  get settled(): boolean {
    return this.#outbox.settled;
  }

  get heldBytes(): number {
    return this.#outbox.heldBytes;
  }

  /** Payload bytes that its follower was sent and has not acknowledged. */
  get inFlight(): number {
    return this.#outbox.inFlight;
  }

  /** The highest seq that may be acknowledged. */
  get lastSent(): number {
    return this.#outbox.lastSent;
  }

  /** When its client was lost, on the clock of `performance.now`; undefined unless it waits for it. */
  get waitingSince(): number | undefined {
    return this.#follower || this.#detached ? undefined : this.#waitingSince;
  }

  /** A new run only. */
  begin(follower: Follower, warnings: readonly ErrorBody[]): void {
    this.follow(follower, 0);
    if (!this.#run || !this.#model) throw new Error('this run has ended');
    this.#run.received(warnings);
    this.#startDeadline();
    this.#model.submit(this.#run);
  }

  /** Goes on to this connection after `after`, wherever it went before. False if that can't be. */
  follow(follower: Follower, after: number): boolean {
    const before = this.#follower;
    const sawTheEnd = this.ended && this.#outbox.lastSent === this.#outbox.seq;
    if (!this.#outbox.follow((parts) => follower.send(parts), after)) return false;
    this.#follower = follower;
    if (before !== follower && !sawTheEnd) before?.moved(this.id);
    if (!this.#detached) clearTimeout(this.#timer);
    this.#forgetSettled();
    return true;
  }

  /** False if it names a message that was not sent. */
  ack(seq: number): boolean {
    if (!this.#outbox.ack(seq)) return false;
    this.#forgetSettled();
    return true;
  }

  cancel(): void {
    if (this.#run && !this.ended) this.#model?.cancel(this.#run);
  }

  /** Ends the run as failed with this error, unless it has ended. */
  expire(error: ErrorBody): void {
    this.#run?.expire(error);
    this.cancel();
  }

  /** Its connection has ended; whether it was lost, so that the client may come back for the run. */
  leave(mayReturn: boolean): void {
    this.#follower = undefined;
    this.#outbox.pause();
    if (this.#detached) return;
    if (!mayReturn) return this.giveUp();
    this.#waitingSince = performance.now();
    this.#giveUpIn(this.#keeping.limits.resumeMs ?? 0);
  }

  /** Cancels the run if need be, and forgets it. Idempotent. */
  giveUp(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#deadline);
    this.#outbox.drop();
    this.cancel();
    this.#keeping.gone(this);
  }

  #progress(done: number, total: number, phase: 'loading' | undefined): void {
    this.#follower?.send(encodeFrame({ type: 'progress', run: this.id, done, total, phase }));
  }

  #startDeadline(): void {
    const deadlineMs = this.#deadlineMs;
    if (deadlineMs === undefined || deadlineMs > LONGEST_TIMER_MS) return;
    this.#deadline = setTimeout(() => {
      const message = `The run had not ended ${deadlineMs} ms after it was received.`;
      this.expire({ code: 'deadline_exceeded', message, path: 'deadlineMs', wanted: `${deadlineMs} ms` });
    }, deadlineMs).unref();
  }

  #ended(): void {
    clearTimeout(this.#deadline);
    if (this.#over) return;
    if (this.#detached) {
      const { key } = this.#keeping;
      const retainMs = this.#retainMs;
      this.#outbox.keep({ key, run: this.id, content: this.content, expires: Date.now() + retainMs });
      this.#retain(retainMs);
    }
    if (!this.#follower) this.#keeping.endedAlone();
  }

  /** After its time a detached run is one like any other: whoever follows it still gets the rest. */
  #retain(ms: number): void {
    this.#timer = setTimeout(() => {
      if (!this.#follower) return this.giveUp();
      this.#detached = false;
      this.#outbox.keepUnacknowledged();
      this.#forgetSettled();
    }, ms).unref();
  }

  get #retainMs(): number {
    return this.#keeping.limits.retainMs ?? 0;
  }

  /** The disk lost a message. What follows it can't be sent, for the numbers have no gaps. */
  #lose(): void {
    const message = `A message of run ${this.id} can’t be read from the server’s disk any more.`;
    const errors: ErrorBody[] = [{ code: 'run_lost', message }];
    this.#follower?.send(encodeFrame({ type: 'error', run: this.id, errors }));
    this.giveUp();
  }

  #giveUpIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.giveUp(), ms).unref();
  }

  #forgetSettled(): void {
    if (this.ended && !this.#detached && this.#outbox.settled) this.giveUp();
  }
}

/** What a log line of a run has for whoever follows a request through several programs. */
function traceOf({ options }: NewRun['message']): { readonly traceparent?: string } {
  return options?.traceparent === undefined ? {} : { traceparent: options.traceparent };
}
