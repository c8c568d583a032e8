/** Values ↔ payload bytes: where each tensor of a value lies, and the way back (PROTOCOL.md, section 1.3). */
import { TracewireError } from './errors.ts';
import type { TensorRef, ValueRef } from './fields.ts';
import { align8 } from './frame.ts';
import { byteLength, bytesOf, dataOf, isTuple, type TensorLike, type Value } from './tensor.ts';

const PADDING = new Uint8Array(8);

/** Collects tensors into one payload, each at a multiple of 8. */
export class PayloadWriter {
  readonly parts: Uint8Array[] = [];
  bytes = 0;

  tensor({ dtype, dims, data }: TensorLike): TensorRef {
    const gap = align8(this.bytes) - this.bytes;
    if (gap > 0) this.parts.push(PADDING.subarray(0, gap));
    const offset = this.bytes + gap;
    this.parts.push(bytesOf(data));
    this.bytes = offset + data.byteLength;
    return { dtype, dims, offset, length: data.byteLength };
  }

  value(value: Value): ValueRef {
    return isTuple(value)
      ? { tuple: value.map((member) => this.value(member)) }
      : { tensor: this.tensor(value) };
  }
}

/** Cuts a payload into parts of exactly `chunkBytes`, the last one shorter; one empty chunk if it is empty. */
export function chunksOf(parts: readonly Uint8Array[], chunkBytes: number): Uint8Array[][] {
  const chunks: Uint8Array[][] = [[]];
  let room = chunkBytes;
  for (let part of parts) {
    while (part.byteLength > 0) {
      if (room === 0) {
        chunks.push([]);
        room = chunkBytes;
      }
      const piece = part.subarray(0, room);
      chunks.at(-1)?.push(piece);
      room -= piece.byteLength;
      part = part.subarray(piece.byteLength);
    }
  }
  return chunks;
}

/**
 * Reads the tensors of one payload in the order of the header. Refuses what overlaps, runs past the end,
 * leaves gaps, or doesn't match its dims, so that a payload has one meaning and no hidden bytes.
 */
export class PayloadReader {
  #end = 0;
  readonly #payload: Uint8Array;

  constructor(payload: Uint8Array) {
    this.#payload = payload;
  }

  /** A view of the payload where alignment allows, else a copy. `path` names the field in errors. */
  tensor(ref: TensorRef, path: string): TensorLike {
    const { dtype, dims, offset, length } = ref;
    const wanted = byteLength(dtype, dims);
    if (length !== wanted) {
      throw badPayload(`${path}.length`, `${wanted} bytes for ${dtype} [${dims.join(', ')}]`, `${length}`);
    }
    if (offset !== align8(this.#end)) throw badPayload(`${path}.offset`, `${align8(this.#end)}`, `${offset}`);
    if (offset + length > this.#payload.byteLength) {
      throw badPayload(
        `${path}.length`,
        `at most ${this.#payload.byteLength} bytes of payload`,
        `${offset + length}`,
      );
    }
    if (this.#payload.subarray(this.#end, offset).some((byte) => byte !== 0)) {
      throw badPayload(`${path}.offset`, 'zero bytes between tensors', 'others');
    }
    this.#end = offset + length;
    const bytes = this.#payload.subarray(offset, offset + length);
    if (dtype === 'bool' && bytes.some((byte) => byte > 1))
      throw badPayload(path, 'bool bytes of 0 or 1', 'others');
    return { dtype, dims, data: dataOf(dtype, bytes) };
  }

  value(ref: ValueRef, path: string): Value {
    if ('tensor' in ref) return this.tensor(ref.tensor, `${path}.tensor`);
    return ref.tuple.map((member, index) => this.value(member, `${path}.tuple.${index}`));
  }

  /** All bytes must have been read. */
  end(): void {
    if (this.#end !== this.#payload.byteLength) {
      throw badPayload('payload', `${this.#end} bytes`, `${this.#payload.byteLength}`);
    }
  }
}

function badPayload(path: string, wanted: string, got: string): TracewireError {
  return new TracewireError({
    code: 'bad_message',
    message: `${path}: wanted ${wanted}, got ${got}.`,
    path,
    wanted,
    got,
  });
}
