/**
 * Watches everything that a server sends, in every case's conversations, and notes what breaks the rules that hold
 * always: frames and schemas, sequence numbers, the order of states, one outcome a save, whole values. The cases of
 * `cases/always.ts` report what was noted.
 */
import {
  isTerminal,
  type Limits,
  PayloadReader,
  type RunState,
  type ServerMessage,
  type Value,
  type ValueRef,
  valueBytes,
} from '@tracewire/protocol';

/** What a note is about; each has a case. */
export type Rule =
  | 'binary'
  | 'frame'
  | 'schema'
  | 'size'
  | 'payload'
  | 'unknown-run'
  | 'seq'
  | 'states'
  | 'status-fields'
  | 'terminal-last'
  | 'refused-silent'
  | 'outcomes'
  | 'access-codes'
  | 'value-bytes'
  | 'chunks'
  | 'unbroken'
  | 'window'
  | 'local-codes';

/** Notes of a whole run of the suite. */
export class Notebook {
  readonly #notes = new Map<Rule, string[]>();

  note(rule: Rule, text: string): void {
    const notes = this.#notes.get(rule) ?? [];
    this.#notes.set(rule, notes);
    if (notes.length < 20) notes.push(text);
  }

  of(rule: Rule): readonly string[] {
    return this.#notes.get(rule) ?? [];
  }
}

interface OpenValue {
  readonly save: number;
  readonly ref: ValueRef;
  readonly bytes: number;
  readonly parts: Uint8Array[];
  have: number;
}

type RunMessage = Extract<ServerMessage, { readonly seq: number }>;

const ORDER: Readonly<Record<RunState, number>> = {
  received: 0,
  queued: 1,
  running: 2,
  completed: 3,
  failed: 3,
  cancelled: 3,
};

/** One run as it ought to be. Gives each value when it is whole. */
export class RunAudit {
  readonly #run: string;
  readonly #note: (rule: Rule, text: string) => void;
  readonly #saves: ReadonlySet<number>;
  readonly #outcomes = new Map<number, number>();
  readonly #value: (save: number, value: Value) => void;
  readonly #sizes = new Map<number, number>();
  /** Bytes of the tensors of its values. */
  #saved = 0;
  #limits: Limits | undefined;
  #seq: number;
  #acked = 0;
  #state: RunState | undefined;
  #open: OpenValue | undefined;

  constructor(options: {
    readonly run: string;
    readonly saves: readonly number[];
    readonly limits: Limits | undefined;
    readonly notes: Notebook;
    readonly value: (save: number, value: Value) => void;
    /** The run was taken over with a `resume` after this number. */
    readonly after?: number | undefined;
  }) {
    this.#run = options.run;
    this.#saves = new Set(options.saves);
    this.#limits = options.limits;
    this.#value = options.value;
    this.#note = (rule, text) => options.notes.note(rule, `run ${options.run}: ${text}`);
    this.#seq = options.after ?? 0;
    this.#acked = this.#seq;
    if (options.after) this.#resumed = true;
  }

  #resumed = false;

  acked(seq: number): void {
    this.#acked = Math.max(this.#acked, seq);
    for (const sent of this.#sizes.keys()) if (sent <= seq) this.#sizes.delete(sent);
  }

  take(message: RunMessage, payload: Uint8Array): void {
    const { seq, type } = message;
    if (seq !== this.#seq + 1) this.#note('seq', `seq ${seq} came after ${this.#seq}`);
    if (this.#state && isTerminal(this.#state)) {
      this.#note('terminal-last', `${type} ${seq} came after the status ${this.#state}`);
    }
    this.#seq = seq;
    this.#window(seq, payload.length);
    if (this.#open && type !== 'chunk') {
      this.#note(
        'unbroken',
        `${type} ${seq} came when value ${this.#open.save} had ${this.#open.have} of ${this.#open.bytes} bytes`,
      );
      this.#open = undefined;
    }
    switch (message.type) {
      case 'status':
        return this.#status(message, payload);
      case 'value':
        return this.#begin(message, payload);
      case 'chunk':
        return this.#part(message, payload);
      case 'access_error':
        this.#outcome(message.save, 'access_error');
        if (!['not_reached', 'unset', 'failed', 'too_large', 'cancelled'].includes(message.error.code)) {
          this.#note('access-codes', `an access error has the code ${message.error.code}`);
        }
        return;
      case 'log':
        if (this.#state === undefined && !this.#resumed) this.#note('states', 'a log came before any status');
        this.#logged(message, payload);
    }
  }

  /** A message whose payload alone is larger than the window may go alone. */
  #window(seq: number, bytes: number): void {
    const ahead = [...this.#sizes.values()].reduce((sum, size) => sum + size, 0);
    const most = this.#limits?.windowBytes ?? Number.POSITIVE_INFINITY;
    if (ahead > 0 && bytes > 0 && ahead + bytes > most) {
      this.#note(
        'window',
        `message ${seq} makes ${ahead + bytes} bytes that no ack has covered; windowBytes is ${most}`,
      );
    }
    if (bytes > 0) this.#sizes.set(seq, bytes);
  }

  #status(
    { state, seq, position, warnings, errors, report }: Extract<RunMessage, { type: 'status' }>,
    payload: Uint8Array,
  ): void {
    if (payload.length > 0)
      this.#note('payload', `the status ${seq} has a payload of ${payload.length} bytes`);
    const before = this.#state;
    if (before === undefined && state !== 'received' && !this.#resumed) {
      this.#note('states', `the first status is ${state}`);
    }
    if (before !== undefined && !isTerminal(before)) {
      const repeats = before === 'queued' && state === 'queued';
      if (ORDER[state] <= ORDER[before] && !repeats) this.#note('states', `${state} came after ${before}`);
      if ((state === 'completed' || state === 'failed') && before !== 'running' && state === 'completed') {
        this.#note('states', `${state} came after ${before}, not after running`);
      }
    }
    const misplaced = [
      position !== undefined && state !== 'queued' ? 'position' : '',
      warnings !== undefined && state !== 'received' ? 'warnings' : '',
      errors !== undefined && state !== 'failed' ? 'errors' : '',
      report !== undefined && !isTerminal(state) ? 'report' : '',
    ].filter((field) => field !== '');
    for (const field of misplaced) this.#note('status-fields', `a status ${state} has the field ${field}`);
    if (state === 'completed' && !report) this.#note('status-fields', 'a status completed has no report');
    if (state === 'failed' && !errors?.length) this.#note('status-fields', 'a status failed has no errors');
    this.#state = state;
    if (!isTerminal(state) || this.#resumed) return;
    for (const save of this.#saves) {
      if (!this.#outcomes.has(save)) this.#note('outcomes', `${state}, and save ${save} has had no outcome`);
    }
  }

  #outcome(save: number, what: string): void {
    if (this.#state !== 'running' && what === 'value') {
      if (!this.#resumed && !(this.#state && isTerminal(this.#state)))
        this.#note('states', `a value came while ${this.#state ?? 'nothing had been said'}`);
    }
    if (this.#saves.size > 0 && !this.#saves.has(save))
      this.#note('outcomes', `${what} for ${save}, which is no save`);
    const count = (this.#outcomes.get(save) ?? 0) + 1;
    this.#outcomes.set(save, count);
    if (count > 1) this.#note('outcomes', `outcome ${count} for save ${save}: ${what}`);
  }

  #begin({ save, value, bytes, seq }: Extract<RunMessage, { type: 'value' }>, payload: Uint8Array): void {
    this.#outcome(save, 'value');
    const chunkBytes = this.#limits?.chunkBytes ?? Number.POSITIVE_INFINITY;
    const first = Math.min(bytes, chunkBytes);
    if (payload.length !== first) {
      this.#note('chunks', `value ${seq} of ${bytes} bytes begins with ${payload.length}, not ${first}`);
    }
    this.#open = { save, ref: value, bytes, parts: [payload], have: payload.length };
    this.#finish();
  }

  #part({ save, offset, seq }: Extract<RunMessage, { type: 'chunk' }>, payload: Uint8Array): void {
    const open = this.#open;
    if (!open) return this.#note('chunks', `chunk ${seq} of save ${save} came without its value`);
    const chunkBytes = this.#limits?.chunkBytes ?? Number.POSITIVE_INFINITY;
    const size = Math.min(open.bytes - open.have, chunkBytes);
    if (save !== open.save) this.#note('chunks', `chunk ${seq} is of save ${save}, amid save ${open.save}`);
    if (offset !== open.have) this.#note('chunks', `chunk ${seq} lies at ${offset}, not ${open.have}`);
    if (payload.length !== size)
      this.#note('chunks', `chunk ${seq} has ${payload.length} bytes, not ${size}`);
    open.parts.push(payload);
    open.have += payload.length;
    this.#finish();
  }

  #finish(): void {
    const open = this.#open;
    if (!open || open.have < open.bytes) return;
    this.#open = undefined;
    try {
      const reader = new PayloadReader(Buffer.concat(open.parts));
      const value = reader.value(open.ref, 'value');
      reader.end();
      this.#saved += valueBytes(value);
      const most = this.#limits?.savedBytes ?? Number.POSITIVE_INFINITY;
      if (this.#saved > most) this.#note('value-bytes', `${this.#saved} bytes saved; savedBytes is ${most}`);
      this.#value(open.save, value);
    } catch (error) {
      this.#note('value-bytes', error instanceof Error ? error.message : String(error));
    }
  }

  #logged({ value, seq }: Extract<RunMessage, { type: 'log' }>, payload: Uint8Array): void {
    try {
      const reader = new PayloadReader(payload);
      if (value) reader.value(value, 'value');
      reader.end();
    } catch (error) {
      this.#note('value-bytes', `log ${seq}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
