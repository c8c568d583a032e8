/**
 * Reads protobuf by tables of fields, for files that anybody may have made. Written by hand: a library decodes whatever
 * stands in a file before it can be looked at, and compiles its decoders from text, which no page with a strict
 * policy allows. Here every length is checked before it is followed, what a table doesn't name is skipped, and all parts
 * of a file are counted.
 */

/** A part of a file that isn't what it should be. `path` is where, as in `graph.node.3.op_type`. */
export class ProtoFault extends Error {
  readonly path: string;

  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

/**
 * How a field is read. `packed` fields are lists of numbers that are kept as they stand, for there may be millions;
 * `there` only tells that the field is there.
 */
export type FieldKind = 'int' | 'ints' | 'float' | 'string' | 'strings' | 'bytes' | 'packed' | 'there';
type Field = readonly [name: string, kind: FieldKind | ProtoTable, list?: 'list'];
/** A message: its fields by number. */
export type ProtoTable = { readonly [number: number]: Field };

/** Messages, strings and listed numbers in a file, at most. */
const MAX_PARTS = 200_000;
const MAX_STRING = 512;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** What a file gives: fields by name. Those that aren't there are absent; lists are empty then. */
export type ProtoMessage = { readonly [name: string]: unknown };

/** Throws a `ProtoFault`. Bytes are views of the file, not copies. */
export function readProto(bytes: Uint8Array, table: ProtoTable): ProtoMessage {
  return new Reader().message(bytes, table, '');
}

function listAt(message: Record<string, unknown>, name: string): unknown[] {
  message[name] ??= [];
  return message[name] as unknown[];
}

class Reader {
  #parts = 0;

  message(bytes: Uint8Array, table: ProtoTable, path: string): ProtoMessage {
    this.#count(path);
    const message: Record<string, unknown> = {};
    const cursor = new Cursor(bytes, path);
    while (!cursor.done) {
      const { number, wire } = cursor.tag();
      const field = table[number];
      if (field) this.#field(message, field, cursor, wire, path);
      else cursor.skip(wire);
    }
    return message;
  }

  #field(
    message: Record<string, unknown>,
    [name, kind, list]: Field,
    cursor: Cursor,
    wire: number,
    path: string,
  ): void {
    const at = path === '' ? name : `${path}.${name}`;
    if (typeof kind === 'object') {
      const listed = listAt(message, name);
      if (!list && listed.length > 0) throw new ProtoFault(at, 'it is written twice');
      listed.push(this.message(cursor.bytes(wire, at), kind, list ? `${at}.${listed.length}` : at));
    } else if (kind === 'packed') {
      listAt(message, name).push(wire === 2 ? cursor.bytes(wire, at) : cursor.raw(wire, at));
    } else if (kind === 'ints' || kind === 'strings') {
      const listed = listAt(message, name);
      if (kind === 'strings') listed.push(this.#string(cursor.bytes(wire, at), at));
      else if (wire === 0) listed.push(this.#int(cursor, at));
      else {
        const inner = new Cursor(cursor.bytes(wire, at), at);
        while (!inner.done) listed.push(this.#int(inner, at));
      }
    } else message[name] = this.#single(kind, cursor, wire, at);
  }

  #single(kind: FieldKind, cursor: Cursor, wire: number, at: string): unknown {
    if (kind === 'string') return this.#string(cursor.bytes(wire, at), at);
    if (kind === 'bytes') return cursor.bytes(wire, at);
    if (kind === 'there') {
      cursor.skip(wire);
      return true;
    }
    if (kind === 'float') {
      const raw = cursor.raw(wire, at);
      if (wire !== 5) throw new ProtoFault(at, 'it is no 32-bit number');
      return new DataView(raw.buffer, raw.byteOffset, 4).getFloat32(0, true);
    }
    if (wire !== 0) throw new ProtoFault(at, 'it is no integer');
    return this.#int(cursor, at);
  }

  #int(cursor: Cursor, at: string): bigint {
    this.#count(at);
    return BigInt.asIntN(64, cursor.varint());
  }

  #string(bytes: Uint8Array, at: string): string {
    this.#count(at);
    if (bytes.byteLength > MAX_STRING) throw new ProtoFault(at, `it is longer than ${MAX_STRING} bytes`);
    try {
      return utf8.decode(bytes);
    } catch {
      throw new ProtoFault(at, 'it is no UTF-8');
    }
  }

  /** Two bytes of a file can make a part, so parts are counted, not bytes. */
  #count(path: string): void {
    this.#parts += 1;
    if (this.#parts > MAX_PARTS) throw new ProtoFault(path, `the file has more than ${MAX_PARTS} parts`);
  }
}

/** A place in some bytes. */
export class Cursor {
  readonly #bytes: Uint8Array;
  readonly #path: string;
  #at = 0;

  constructor(bytes: Uint8Array, path: string) {
    this.#bytes = bytes;
    this.#path = path;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.byteLength;
  }

  tag(): { readonly number: number; readonly wire: number } {
    const tag = this.varint();
    if (tag < 8n || tag >= 2n ** 32n) throw new ProtoFault(this.#path, 'it has no field number');
    return { number: Number(tag >> 3n), wire: Number(tag & 7n) };
  }

  /** Unsigned, of 64 bits. */
  varint(): bigint {
    let low = 0;
    // Most are below 2^28: those take no big integers until the end.
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#next();
      low += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return BigInt(low);
    }
    let value = BigInt(low);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#next();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new ProtoFault(this.#path, 'it has a number of more than 64 bits');
  }

  /** Of a field with a length. */
  bytes(wire: number, path: string): Uint8Array {
    if (wire !== 2) throw new ProtoFault(path, 'it is a number where bytes are wanted');
    return this.#take(Number(this.varint()));
  }

  /** The bytes of a number, as they stand. */
  raw(wire: number, path: string): Uint8Array {
    if (wire === 5) return this.#take(4);
    if (wire === 1) return this.#take(8);
    if (wire !== 0) throw new ProtoFault(path, 'it is no number');
    const from = this.#at;
    this.varint();
    return this.#bytes.subarray(from, this.#at);
  }

  skip(wire: number): void {
    if (wire === 2) this.bytes(wire, this.#path);
    else this.raw(wire, this.#path);
  }

  #next(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw this.#cutOff();
    this.#at += 1;
    return byte;
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.byteLength) throw this.#cutOff();
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  #cutOff(): ProtoFault {
    return new ProtoFault(this.#path, 'the file is cut off there, or is no ONNX file');
  }
}
