/** Puts a run's saved values together from their chunks. One value at a time: those of a run don't interleave. */
import { PayloadReader, type ValueRef } from '@tracewire/protocol/wire';
import { type SavedValue, toSavedValue } from './tensor.ts';
import { violation } from './violation.ts';

/** What a value is of; the step in a generation, the trace in a session. */
export interface ValueOf {
  readonly trace: number | undefined;
  readonly save: number;
  readonly step: number | undefined;
}

export interface Assembled extends ValueOf {
  readonly value: SavedValue;
}

export class ValueAssembly {
  readonly #most: number;
  readonly #chunkBytes: number;
  #open:
    | {
        readonly of: ValueOf;
        readonly ref: ValueRef;
        readonly bytes: Uint8Array;
        at: number;
      }
    | undefined;

  /** `most`: bytes a value may have; a size is believed only up to it, for memory is taken before the bytes come. */
  constructor(most: number, chunkBytes: number) {
    this.#most = most;
    this.#chunkBytes = chunkBytes;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Bytes that have come of a value that is not yet whole, and that it has. */
  get received(): { readonly done: number; readonly total: number } | undefined {
    return this.#open && { done: this.#open.at, total: this.#open.bytes.byteLength };
  }

  /** The value, if its first message was all of it. */
  start(of: ValueOf, ref: ValueRef, bytes: number, payload: Uint8Array): Assembled | undefined {
    const { save } = of;
    if (this.#open) throw violation(`value ${save} began before value ${this.#open.of.save} was complete`);
    if (bytes > this.#most)
      throw violation(`value ${save} has ${bytes} bytes, beyond the limit of ${this.#most}`);
    if (payload.byteLength === bytes) return { ...of, value: read(ref, ownMemory(payload)) };
    // Before memory is taken for the rest.
    this.#mustBePart(payload, 0, bytes);
    this.#open = { of, ref, bytes: new Uint8Array(bytes), at: 0 };
    return this.#append(payload);
  }

  /** The value, if this was its last part. */
  part({ trace, save, step }: ValueOf, offset: number, payload: Uint8Array): Assembled | undefined {
    const open = this.#open;
    if (open?.of.save !== save || open.of.step !== step || open.of.trace !== trace)
      throw violation(`a chunk of value ${save}, which is not being sent`);
    if (offset !== open.at) throw violation(`a chunk of value ${save} at ${offset}; ${open.at} was next`);
    return this.#append(payload);
  }

  #append(payload: Uint8Array): Assembled | undefined {
    const open = this.#open;
    if (!open) return undefined;
    this.#mustBePart(payload, open.at, open.bytes.byteLength);
    open.bytes.set(payload, open.at);
    open.at += payload.byteLength;
    if (open.at < open.bytes.byteLength) return undefined;
    this.#open = undefined;
    return { ...open.of, value: read(open.ref, open.bytes) };
  }

  /** A part is as long as it may be, or what is left. */
  #mustBePart({ byteLength }: Uint8Array, at: number, bytes: number): void {
    if (byteLength === Math.min(this.#chunkBytes, bytes - at)) return;
    throw violation(`a part of ${byteLength} bytes at ${at} of ${bytes}`);
  }
}

/** A small part of a large buffer would keep all of that in memory. */
function ownMemory(bytes: Uint8Array): Uint8Array {
  return bytes.buffer.byteLength > 2 * bytes.byteLength ? bytes.slice() : bytes;
}

/** All of the payload belongs to the value. */
export function read(ref: ValueRef, payload: Uint8Array): SavedValue {
  const reader = new PayloadReader(payload);
  const value = reader.value(ref, 'value');
  reader.end();
  return toSavedValue(value);
}
