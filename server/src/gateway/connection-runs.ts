/** One connection's runs: taken in or refused, cancelled, acknowledged, and forgotten once all is acknowledged. */
import { type ClientMessage, encodeFrame, TracewireError } from '@tracewire/protocol';
import { checkRun } from './admission.ts';
import { QUEUE_RETRY_MS, RETAINED_RUNS, retainedBytes } from './limits.ts';
import { Outbox } from './outbox.ts';
import { Run } from './run.ts';
import type { ServedModel } from './served-model.ts';
import type { Services } from './services.ts';

type RunMessage = Extract<ClientMessage, { type: 'run' }>;

interface Kept {
  readonly run: Run;
  readonly model: ServedModel;
}

export class ConnectionRuns {
  readonly #gateway: Services;
  readonly #send: (parts: readonly Uint8Array[]) => void;
  readonly #runs = new Map<string, Kept>();

  constructor(gateway: Services, send: (parts: readonly Uint8Array[]) => void) {
    this.#gateway = gateway;
    this.#send = send;
  }

  /** Throws what refuses the run; nothing of it is kept then. */
  begin(message: RunMessage, payload: Uint8Array): void {
    this.#mustBeNew(message.run);
    this.#mustBeAllowed();
    const model = this.#gateway.model(message.model);
    const warnings = checkRun(message, payload, model, this.#gateway.limits.nodes);
    model.mustHaveRoom();
    const run = this.#create(message, payload);
    this.#runs.set(message.run, { run, model });
    run.received(warnings);
    model.submit(run);
  }

  cancel(id: string): void {
    const kept = this.#runs.get(id);
    if (kept && !kept.run.ended) kept.model.cancel(kept.run);
  }

  /** Throws `run_lost`: nothing is kept for a resume yet. */
  resume(id: string): void {
    throw new TracewireError({ code: 'run_lost', message: `This server has no run ${id}.`, run: id });
  }

  /** An ack for a run that has been forgotten is a late one, and means nothing. */
  ack(id: string, seq: number): void {
    const outbox = this.#runs.get(id)?.run.outbox;
    if (!outbox) return;
    if (!outbox.ack(seq)) {
      throw new TracewireError({
        code: 'bad_message',
        message: `Run ${id} has sent no message ${seq}; the last one was ${outbox.lastSent}.`,
        path: 'seq',
        wanted: `at most ${outbox.lastSent}`,
        got: String(seq),
      });
    }
    if (outbox.empty && this.#runs.get(id)?.run.ended) this.#runs.delete(id);
  }

  /** The client is gone: nothing of its runs is wanted any more. */
  drop(): void {
    for (const { run, model } of this.#runs.values()) {
      run.outbox.drop();
      if (!run.ended) model.cancel(run);
    }
    this.#runs.clear();
  }

  #create({ run: id, graph }: RunMessage, payload: Uint8Array): Run {
    const { limits } = this.#gateway;
    const outbox = new Outbox(id, limits.windowBytes, this.#send);
    return new Run({
      id,
      hostId: this.#gateway.nextRunId(),
      work: { graph, payload },
      outbox,
      logBytes: limits.savedBytes,
      progress: (done, total) => this.#send(encodeFrame({ type: 'progress', run: id, done, total })),
    });
  }

  #mustBeNew(id: string): void {
    if (!this.#runs.has(id)) return;
    throw new TracewireError({
      code: 'run_conflict',
      message: `The run id ${id} is in use on this connection.`,
      run: id,
    });
  }

  #mustBeAllowed(): void {
    const runs = [...this.#runs.values()].map(({ run }) => run);
    const { limits } = this.#gateway;
    if (runs.filter((run) => !run.ended).length >= limits.runs) {
      throw tooManyRuns(`${limits.runs} runs of this connection have not ended.`);
    }
    const held = runs.reduce((sum, run) => sum + run.outbox.heldBytes, 0);
    if (held > retainedBytes(limits) || runs.length >= RETAINED_RUNS) {
      throw tooManyRuns(`${runs.length} runs of this connection, ${held} bytes, wait to be acknowledged.`);
    }
  }
}

function tooManyRuns(message: string): TracewireError {
  return new TracewireError({ code: 'too_many_runs', message, retryAfterMs: QUEUE_RETRY_MS });
}
