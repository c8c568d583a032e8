/**
 * One run, on one connection after another: checks the order of what the server says, puts values together,
 * acknowledges, and tells a listener what came. It knows nothing of traces; `execute.ts` ties the two. A value that was
 * cut off in the middle goes on with its next chunk, for chunks have numbers too.
 */
import {
  beganOf,
  type ErrorBody,
  isTerminal,
  type Limits,
  type MessageOf,
  Outcomes,
  type Report,
  type RunState,
  type Status,
  type serverMessages,
  type TraceGraph,
} from '@tracewire/protocol/wire';
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
  value(of: SaveOf, value: SavedValue): void;
  accessError(of: SaveOf, error: ErrorBody): void;
  /** A token of a generation. */
  token(token: GeneratedToken): void;
  log(of: LogOf, text: string | undefined, value: SavedValue | undefined): void;
  progress(progress: RunProgress): void;
  /** What becomes of the connection. */
  connection(event: ConnectionEvent): void;
  /** The run has ended in this status. */
  end(status: Status): void;
  /** The server refused the run, or the connection was lost. */
  refused(errors: readonly [ErrorBody, ...ErrorBody[]]): void;
}

/** Where a message belongs: in which trace of a session, and in which step of a generation; only there. */
interface Within {
  readonly trace?: number | undefined;
  readonly step?: number | undefined;
}

export interface SaveOf extends Within {
  readonly save: number;
}

export interface LogOf extends Within {
  readonly node: number;
}

/** A token as it was chosen. */
export interface GeneratedToken {
  /** In a session: the trace that generates. */
  readonly trace?: number | undefined;
  /** Of which prompt, where there are several: its number, by the order of `invoke`. */
  readonly invoke?: number | undefined;
  /** The pass that chose it; the prompt's is 0. */
  readonly step: number;
  readonly id: number;
  /** What it adds to the text; empty where a character isn't whole yet. */
  readonly text: string;
}

const OTHER_TRACE =
  'The run saves other values than this trace. Attach with the function that the run was started with.';
/** What a followed run turns out to be. */
const IS = {
  session:
    'The run is a session. Follow it with attachSession, and with the function that it was started with.',
  trace: 'The run is no session. Follow it with attach, and with the function that it was started with.',
  generation:
    'The run is a generation. Give its options: attach(run, { maxNewTokens: … }, fn), as it was started.',
  pass: 'The run is no generation. Leave the options of one out: attach(run, fn), as it was started.',
} as const;

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
  readonly traces: readonly (TraceGraph & { readonly saves: Iterable<number> })[];
  readonly isSession: boolean;
  /** The id of a run that somebody else started. */
  readonly follow?: string | undefined;
}

/** What one trace of a run still owes. */
interface Owing {
  readonly outcomes: Outcomes;
  readonly logs: ReadonlySet<number>;
  /** Tokens that came of each invoke; undefined for one pass. */
  readonly tokens: number[] | undefined;
}

export class Run {
  readonly #listener: RunListener;
  readonly #assembly: ValueAssembly;
  readonly #acks: Acks;
  /** By trace. */
  readonly #owing: readonly Owing[];
  readonly #isSession: boolean;
  /** The trace that runs: outcomes come trace by trace. */
  #trace = 0;
  /** Whether somebody else started the run, from a trace that may have been another. */
  readonly #followed: boolean;
  #state: RunState | undefined;
  #seq = 0;

  constructor(
    { traces, isSession, follow }: RunNodes,
    limits: Limits,
    listener: RunListener,
    ack: (seq: number) => void,
  ) {
    this.#listener = listener;
    this.#isSession = isSession;
    this.#owing = traces.map(({ graph, generate, saves }) => ({
      outcomes: new Outcomes(graph, generate !== undefined, saves),
      logs: new Set(graph.nodes.flatMap(({ kind }, id) => (kind === 'log' ? [id] : []))),
      tokens: generate && graph.invokes.map(() => 0),
    }));
    this.#followed = follow !== undefined;
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
    if (ended) this.#checkEnd(message);
    this.#listener.status(message);
    if (!ended) return false;
    this.#acks.flush();
    this.#listener.end(message);
    return true;
  }

  value({ seq, save, step, trace, value, bytes }: Message<'value'>, payload: Uint8Array): void {
    this.#next(seq, payload.byteLength);
    this.#mustRun('value');
    const owing = this.#within(trace);
    if (!owing?.outcomes.isDue(save, step))
      this.#unawaited(`a value for ${at({ trace, save, step })}, which awaits none`, kindOf(step, owing));
    this.#deliver(this.#assembly.start({ trace, save, step }, value, bytes, payload));
  }

  chunk({ seq, save, step, trace, offset }: Message<'chunk'>, payload: Uint8Array): void {
    if (!this.#assembly.isOpen) throw violation(`a chunk of value ${save} without its beginning`);
    this.#inOrder(seq);
    this.#acks.took(seq, payload.byteLength);
    this.#deliver(this.#assembly.part({ trace, save, step }, offset, payload));
  }

  accessError({ seq, save, step, trace, error }: Message<'access_error'>): void {
    this.#next(seq, 0);
    this.#mustHaveBegun();
    const owing = this.#within(trace);
    if (!owing?.outcomes.take(save, step))
      this.#unawaited(
        `an access error for ${at({ trace, save, step })}, which awaits none`,
        kindOf(step, owing),
      );
    this.#listener.accessError({ trace, save, step }, error);
  }

  token({ seq, invoke, step, trace, id, text }: Message<'token'>): void {
    this.#next(seq, 0);
    this.#mustRun('token');
    const { tokens } = this.#within(trace) ?? {};
    if (tokens === undefined)
      return this.#unawaited(`a token came for what doesn’t generate`, kindOf(step, this.#within(trace)));
    const before = tokens[invoke ?? 0];
    if (before === undefined) return this.#unawaited(`a token of invoke ${invoke} came, which there isn’t`);
    if (before !== step) throw violation(`a token of step ${step} came after ${before}`);
    tokens[invoke ?? 0] = step + 1;
    this.#listener.token({
      ...(trace === undefined ? {} : { trace }),
      ...(tokens.length > 1 ? { invoke: invoke ?? 0 } : {}),
      step,
      id,
      text,
    });
  }

  log({ seq, node, step, trace, text, value }: Message<'log'>, payload: Uint8Array): void {
    this.#next(seq, payload.byteLength);
    this.#mustRun('log');
    const owing = this.#within(trace);
    if ((step === undefined) !== (owing?.tokens === undefined))
      this.#unawaited(
        `a log of node ${node} came ${step === undefined ? 'without' : 'with'} a step`,
        kindOf(step, owing),
      );
    if (!owing?.logs.has(node)) this.#unawaited(`a log of ${node}, which logs nothing`);
    this.#listener.log({ trace, node, step }, text, value && read(value, payload));
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

  /** What the trace that a message names owes. Traces come in order: one ends when another has begun to tell of itself. */
  #within(trace: number | undefined): Owing | undefined {
    if ((trace === undefined) === this.#isSession)
      this.#unawaited(
        `a message came ${trace === undefined ? 'without' : 'with'} a trace`,
        this.#isSession ? IS.trace : IS.session,
      );
    const number = trace ?? 0;
    if (number < this.#trace)
      this.#unawaited(`a message of trace ${number} came after one of ${this.#trace}`);
    this.#trace = number;
    return this.#owing[number];
  }

  #deliver(assembled: Assembled | undefined): void {
    const { received } = this.#assembly;
    if (received) this.#listener.progress({ ...received, phase: 'receiving' });
    if (!assembled) return;
    const { value, ...of } = assembled;
    this.#owing[of.trace ?? 0]?.outcomes.take(of.save, of.step);
    this.#listener.value(of, value);
  }

  #checkEnd({ state, report, reports }: Message<'status'>): void {
    const wrong = this.#isSession ? report !== undefined : reports !== undefined;
    if (wrong || (reports && reports.length !== this.#owing.length)) {
      const kind = wrong ? (this.#isSession ? IS.trace : IS.session) : undefined;
      this.#unawaited(`the run is ${state}, and has not one report for each trace`, kind);
    }
    for (const [trace, { outcomes, tokens }] of this.#owing.entries()) {
      const of = reports?.[trace]?.report ?? report;
      if (of && state === 'completed') this.#checkKind(of, tokens !== undefined);
      // How many passes of a generation began.
      const [missing] = outcomes.missing(of ? beganOf(of) : 0);
      if (missing === undefined) continue;
      const save = { ...missing, trace: this.#isSession ? trace : undefined };
      this.#unawaited(`the run is ${state}, and save ${at(save)} has no outcome`);
    }
  }

  /** A run that saves nothing tells only here whether it generates. */
  #checkKind({ generated }: Report, generates: boolean): void {
    if ((generated !== undefined) === generates) return;
    const what = generates ? 'doesn’t say how it ended' : 'is one of a generation';
    this.#unawaited(`the run is completed, and its report ${what}`, generates ? IS.pass : IS.generation);
  }

  /** The server's fault, unless it runs another trace than this one. */
  #unawaited(what: string, kind: string = OTHER_TRACE): void {
    if (!this.#followed) throw violation(what);
    this.#listener.refused([{ code: 'misuse', message: kind }]);
  }
}

/** What a message says of a followed run by having a step, or none, where the trace doesn't. */
function kindOf(step: number | undefined, owing: Owing | undefined): string | undefined {
  if (!owing || (step === undefined) === (owing.tokens === undefined)) return undefined;
  return step === undefined ? IS.pass : IS.generation;
}

const at = ({ trace, save, step }: SaveOf): string =>
  `${save}${step === undefined ? '' : ` in step ${step}`}${trace === undefined ? '' : ` of trace ${trace}`}`;
