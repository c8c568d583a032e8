/**
 * One run as the gateway keeps it (PROTOCOL.md, section 2.3): its state, and for each of its `save` nodes
 * exactly one outcome before the terminal status, whatever becomes of the host. It takes the host's events
 * and puts the client's messages into its outbox.
 */
import {
  type AccessCode,
  type ErrorBody,
  isTerminal,
  type MessageOf,
  type Report,
  type RunState,
  type Status,
} from '@tracewire/protocol';
import type { hostEvents } from '../host/messages.ts';
import { Assembly } from './assembly.ts';
import type { RunEvents, Work } from './host-handle.ts';
import type { Outbox } from './outbox.ts';

type HostEvent<K extends keyof typeof hostEvents> = MessageOf<typeof hostEvents, K>;
type FinalState = Extract<RunState, 'completed' | 'failed' | 'cancelled'>;

/** How a run ended, apart from its state. */
interface Ending {
  readonly errors?: readonly ErrorBody[] | undefined;
  readonly report?: Report | undefined;
}

export interface RunOptions {
  /** The client's id; the outbox puts it on every message. */
  readonly id: string;
  /** The gateway's own id towards the host, for clients choose theirs freely. */
  readonly hostId: string;
  readonly work: Work;
  readonly outbox: Outbox;
  /** Bytes that logs may add before their values are left out. */
  readonly logBytes: number;
  progress(done: number, total: number): void;
}

export class Run implements RunEvents {
  readonly id: string;
  readonly hostId: string;
  readonly outbox: Outbox;
  readonly #logBytes: number;
  readonly #progress: RunOptions['progress'];
  #work: Work | undefined;
  #state: RunState | undefined;
  #position: number | undefined;
  #cancelled = false;
  #assembly: Assembly | undefined;
  /** Saves that have had no outcome yet. */
  readonly #open: Set<number>;

  constructor(options: RunOptions) {
    this.id = options.id;
    this.hostId = options.hostId;
    this.outbox = options.outbox;
    this.#logBytes = options.logBytes;
    this.#progress = options.progress;
    this.#work = options.work;
    const { nodes } = options.work.graph;
    this.#open = new Set(nodes.flatMap((node, id) => (node.kind === 'save' ? [id] : [])));
  }

  get ended(): boolean {
    return this.#state !== undefined && isTerminal(this.#state);
  }

  received(warnings: readonly ErrorBody[]): void {
    this.#enter('received', warnings.length > 0 ? { warnings: [...warnings] } : {});
  }

  queued(position: number): void {
    if (this.#position === position) return;
    this.#position = position;
    this.#enter('queued', { position });
  }

  /** Says that the run begins, and gives what the host needs; it isn't kept. */
  running(): Work | undefined {
    const work = this.#work;
    this.#work = undefined;
    this.#enter('running', {});
    return work;
  }

  /** From here on the run can only end as `cancelled`. */
  cancel(): void {
    this.#cancelled = true;
  }

  progress({ done, total }: HostEvent<'progress'>): void {
    if (!this.ended) this.#progress(done, total);
  }

  value(event: HostEvent<'value'>, payload: Uint8Array): void {
    this.#assembly = new Assembly(event, payload);
    this.#sendWhole();
  }

  chunk(event: HostEvent<'chunk'>, payload: Uint8Array): void {
    this.#assembly?.add(event, payload);
    this.#sendWhole();
  }

  access_error({ save, error }: HostEvent<'access_error'>): void {
    this.#accessError(save, error);
  }

  log({ node, text, value }: HostEvent<'log'>, payload: Uint8Array): void {
    if (this.ended) return;
    const { outbox } = this;
    if (outbox.heldBytes + payload.byteLength <= this.#logBytes) {
      outbox.push({ type: 'log', node, text, value }, payload);
    } else {
      const note = `(${payload.byteLength} bytes left out: the run holds too much unread)`;
      outbox.push({ type: 'log', node, text: text === undefined ? note : `${text} ${note}` });
    }
  }

  done({ state, errors, report }: HostEvent<'done'>): void {
    this.finish(state, { errors, report });
  }

  /** Ends the run once: outcomes for the saves that have none, then the terminal status. */
  finish(state: FinalState, { errors, report }: Ending = {}): void {
    if (this.ended) return;
    this.#work = undefined;
    this.#assembly = undefined;
    const final = this.#cancelled ? 'cancelled' : state;
    for (const save of [...this.#open]) this.#accessError(save, missing(save, final, errors?.[0]));
    const failed = final === 'failed' ? { errors: [...(errors ?? [])].slice(0, 100) } : {};
    this.#enter(final, { ...failed, report });
  }

  /** A value goes out only when all of it is here, so that a lost host leaves no half of one behind. */
  #sendWhole(): void {
    const assembly = this.#assembly;
    if (!assembly?.complete) return;
    this.#assembly = undefined;
    if (this.ended || !this.#open.delete(assembly.save)) return;
    for (const { message, payload } of assembly.messages()) this.outbox.push(message, payload);
  }

  #accessError(save: number, error: ErrorBody): void {
    if (this.ended || !this.#open.delete(save)) return;
    this.outbox.push({ type: 'access_error', save, error });
  }

  #enter(state: RunState, fields: Omit<Status, 'type' | 'run' | 'seq' | 'state'>): void {
    if (this.ended) return;
    this.#state = state;
    this.outbox.push({ type: 'status', state, ...fields });
  }
}

const UNSET = "Accessing value before it's been set.";

/** Why a save has no value when the host gave no reason of its own. */
function missing(save: number, state: FinalState, cause: ErrorBody | undefined): ErrorBody {
  const reasons: Record<FinalState, { code: AccessCode; message: string }> = {
    cancelled: { code: 'cancelled', message: `${UNSET} The run was cancelled before the value came to be.` },
    failed: { code: 'failed', message: `${UNSET} The run failed${cause ? `: ${cause.message}` : '.'}` },
    completed: { code: 'unset', message: `${UNSET} The run ended without computing it.` },
  };
  return { ...reasons[state], node: save, cause: state === 'failed' ? cause : undefined };
}
