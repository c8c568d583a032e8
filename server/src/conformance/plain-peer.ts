/**
 * A conversation in which messages are read as plain data, for the capabilities of PROTOCOL.md, section 6, whose messages
 * and fields the project's own tables may not have yet. Acknowledges by itself; puts values and chunks together.
 */
import { CAPABILITIES, decodeFrame, PayloadReader, type Value, type ValueRef } from '@tracewire/protocol';
import type { CaseContext } from './cases.ts';
import { brief, Mismatch, within } from './mismatch.ts';
import { frame } from './pack.ts';
import { newRunId } from './peer.ts';
import type { Target, Wire } from './wire.ts';

export type Fields = Readonly<Record<string, unknown>>;

export interface Heard {
  readonly header: Fields;
  /** Of a value, with its chunks'. */
  payload: Uint8Array;
}

const TERMINAL: readonly unknown[] = ['completed', 'failed', 'cancelled'];

/** What a server announces to a client that knows everything. */
export async function offeredBy(target: Target, timeoutMs: number): Promise<ReadonlySet<string>> {
  const peer = new PlainPeer(await target.connect(), timeoutMs, '');
  try {
    const { capabilities } = await peer.hello(CAPABILITIES);
    return new Set(Array.isArray(capabilities) ? capabilities : []);
  } finally {
    peer.close();
  }
}

/** Opens one for a case, says hello with these capabilities, and closes it at the end. */
export async function talk(
  { target, timeoutMs, model }: CaseContext,
  capabilities: readonly string[],
  what: (peer: PlainPeer, welcome: Fields) => Promise<void>,
): Promise<void> {
  const peer = new PlainPeer(await target.connect(), timeoutMs, model.name);
  try {
    await what(peer, await peer.hello(capabilities));
  } finally {
    peer.close();
  }
}

export class PlainPeer {
  readonly #wire: Wire;
  readonly #timeoutMs: number;
  readonly #model: string;
  readonly #heard: Heard[] = [];
  #closed = '';
  #wake: () => void = () => undefined;

  constructor(wire: Wire, timeoutMs: number, model: string) {
    this.#wire = wire;
    this.#timeoutMs = timeoutMs;
    this.#model = model;
    wire.listen((bytes) => this.#receive(bytes));
    wire.closed.then(({ code, reason }) => {
      this.#closed = `a close with ${code} ${reason}`;
      this.#wake();
    });
  }

  close(): void {
    this.#wire.close();
  }

  send(header: Fields, payload?: Uint8Array): void {
    this.#wire.send(frame(header, payload));
  }

  async hello(capabilities: readonly string[]): Promise<Fields> {
    const client = { name: 'tracewire-conformance', version: '1' };
    this.send({ type: 'hello', protocol: 1, client, capabilities });
    return (await this.next('a welcome', ({ type }) => type === 'welcome')).header;
  }

  /** The next message, which must be this one. */
  async next(wanted: string, is: (header: Fields) => boolean): Promise<Heard> {
    const deadline = performance.now() + this.#timeoutMs;
    for (;;) {
      const heard = this.#heard.shift();
      if (heard?.header['type'] === 'progress') continue;
      if (heard && !is(heard.header)) throw new Mismatch(wanted, brief(heard.header));
      if (heard) return heard;
      if (this.#closed) throw new Mismatch(wanted, this.#closed);
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await within(woken, Math.max(deadline - performance.now(), 1), () => wanted);
    }
  }

  /** Sends a run and gives all that comes of it. */
  async run(fields: Fields, payload?: Uint8Array, { acks = true } = {}): Promise<PlainRun> {
    const { run = newRunId(), ...rest } = fields;
    this.send({ type: 'run', run, model: this.#model, ...rest }, payload);
    const heard: Heard[] = [];
    for (;;) {
      const next = await this.next('a message of the run', (header) => header['run'] === run);
      const { type, seq, state } = next.header;
      if (type !== 'error') this.#number(run, seq, heard.length, acks);
      const value = heard.at(-1);
      if (type === 'chunk' && value) value.payload = Buffer.concat([value.payload, next.payload]);
      heard.push(next);
      if (type === 'error' || (type === 'status' && TERMINAL.includes(state))) return new PlainRun(heard);
    }
  }

  #number(run: unknown, seq: unknown, before: number, acks: boolean): void {
    if (seq !== before + 1) throw new Mismatch(`seq ${before + 1}`, brief(seq));
    if (acks) this.send({ type: 'ack', run, seq });
  }

  #receive(bytes: Uint8Array): void {
    const { header, payload } = decodeFrame(bytes);
    this.#heard.push({ header, payload });
    this.#wake();
  }
}

export class PlainRun {
  readonly #heard: readonly Heard[];

  constructor(heard: readonly Heard[]) {
    this.#heard = heard;
  }

  of(type: string): readonly Heard[] {
    return this.#heard.filter(({ header }) => header['type'] === type);
  }

  /** Headers of values, access errors and tokens, as they came. */
  get outcomes(): readonly Fields[] {
    const types: readonly unknown[] = ['value', 'access_error', 'token'];
    return this.#heard.map(({ header }) => header).filter(({ type }) => types.includes(type));
  }

  /** The terminal status, which must be of this state. */
  ended(state: string): Fields {
    const last = this.#heard.at(-1)?.header;
    if (last?.['state'] !== state) throw new Mismatch(`a run that ends as ${state}`, brief(last));
    return last;
  }

  /** The error of this code that refused the run. */
  refusedWith(code: string): Fields {
    const last = this.#heard.at(-1)?.header;
    const errors = Array.isArray(last?.['errors']) && last['type'] === 'error' ? last['errors'] : [];
    const found = errors.find((error) => error.code === code);
    if (!found) throw new Mismatch(`a refusal with ${code}`, brief(last));
    return found;
  }

  /** The value of a save, in a step or trace if fields name one. */
  value(save: number, where: Fields = {}): Value {
    const wanted = Object.entries({ save, ...where });
    const found = this.of('value').find(({ header }) =>
      wanted.every(([key, field]) => header[key] === field),
    );
    if (!found) throw new Mismatch(`a value with ${brief({ save, ...where })}`, brief(this.outcomes));
    return new PayloadReader(found.payload).value(found.header['value'] as ValueRef, 'value');
  }

  /** The access error of a save, which must have these fields. */
  accessError(save: number, where: Fields, error: Fields): void {
    const wanted = { save, ...where, error };
    const found = this.of('access_error').some(({ header }) => holds(header, wanted));
    if (!found) throw new Mismatch(`an access error with ${brief(wanted)}`, brief(this.outcomes));
  }
}

/** Whether something has these fields, and theirs. */
function holds(got: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return got === wanted;
  if (typeof got !== 'object' || got === null) return false;
  return Object.entries(wanted).every(([key, field]) => holds((got as Fields)[key], field));
}
