/**
 * What one connection does with the runs of its key: takes new ones in or refuses them, follows known ones, passes
 * cancels and acks on, and leaves its runs when it ends.
 */
import { type ClientMessage, encodeFrame, TracewireError, tracesOf } from '@tracewire/protocol';
import { checkRun } from './admission.ts';
import { namedBlobs } from './blobs/named-blobs.ts';
import type { Peer } from './connection.ts';
import { contentOf } from './content.ts';
import type { Follower, KeptRun } from './kept-run.ts';
import type { KeyRuns } from './key-runs.ts';
import { QUEUE_RETRY_MS, RETAINED_RUNS, retainedBytes } from './limits.ts';
import { mustOffer } from './offered.ts';
import { Patience } from './patience.ts';
import type { Services } from './services.ts';
import { fieldsOfCapabilities } from './session.ts';
import type { Batching } from './sharing.ts';

type Client<K extends ClientMessage['type']> = Extract<ClientMessage, { type: K }>;

/** What the runs of a connection need of it. */
export interface RunConnection {
  send(parts: readonly Uint8Array[]): void;
  /** The client takes nothing in, though it was sent something. */
  stuck(): void;
}

export class ConnectionRuns implements Follower {
  readonly #gateway: Services;
  readonly #runs: KeyRuns;
  readonly #send: (parts: readonly Uint8Array[]) => void;
  readonly #peer: Peer;
  readonly #patience: Patience;
  /** Those that both sides have announced. */
  #capabilities: ReadonlySet<string> = new Set();

  constructor(gateway: Services, peer: Peer, connection: RunConnection) {
    const { send, stuck } = connection;
    this.#patience = new Patience(() => this.#runs.isAwaited(this), stuck, gateway.readMs);
    this.#gateway = gateway;
    this.#runs = peer.runs;
    this.#peer = peer;
    this.#send = send;
  }

  enable(capabilities: ReadonlySet<string>): void {
    this.#capabilities = capabilities;
  }

  send(parts: readonly Uint8Array[]): void {
    this.#send(parts);
  }

  moved(run: string): void {
    if (!this.#capabilities.has('moves')) return;
    const message = `Another connection follows run ${run} now.`;
    this.#send(encodeFrame({ type: 'error', run, errors: [{ code: 'run_moved', message }] }));
  }

  /** Throws what refuses the run; nothing of it is kept then. */
  begin(message: Client<'run'>, payload: Uint8Array): void {
    for (const [capability, field] of fieldsOfCapabilities(message)) this.#mustOffer(capability, field);
    const detached = message.options?.detach === true;
    const known = this.#runs.get(message.run);
    if (known) return this.#retry(known, message, payload);
    this.#mustNotDrain();
    this.#mustBeAllowed();
    const model = this.#gateway.model(message.model);
    const warnings = this.#check(message, payload);
    model.mustHaveRoom();
    if (detached) this.#runs.mustTakeDetached();
    const hashes = new Set(tracesOf(message).flatMap(({ graph }) => [...namedBlobs(graph)]));
    const run = this.#runs.add({
      message,
      payload,
      blobs: [...hashes].map((sha256) => ({ sha256, path: this.#peer.blobs.pathOf(sha256) })),
      release: this.#peer.blobs.hold(hashes),
      model,
      hostId: this.#gateway.nextRunId(),
      lane: this.#peer.lane,
      meter: this.#gateway.meter,
      log: this.#gateway.log,
      shared: this.#batchingOf(message) === 'shared',
      content: this.#capabilities.has('resume') ? contentOf(message, payload) : undefined,
      hasRoom: (bytes) => this.#runs.hasRoom(bytes),
    });
    const { traceparent } = message.options ?? {};
    this.#gateway.log.info(
      { run: run.id, model: message.model, ...(traceparent && { traceparent }) },
      'run received',
    );
    run.begin(this, warnings);
  }

  /** Throws `run_lost` for a run that is not there, or not from that message on. */
  resume({ run: id, after }: Client<'resume'>): void {
    this.#mustOffer('resume', 'type');
    const run = this.#runs.get(id);
    if (!run?.follow(this, after)) throw lost(id, after, run !== undefined);
    this.#gateway.log.info({ after }, 'run resumed');
  }

  cancel(id: string): void {
    this.#runs.get(id)?.cancel();
  }

  /** An ack for a run that has been forgotten, or that another connection follows, is a late one and means nothing. */
  ack(id: string, seq: number): void {
    const run = this.#runs.get(id);
    if (run?.follower !== this) return;
    if (run.ack(seq)) return this.#patience.renew();
    throw new TracewireError({
      code: 'bad_message',
      message: `Run ${id} has sent no message ${seq}; the last one was ${run.lastSent}.`,
      path: 'seq',
      wanted: `at most ${run.lastSent}`,
      got: String(seq),
    });
  }

  /** The connection is gone; a client that was lost may come back for its runs. */
  leave(lost: boolean): void {
    this.#patience.end();
    this.#runs.left(this, lost && this.#capabilities.has('resume'));
  }

  /** A run that is known: the client may have been cut off before it heard that its message had come. */
  #retry(run: KeptRun, message: Client<'run'>, payload: Uint8Array): void {
    if (!this.#capabilities.has('resume')) throw conflict(run.id, 'is in use');
    if (!this.#isSame(run, message, payload)) throw conflict(run.id, 'is in use for another run');
    if (!run.follow(this, 0)) throw lost(run.id, 0, true);
  }

  /** A message that would be refused anyway has no content that could be the same. */
  #isSame(run: KeptRun, message: Client<'run'>, payload: Uint8Array): boolean {
    try {
      this.#check(message, payload);
    } catch {
      return false;
    }
    return run.content === contentOf(message, payload);
  }

  #check(message: Client<'run'>, payload: Uint8Array) {
    return checkRun(message, payload, this.#gateway, this.#peer.blobs);
  }

  /** One that can't be told of the server's default has what is right for everybody. */
  #batchingOf({ options }: Client<'run'>): Batching {
    if (!this.#capabilities.has('batching')) return 'exact';
    return options?.batching ?? this.#gateway.batching;
  }

  #mustOffer(capability: string, path: string): void {
    mustOffer(this.#capabilities, capability, path);
  }

  #mustNotDrain(): void {
    if (!this.#gateway.draining) return;
    throw new TracewireError({
      code: 'shutting_down',
      message: 'The server is going away and takes no more runs.',
      retryAfterMs: QUEUE_RETRY_MS,
    });
  }

  #mustBeAllowed(): void {
    const { limits } = this.#gateway;
    const runs = this.#runs.followedBy(this);
    if (runs.filter((run) => !run.ended).length >= limits.runs) {
      throw tooManyRuns(
        `${limits.runs} runs of this connection have not ended; no more may be started. Await some of them.`,
      );
    }
    if (limits.keyRuns !== undefined && this.#runs.unended >= limits.keyRuns) {
      throw tooManyRuns(
        `${limits.keyRuns} runs of this key have not ended; no more may be started. Await some of them.`,
      );
    }
    // What detached ones hold has a bound of its own.
    const unread = runs.filter((run) => !run.detached);
    const held = unread.reduce((sum, run) => sum + run.heldBytes, 0);
    if (held > retainedBytes(limits) || unread.length >= RETAINED_RUNS) {
      throw tooManyRuns(`${unread.length} runs of this connection, ${held} bytes, wait to be acknowledged.`);
    }
  }
}

function tooManyRuns(message: string): TracewireError {
  return new TracewireError({ code: 'too_many_runs', message, retryAfterMs: QUEUE_RETRY_MS });
}

function conflict(run: string, why: string): TracewireError {
  return new TracewireError({ code: 'run_conflict', message: `The run id ${run} ${why}.`, run });
}

function lost(run: string, after: number, known: boolean): TracewireError {
  const message = known
    ? `Run ${run} can’t go on after message ${after}: messages after it are gone, or it was never sent.`
    : `There is no run ${run}: it was forgotten, or never was.`;
  return new TracewireError({ code: 'run_lost', message, run });
}
