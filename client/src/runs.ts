/**
 * The runs of a conversation: those that the server works on, and those that wait until it takes another, or until there
 * is a connection again.
 */
import {
  type ClientMessage,
  type ErrorBody,
  type Limits,
  type RunOptions,
  type TraceGraph,
  toErrorBody,
} from '@tracewire/protocol/wire';
import type { ConnectionEvent } from './reconnect.ts';
import { Run, type RunListener } from './run.ts';
import type { Uploads } from './uploads.ts';
import { violation } from './violation.ts';

/** One trace of a run. */
export interface TraceRequest extends TraceGraph {
  /** Ids of the save nodes. */
  readonly saves: Iterable<number>;
}

/** What a run sends. */
export interface RunRequest {
  readonly model: string;
  /** One, or of a session all. */
  readonly traces: readonly TraceRequest[];
  readonly isSession: boolean;
  readonly payload: readonly Uint8Array[];
  readonly options?: Omit<RunOptions, 'generate'> | undefined;
  /** What the server must have before the run, by hash. */
  readonly blobs?: ReadonlyMap<string, Uint8Array> | undefined;
  /** The id of a run that the server has already: it is followed, and nothing is run. */
  readonly follow?: string | undefined;
}

/** A run as whoever asked for it holds it. */
export interface OpenRun {
  readonly id: string;
  cancel(): void;
}

/** A run that was asked for, sent or not. */
interface Entry {
  readonly id: string;
  readonly request: RunRequest;
  readonly run: Run;
  cancelled: boolean;
  /** Whether its blobs are under way. */
  waits: boolean;
  /** How often the server had let go of a blob when the run came. */
  missed: number;
}

/** What runs are sent on: a connection. It may throw a `TracewireError`; a run is refused with it then. */
interface Wire {
  send(message: ClientMessage, payload?: readonly Uint8Array[]): void;
}

const ATTACH_LATER = 'Attach to it when it has ended, or from another LanguageModel.';

/** A server that forgets a blob again and again has no room for it. */
const MOST_MISSED = 3;

export class Runs {
  readonly #uploads: Pick<Uploads, 'ensure' | 'forget'>;
  readonly #running = new Map<string, Entry>();
  readonly #held: Entry[] = [];
  #wire: Wire | undefined;
  #most = 1;

  constructor(uploads: Pick<Uploads, 'ensure' | 'forget'>) {
    this.#uploads = uploads;
  }

  /** How many have not ended. */
  get size(): number {
    return this.#running.size + this.#held.length;
  }

  /** Sends a run, now or when the server takes one more. */
  start(request: RunRequest, listener: RunListener, limits: Limits): OpenRun {
    const id = request.follow ?? newRunId();
    const ack = (seq: number): void => this.#wire?.send({ type: 'ack', run: id, seq });
    const run = new Run(request, limits, listener, ack);
    const entry: Entry = { id, request, run, cancelled: false, waits: false, missed: 0 };
    this.#most = Math.max(1, limits.runs);
    if (this.#follows(id))
      run.refuse([{ code: 'run_conflict', message: `This client has run ${id} already. ${ATTACH_LATER}` }]);
    else this.#hold(entry);
    this.#startHeld();
    return { id, cancel: () => this.#cancel(entry) };
  }

  /** Throws a violation for a run that is not open. */
  get(id: string): Run {
    const entry = this.#running.get(id);
    if (!entry) throw violation(`a message of run ${id}, which is not open`);
    return entry.run;
  }

  has(id: string): boolean {
    return this.#running.has(id);
  }

  /** A run has ended, so another may start. */
  end(id: string): void {
    this.#running.delete(id);
    this.#startHeld();
  }

  /** There is a connection: what ran on an earlier one goes on after the last message that came. */
  connect(wire: Wire): void {
    this.#wire = wire;
    for (const entry of this.#running.values()) {
      this.#sendStart(wire, entry);
      if (entry.cancelled) wire.send({ type: 'cancel', run: entry.id });
    }
    this.#startHeld();
  }

  /** The connection is lost. */
  disconnect(): void {
    this.#wire = undefined;
  }

  /** Tells all runs what becomes of their connection. */
  tell(event: ConnectionEvent): void {
    for (const { run } of [...this.#running.values(), ...this.#held]) run.connection(event);
  }

  refuseAll(error: ErrorBody): void {
    const entries = [...this.#running.values(), ...this.#held.splice(0)];
    this.#running.clear();
    for (const { run } of entries) run.refuse([error]);
  }

  #follows(id: string): boolean {
    return this.#running.has(id) || this.#held.some((entry) => entry.id === id);
  }

  /** Whether a refused run is sent again: the server had let go of blobs that are still at hand. */
  again(id: string, errors: readonly ErrorBody[]): boolean {
    const entry = this.#running.get(id);
    const { blobs } = entry?.request ?? {};
    const gone = errors.flatMap(({ code, wanted = '' }) =>
      code === 'unknown_blob' && blobs?.has(wanted) ? [wanted] : [],
    );
    if (!entry || gone.length < errors.length || gone.length === 0 || entry.missed >= MOST_MISSED)
      return false;
    entry.missed += 1;
    this.#running.delete(id);
    for (const sha256 of gone) this.#uploads.forget(sha256);
    this.#hold(entry);
    this.#startHeld();
    return true;
  }

  /** Until the server takes one more, and has its blobs. */
  #hold(entry: Entry): void {
    const { blobs = new Map<string, Uint8Array>(), follow } = entry.request;
    this.#held.push(entry);
    if (blobs.size === 0 || follow !== undefined) return;
    entry.waits = true;
    Promise.all([...blobs].map(([sha256, bytes]) => this.#uploads.ensure(sha256, bytes))).then(
      () => {
        entry.waits = false;
        this.#startHeld();
      },
      (error: unknown) => {
        if (this.#drop(entry)) entry.run.refuse([toErrorBody(error)]);
      },
    );
  }

  /** Whether it was held. */
  #drop(entry: Entry): boolean {
    const place = this.#held.indexOf(entry);
    if (place >= 0) this.#held.splice(place, 1);
    return place >= 0;
  }

  #startHeld(): void {
    while (this.#wire && this.#running.size < this.#most) {
      const next = this.#held.find((entry) => !entry.waits);
      if (!next || !this.#drop(next)) return;
      this.#startNow(this.#wire, next);
    }
  }

  #startNow(wire: Wire, entry: Entry): void {
    try {
      this.#sendStart(wire, entry);
    } catch (error) {
      return entry.run.refuse([ofLargest(toErrorBody(error), entry.request)]);
    }
    this.#running.set(entry.id, entry);
  }

  /**
   * A `run` that nothing has been heard of may not have arrived, so it is sent again under its id: the server runs it
   * once. Of any other the messages after the last one are asked for.
   */
  #sendStart(wire: Wire, { id, request, run }: Entry): void {
    const { model, payload, follow } = request;
    if (run.seq > 0 || follow !== undefined) return wire.send({ type: 'resume', run: id, after: run.seq });
    wire.send({ type: 'run', run: id, model, ...workOf(request) }, payload);
  }

  #cancel(entry: Entry): void {
    entry.cancelled = true;
    if (!this.#drop(entry) && this.#running.get(entry.id) === entry)
      this.#wire?.send({ type: 'cancel', run: entry.id });
  }
}

/** Where a message is too large, the largest constant in it is to blame. */
function ofLargest(body: ErrorBody, { traces, isSession }: RunRequest): ErrorBody {
  if (body.code !== 'message_too_large') return body;
  const constants = traces.flatMap(({ graph }, trace) =>
    graph.nodes.flatMap((node, id) => {
      const bytes = node.kind === 'constant' ? (node.tensor?.length ?? 0) : 0;
      return bytes > 0 ? [{ bytes, node: id, ...(isSession ? { trace } : {}) }] : [];
    }),
  );
  const [largest] = constants.toSorted((a, b) => b.bytes - a.bytes);
  if (!largest) return body;
  const { bytes, ...of } = largest;
  return { ...body, ...of, message: `${body.message} The largest has ${bytes} bytes.` };
}

/** A generation's options are the run's, or in a session the trace's. */
function workOf({ traces, isSession, options }: RunRequest): object {
  const graphs = traces.map(({ graph, generate }) => (generate ? { graph, generate } : { graph }));
  const [only] = graphs;
  if (isSession || !only) return { traces: graphs, options };
  const all = only.generate ? { ...options, generate: only.generate } : options;
  return { graph: only.graph, options: all };
}

/** 128 random bits; `crypto.randomUUID` is missing on web pages without TLS. */
function newRunId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
