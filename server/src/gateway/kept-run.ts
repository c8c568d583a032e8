/**
 * One run as its key keeps it (PROTOCOL.md, section 2.4): which connection follows it, how long it waits for its client
 * without one, how long a detached one stays after its end, and its deadline. What happens in the run is run.ts's.
 */
import { type ClientMessage, type ErrorBody, encodeFrame, type Limits } from '@tracewire/protocol';
import type { Meter } from './meter.ts';
import { Outbox } from './outbox.ts';
import { Run } from './run.ts';
import type { ServedModel } from './served-model.ts';

/** The connection that follows a run. */
export interface Follower {
  send(parts: readonly Uint8Array[]): void;
}

export interface KeptRunOptions {
  readonly message: Extract<ClientMessage, { type: 'run' }>;
  readonly payload: Uint8Array;
  readonly model: ServedModel;
  /** The gateway's own id towards the host. */
  readonly hostId: string;
  /** Whose turn it is in the queue: the key, or where there are none the connection. */
  readonly lane: string;
  readonly meter: Meter;
  readonly limits: Limits;
  /** What a retry must ask for too (content.ts); undefined where retries aren't spoken of. */
  readonly content: string | undefined;
  /** Whether a detached run may keep so many bytes more. */
  hasRoom(bytes: number): boolean;
  /** The run has ended while nobody follows it. */
  endedAlone(): void;
  /** Nothing is left of the run; called once. */
  gone(run: KeptRun): void;
}

/** Of a timer in Node; longer ones would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class KeptRun {
  readonly id: string;
  readonly content: string | undefined;
  /** Without the message and its payload: the run lets go of those when it begins. */
  readonly #options: Omit<KeptRunOptions, 'message' | 'payload'>;
  readonly #deadlineMs: number | undefined;
  readonly #run: Run;
  readonly #outbox: Outbox;
  #follower: Follower | undefined;
  /** Keeps all its messages and needs no follower. */
  #detached: boolean;
  #waitingSince = 0;
  #deadline: NodeJS.Timeout | undefined;
  /** Until a run without a follower, or a detached one that has ended, is given up. */
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(options: KeptRunOptions) {
    const { message, payload, ...rest } = options;
    const { limits } = rest;
    this.id = message.run;
    this.content = rest.content;
    this.#options = rest;
    this.#deadlineMs = message.options?.deadlineMs;
    this.#detached = message.options?.detach === true;
    this.#outbox = new Outbox(this.id, limits.windowBytes, this.#detached);
    this.#run = new Run({
      id: this.id,
      hostId: rest.hostId,
      lane: rest.lane,
      model: rest.model.name,
      meter: rest.meter,
      work: { graph: message.graph, payload, generate: message.options?.generate },
      outbox: this.#outbox,
      logBytes: limits.savedBytes,
      hasRoom: (bytes) => !this.#detached || rest.hasRoom(bytes),
      progress: (done, total, phase) => this.#progress(done, total, phase),
      ended: () => this.#ended(),
    });
  }

  get follower(): Follower | undefined {
    return this.#follower;
  }

  get ended(): boolean {
    return this.#run.ended;
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

  /** The highest seq that may be acknowledged. */
  get lastSent(): number {
    return this.#outbox.lastSent;
  }

  /** When its client was lost, on the clock of `performance.now`; undefined unless it waits for it. */
  get waitingSince(): number | undefined {
    return this.#follower || this.#detached ? undefined : this.#waitingSince;
  }

  begin(follower: Follower, warnings: readonly ErrorBody[]): void {
    this.follow(follower, 0);
    this.#run.received(warnings);
    this.#startDeadline();
    this.#options.model.submit(this.#run);
  }

  /** Goes on to this connection after `after`, wherever it went before. False if that can't be. */
  follow(follower: Follower, after: number): boolean {
    if (!this.#outbox.follow((parts) => follower.send(parts), after)) return false;
    this.#follower = follower;
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
    if (!this.ended) this.#options.model.cancel(this.#run);
  }

  /** Ends the run as failed with this error, unless it has ended. */
  expire(error: ErrorBody): void {
    this.#run.expire(error);
    this.cancel();
  }

  /** Its connection has ended; whether it was lost, so that the client may come back for the run. */
  leave(mayReturn: boolean): void {
    this.#follower = undefined;
    this.#outbox.pause();
    if (this.#detached) return;
    if (!mayReturn) return this.giveUp();
    this.#waitingSince = performance.now();
    this.#giveUpIn(this.#options.limits.resumeMs ?? 0);
  }

  /** Cancels the run if need be, and forgets it. Idempotent. */
  giveUp(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#deadline);
    this.#outbox.drop();
    this.cancel();
    this.#options.gone(this);
  }

  #progress(done: number, total: number, phase: 'loading' | undefined): void {
    this.#follower?.send(encodeFrame({ type: 'progress', run: this.id, done, total, phase }));
  }

  #startDeadline(): void {
    const deadlineMs = this.#deadlineMs;
    if (deadlineMs === undefined || deadlineMs > LONGEST_TIMER_MS) return;
    this.#deadline = setTimeout(() => {
      const message = `The run had not ended ${deadlineMs} ms after it was received.`;
      this.expire({ code: 'deadline_exceeded', message });
    }, deadlineMs).unref();
  }

  #ended(): void {
    clearTimeout(this.#deadline);
    if (this.#over) return;
    if (this.#detached) this.#retain();
    if (!this.#follower) this.#options.endedAlone();
  }

  /** After its time a detached run is one like any other: whoever follows it still gets the rest. */
  #retain(): void {
    this.#timer = setTimeout(() => {
      if (!this.#follower) return this.giveUp();
      this.#detached = false;
      this.#outbox.keepUnacknowledged();
      this.#forgetSettled();
    }, this.#options.limits.retainMs ?? 0).unref();
  }

  #giveUpIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.giveUp(), ms).unref();
  }

  #forgetSettled(): void {
    if (this.ended && !this.#detached && this.#outbox.settled) this.giveUp();
  }
}
