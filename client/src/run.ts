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
  Outcomes,
  type RunOptions,
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
  /** The run waits for its model to be loaded; or a value comes, and these are its bytes. */
  readonly phase?: 'loading' | 'receiving' | undefined;
}

/** What a run tells. After `end` or `refused` nothing more comes. */
export interface RunListener {
  /** The terminal status too, before `end`. */
  status(status: Status): void;
  /** `step`: in a generation, and only there. */
  value(save: number, value: SavedValue, step?: number): void;
  accessError(save: number, error: ErrorBody, step?: number): void;
  /** A token of a generation. */
  token(token: GeneratedToken): void;
  log(node: number, text: string | undefined, value: SavedValue | undefined, step?: number): void;
  progress(progress: RunProgress): void;
  /** What becomes of the connection. */
  connection(event: ConnectionEvent): void;
  /** The run has ended in this status. */
  end(status: Status): void;
  /** The server refused the run, or the connection was lost. */
  refused(errors: readonly [ErrorBody, ...ErrorBody[]]): void;
}

/** A token as it was chosen. */
export interface GeneratedToken {
  /** The pass that chose it; the prompt's is 0. */
  readonly step: number;
  readonly id: number;
  /** What it adds to the text; empty where a character isn't whole yet. */
  readonly text: string;
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
  readonly options?: Pick<RunOptions, 'generate'> | undefined;
}

export class Run {
  readonly #listener: RunListener;
  readonly #assembly: ValueAssembly;
  readonly #acks: Acks;
  readonly #outcomes: Outcomes;
  /** Tokens that came; undefined in a run of one pass. */
  #tokens: number | undefined;
  /** Whether somebody else started the run, from a trace that may have been another. */
  readonly #followed: boolean;
  readonly #logs: ReadonlySet<number>;
  #state: RunState | undefined;
  #seq = 0;

  constructor(
    { saves, graph, follow, options }: RunNodes,
    limits: Limits,
    listener: RunListener,
    ack: (seq: number) => void,
  ) {
    this.#listener = listener;
    this.#outcomes = new Outcomes(graph, options?.generate !== undefined, saves);
    this.#tokens = options?.generate && 0;
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
    if (ended) this.#checkEnd(message.state, message.report?.steps ?? 0);
    this.#listener.status(message);
    if (!ended) return false;
    this.#acks.flush();
    this.#listener.end(message);
    return true;
  }

  value({ seq, save, step, value, bytes }: Message<'value'>, payload: Uint8Array): void {
    this.#next(seq, payload.byteLength);
    this.#mustRun('value');
    if (!this.#outcomes.isDue(save, step))
      this.#unawaited(`a value for ${at(save, step)}, which awaits none`);
    this.#deliver(this.#assembly.start({ save, step }, value, bytes, payload));
  }

  chunk({ seq, save, step, offset }: Message<'chunk'>, payload: Uint8Array): void {
    if (!this.#assembly.isOpen) throw violation(`a chunk of value ${save} without its beginning`);
    this.#inOrder(seq);
    this.#acks.took(seq, payload.byteLength);
    this.#deliver(this.#assembly.part({ save, step }, offset, payload));
  }

  accessError({ seq, save, step, error }: Message<'access_error'>): void {
    this.#next(seq, 0);
    this.#mustHaveBegun();
    if (!this.#outcomes.take(save, step))
      this.#unawaited(`an access error for ${at(save, step)}, which awaits none`);
    this.#listener.accessError(save, error, step);
  }

  token({ seq, step, id, text }: Message<'token'>): void {
    this.#next(seq, 0);
    this.#mustRun('token');
    if (this.#tokens !== step)
      throw violation(`a token of step ${step} came after ${this.#tokens ?? 'no'} tokens`);
    this.#tokens += 1;
    this.#listener.token({ step, id, text });
  }

  log({ seq, node, step, text, value }: Message<'log'>, payload: Uint8Array): void {
    this.#next(seq, payload.byteLength);
    this.#mustRun('log');
    if ((step === undefined) !== (this.#tokens === undefined))
      throw violation(`a log of node ${node} came ${step === undefined ? 'without' : 'with'} a step`);
    if (!this.#logs.has(node)) this.#unawaited(`a log of ${node}, which logs nothing`);
    this.#listener.log(node, text, value && read(value, payload), step);
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
    const { received } = this.#assembly;
    if (received) this.#listener.progress({ ...received, phase: 'receiving' });
    if (!assembled) return;
    const { save, step, value } = assembled;
    this.#outcomes.take(save, step);
    this.#listener.value(save, value, step);
  }

  /** `steps`: how many passes of a generation began. */
  #checkEnd(state: string, steps: number): void {
    const [missing] = this.#outcomes.missing(steps);
    if (missing === undefined) return;
    this.#unawaited(`the run is ${state}, and save ${at(missing.save, missing.step)} has no outcome`);
  }

  /** The server's fault, unless it runs another trace than this one. */
  #unawaited(what: string): void {
    if (!this.#followed) throw violation(what);
    this.#listener.refused([{ code: 'misuse', message: OTHER_TRACE }]);
  }
}

const at = (save: number, step: number | undefined): string =>
  step === undefined ? String(save) : `${save} in step ${step}`;
