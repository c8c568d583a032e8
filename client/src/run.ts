/**
 * One run, on one connection after another: checks the order of what the server says, puts values together,
 * acknowledges, and tells a listener what came. It knows nothing of traces; `execute.ts` ties the two. A value that was
 * cut off in the middle goes on with its next chunk, for chunks have numbers too.
 */
import {
  type ErrorBody,
  type Graph,
  isTerminal,
  type Limits,
  type MessageOf,
  type RunState,
  type Status,
  type serverMessages,
} from '@tracewire/protocol';
import { Acks } from './acks.ts';
import type { ConnectionEvent } from './reconnect.ts';
import type { SavedValue } from './tensor.ts';
import { type Assembled, read, ValueAssembly } from './value-assembly.ts';
import { violation } from './violation.ts';

type Message<K extends keyof typeof serverMessages> = MessageOf<typeof serverMessages, K>;

/** How far a run is, in parts of the model; or, with a phase, how far that is. */
export interface RunProgress {
  readonly done: number;
  readonly total: number;
  /** The run waits for its model to be loaded. */
  readonly phase?: 'loading' | undefined;
}

/** What a run tells. After `end` or `refused` nothing more comes. */
export interface RunListener {
  /** The terminal status too, before `end`. */
  status(status: Status): void;
  value(save: number, value: SavedValue): void;
  accessError(save: number, error: ErrorBody): void;
  log(node: number, text: string | undefined, value: SavedValue | undefined): void;
  progress(progress: RunProgress): void;
  /** What becomes of the connection. */
  connection(event: ConnectionEvent): void;
  /** The run has ended in this status. */
  end(status: Status): void;
  /** The server refused the run, or the connection was lost. */
  refused(errors: readonly [ErrorBody, ...ErrorBody[]]): void;
}

const OTHER_TRACE =
  'The run saves other values than this trace. Attach with the function that the run was started with.';

/** Which states may follow one. */
const AFTER: Readonly<Record<RunState, readonly RunState[]>> = {
  received: ['queued', 'running', 'failed', 'cancelled'],
  queued: ['queued', 'running', 'failed', 'cancelled'],
  running: ['completed', 'failed', 'cancelled'],
  completed: [],
  failed: [],
  cancelled: [],
};

/** Alignment adds to the bytes of a value's tensors. */
const ALIGNMENT_SLACK = 256 * 1024;

/** What a run sends back, by node ids. */
export interface RunNodes {
  readonly saves: Iterable<number>;
  readonly graph: Graph;
  /** The id of a run that somebody else started. */
  readonly follow?: string | undefined;
}

export class Run {
  readonly #listener: RunListener;
  readonly #assembly: ValueAssembly;
  readonly #acks: Acks;
  /** Saves that have no outcome yet. */
  readonly #open: Set<number>;
  /** Whether somebody else started the run, from a trace that may have been another. */
  readonly #followed: boolean;
  readonly #logs: ReadonlySet<number>;
  #state: RunState | undefined;
  #seq = 0;

  constructor(
    { saves, graph, follow }: RunNodes,
    limits: Limits,
    listener: RunListener,
    ack: (seq: number) => void,
  ) {
    this.#listener = listener;
    this.#open = new Set(saves);
    this.#followed = follow !== undefined;
    this.#logs = new Set(graph.nodes.flatMap(({ kind }, id) => (kind === 'log' ? [id] : [])));
    this.#assembly = new ValueAssembly(limits.savedBytes + ALIGNMENT_SLACK, limits.chunkBytes);
    this.#acks = new Acks(limits, ack);
  }

  /** The last message that came. */
  get seq(): number {
    return this.#seq;
  }

  /** Returns whether the run has ended. */
  status(message: Message<'status'>): boolean {
    this.#next(message.seq, 0);
    this.#enter(message.state);
    const ended = isTerminal(message.state);
    if (ended) this.#checkEnd(message.state);
    this.#listener.status(message);
    if (!ended) return false;
    this.#acks.flush();
    this.#listener.end(message);
    return true;
  }

  value({ seq, save, value, bytes }: Message<'value'>, payload: Uint8Array): void {
    this.#next(seq, payload.byteLength);
    this.#mustRun('value');
    if (!this.#open.has(save)) this.#unawaited(`a value for ${save}, which awaits none`);
    this.#deliver(this.#assembly.start(save, value, bytes, payload));
  }

  chunk({ seq, save, offset }: Message<'chunk'>, payload: Uint8Array): void {
    if (!this.#assembly.isOpen) throw violation(`a chunk of value ${save} without its beginning`);
    this.#inOrder(seq);
    this.#acks.took(seq, payload.byteLength);
    this.#deliver(this.#assembly.part(save, offset, payload));
  }

  accessError({ seq, save, error }: Message<'access_error'>): void {
    this.#next(seq, 0);
    this.#mustHaveBegun();
    if (!this.#open.delete(save)) this.#unawaited(`an access error for ${save}, which awaits none`);
    this.#listener.accessError(save, error);
  }

  log({ seq, node, text, value }: Message<'log'>, payload: Uint8Array): void {
    this.#next(seq, payload.byteLength);
    this.#mustRun('log');
    if (!this.#logs.has(node)) this.#unawaited(`a log of ${node}, which logs nothing`);
    this.#listener.log(node, text, value && read(value, payload));
  }

  progress({ done, total, phase }: Message<'progress'>): void {
    this.#listener.progress(phase === undefined ? { done, total } : { done, total, phase });
  }

  connection(event: ConnectionEvent): void {
    this.#listener.connection(event);
  }

  /** Ends the run from outside: it was refused, or the connection is gone. */
  refuse(errors: readonly ErrorBody[]): void {
    this.#acks.stop();
    const [first, ...rest] = errors;
    const nothing = { code: 'internal' as const, message: 'The server refused the run and did not say why.' };
    this.#listener.refused([first ?? nothing, ...rest]);
  }

  /** The states in their order (PROTOCOL.md, section 2.3). */
  #enter(state: RunState): void {
    const from = this.#state;
    const may = from === undefined ? state === 'received' : AFTER[from].includes(state);
    if (!may) throw violation(`the state ${state} came after ${from ?? 'nothing'}`);
    this.#state = state;
  }

  #mustRun(what: string): void {
    if (this.#state !== 'running')
      throw violation(`a ${what} came while a run was ${this.#state ?? 'unknown'}`);
  }

  #mustHaveBegun(): void {
    if (this.#state === undefined) throw violation('an outcome came before `received`');
  }

  /** Takes a message that may not stand between a value's chunks. */
  #next(seq: number, bytes: number): void {
    if (this.#assembly.isOpen) throw violation('another message of the run between the chunks of a value');
    this.#inOrder(seq);
    this.#acks.took(seq, bytes);
  }

  #inOrder(seq: number): void {
    if (seq !== this.#seq + 1) throw violation(`message ${seq} of a run came after ${this.#seq}`);
    this.#seq = seq;
  }

  #deliver(assembled: Assembled | undefined): void {
    if (!assembled) return;
    this.#open.delete(assembled.save);
    this.#listener.value(assembled.save, assembled.value);
  }

  #checkEnd(state: string): void {
    const [missing] = this.#open;
    if (missing !== undefined) this.#unawaited(`the run is ${state}, and save ${missing} has no outcome`);
  }

  /** The server's fault, unless it runs another trace than this one. */
  #unawaited(what: string): void {
    if (!this.#followed) throw violation(what);
    this.#listener.refused([{ code: 'misuse', message: OTHER_TRACE }]);
  }
}
