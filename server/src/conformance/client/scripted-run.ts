/** One run at the scripted server: numbers its messages, keeps within the window, and can do all of it wrong. */
import {
  type AccessCode,
  type ClientMessage,
  type Graph,
  isTerminal,
  type Limits,
  PayloadWriter,
  type Place,
  type RunState,
  type TensorLike,
  tensorsOf,
  tracesOf,
  type Value,
} from '@tracewire/protocol';
import { within } from '../mismatch.ts';
import { doubled, valueOfModule } from './fixture.ts';

export const REPORT = {
  modulesRun: 1,
  modulesTotal: 3,
  segmentsRun: 1,
  segmentsTotal: 3,
  tokens: 2,
  milliseconds: 1.5,
  stoppedAfter: 'h.0',
};

const RANK: Readonly<Record<string, number>> = { 'h.0': 1, mix: 2, 'h.1': 4 };

interface Sent {
  readonly seq: number;
  readonly bytes: number;
  readonly at: number;
}

/** Of which trace of a session a message is, and of which step of a generation; nothing in a run of one pass. */
export interface Within {
  readonly trace?: number;
  readonly step?: number;
}

export class ScriptedRun {
  readonly id: string;
  /** Of a session the first trace's. */
  readonly graph: Graph;
  /** By trace. */
  readonly graphs: readonly Graph[];
  readonly isSession: boolean;
  readonly #limits: Limits;
  /** To the client; a script may put something between. */
  send: (header: object, payload?: Uint8Array) => void;
  /** By trace. */
  readonly #constants: readonly ReadonlyMap<number, TensorLike>[];
  readonly #waiting: (() => void)[] = [];
  seq = 0;
  acked = 0;
  /** When the last ack came, and the longest time a message has waited for one. */
  longestWait = 0;
  /** The most payload that one ack has covered. */
  mostUnacked = 0;
  /** Whether the last message was a terminal status. */
  ended = false;
  #sent: Sent[] = [];

  constructor(
    run: Pick<Extract<ClientMessage, { type: 'run' }>, 'run' | 'graph' | 'traces'>,
    payload: Uint8Array,
    limits: Limits,
    send: (header: object, payload?: Uint8Array) => void,
  ) {
    this.id = run.run;
    this.graphs = tracesOf(run).map(({ graph }) => graph);
    const [graph] = this.graphs;
    if (!graph) throw new Error('a run has a graph');
    this.graph = graph;
    this.isSession = run.traces !== undefined;
    this.#limits = limits;
    this.send = send;
    this.#constants = tensorsOf(run, payload).map(({ constants }) => constants);
  }

  /** The run goes on on another connection: what was sent after `after` is sent again there, by the script. */
  moveTo(send: (header: object, payload?: Uint8Array) => void, after: number): void {
    this.send = send;
    this.#sent = [];
    this.seq = after;
    this.acked = Math.max(this.acked, after);
  }

  get saves(): readonly number[] {
    return this.savesOf();
  }

  savesOf(trace = 0): readonly number[] {
    return this.#graphOf(trace).nodes.flatMap((node, id) => (node.kind === 'save' ? [id] : []));
  }

  /** The save of a module's output. */
  saveOf(module: string, trace = 0): number {
    const found = this.savesOf(trace).find((save) => this.#placeOf(save, trace)?.module === module);
    if (found === undefined) throw new Error(`the trace saves no output of ${module}`);
    return found;
  }

  /** A numbered message, with a number of its own choosing where `fields` has one. */
  say(type: string, fields: object = {}, payload: Uint8Array = new Uint8Array()): void {
    this.seq += 1;
    this.#sent.push({ seq: this.seq, bytes: payload.length, at: performance.now() });
    this.send({ type, run: this.id, seq: this.seq, ...fields }, payload);
  }

  status(state: RunState, fields: object = {}): void {
    const report = this.isSession
      ? { reports: this.graphs.map(() => ({ state, report: REPORT })) }
      : { report: REPORT };
    const ended = state === 'completed' || state === 'cancelled';
    this.say('status', { state, ...(ended ? report : {}), ...fields });
    this.ended = isTerminal(state);
  }

  begin(): void {
    this.status('received');
    this.status('running');
  }

  /** Waits until the client's acks have opened the window. */
  async value(save: number, value: Value, within: Within = {}): Promise<void> {
    const writer = new PayloadWriter();
    const ref = writer.value(value);
    const whole = Buffer.concat(writer.parts);
    const { chunkBytes } = this.#limits;
    await this.#room(Math.min(whole.length, chunkBytes));
    this.say('value', { ...within, save, value: ref, bytes: whole.length }, whole.subarray(0, chunkBytes));
    for (let offset = chunkBytes; offset < whole.length; offset += chunkBytes) {
      const part = whole.subarray(offset, offset + chunkBytes);
      await this.#room(part.length);
      this.say('chunk', { ...within, save, offset }, part);
    }
  }

  accessError(save: number, code: AccessCode, fields: object = {}, within: Within = {}): void {
    const message = `Accessing value before it's been set. (${code})`;
    this.say('access_error', { ...within, save, error: { code, message, ...fields } });
  }

  /** Each save's outcome, as the page wants it: places in their order, what is behind a stop not_reached. */
  async outcomes(trace = 0): Promise<void> {
    const stop = Math.min(
      ...this.#graphOf(trace).nodes.flatMap((node) =>
        node.kind === 'stop' ? [RANK[node.place.module] ?? 0] : [],
      ),
    );
    const rank = (save: number): number => RANK[this.#placeOf(save, trace)?.module ?? ''] ?? 0;
    const within = this.isSession ? { trace } : {};
    for (const save of this.savesOf(trace).toSorted((left, right) => rank(left) - rank(right))) {
      if (rank(save) > stop) this.accessError(save, 'not_reached', {}, within);
      else await this.value(save, this.valueOf(save, trace), within);
    }
  }

  async answer(): Promise<void> {
    this.begin();
    for (const trace of this.graphs.keys()) await this.outcomes(trace);
    this.logs();
    this.status('completed');
  }

  /** What its log nodes print: their text, and the output of h.0. */
  logs(): void {
    for (const [node, { kind, text }] of this.graph.nodes
      .map((each) => ({ text: undefined, ...each }))
      .entries()) {
      if (kind !== 'log') continue;
      const writer = new PayloadWriter();
      const value = writer.value(valueOfModule('h.0'));
      this.say('log', { node, text, value }, Buffer.concat(writer.parts));
    }
  }

  /** Takes an ack. The text says what is wrong with it. */
  ack(seq: number): string | undefined {
    if (seq > this.seq) return `an ack of ${seq}, and ${this.seq} is the last that was sent`;
    const now = performance.now();
    const covered = this.#sent.filter((sent) => sent.seq <= seq);
    for (const { at } of covered) this.longestWait = Math.max(this.longestWait, now - at);
    this.mostUnacked = Math.max(this.mostUnacked, sumOfBytes(covered));
    this.#sent = this.#sent.filter((sent) => sent.seq > seq);
    this.acked = Math.max(this.acked, seq);
    for (const wake of this.#waiting.splice(0)) wake();
    return undefined;
  }

  async #room(bytes: number): Promise<void> {
    const ahead = (): number => sumOfBytes(this.#sent);
    while (ahead() > 0 && ahead() + bytes > this.#limits.windowBytes) {
      const acked = new Promise<void>((resolve) => this.#waiting.push(resolve));
      await within(acked, 3000, () => 'an ack at least every second or MiB');
    }
  }

  #graphOf(trace: number): Graph {
    return this.graphs[trace] ?? this.graph;
  }

  #placeOf(save: number, trace: number): Place | undefined {
    const { nodes } = this.#graphOf(trace);
    const node = nodes[save];
    const value = node?.kind === 'save' ? nodes[node.value] : undefined;
    return value?.kind === 'read' ? value.place : undefined;
  }

  /** What a save gives; of a value of an earlier trace, what its place there gives. */
  valueOf(save: number, trace = 0): Value {
    const { nodes } = this.#graphOf(trace);
    const node = nodes[save];
    const saved = node?.kind === 'save' ? nodes[node.value] : undefined;
    if (saved?.kind === 'call') return doubled();
    if (saved?.kind === 'earlier') {
      const read = this.#graphOf(saved.trace).nodes[saved.node];
      return valueOfModule(read?.kind === 'read' ? read.place.module : '');
    }
    const constant = node?.kind === 'save' ? this.#constants[trace]?.get(node.value) : undefined;
    return constant ?? valueOfModule(this.#placeOf(save, trace)?.module ?? '');
  }
}

const sumOfBytes = (messages: readonly Sent[]): number => messages.reduce((sum, { bytes }) => sum + bytes, 0);
