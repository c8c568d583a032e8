/**
 * Reads a msgpack header byte by byte before the decoder sees it, and refuses what the decoder would let
 * through or choke on: extensions, records, duplicate keys, bad UTF-8, deep nesting, floods of values.
 * Allocates nothing but the keys of the maps that are open. PROTOCOL.md, section 1.2.
 */

/** Deep nesting overflows a recursive decoder's stack. */
const MAX_DEPTH = 16;
/** A few bytes of empty maps grow to many in memory. */
const MAX_VALUES = 200_000;
/** No message has a map of more fields; each unknown one would be listed. */
const MAX_FIELDS = 64;
/** Keys that name an object's machinery in JavaScript. */
const REFUSED_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A string that begins with a byte order mark: where its tag, its first byte and its end are. */
export interface MarkedString {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

export interface Scan {
  /** What is wrong with the header and where; undefined if the decoder may have it. */
  readonly fault: string | undefined;
  /** Strings long enough that the decoder would drop their mark, in order. */
  readonly marked: readonly MarkedString[];
}

export function scanHeader(bytes: Uint8Array): Scan {
  const scanner = new Scanner(bytes);
  try {
    scanner.value(0);
    if (scanner.at !== bytes.length) scanner.refuse(`${bytes.length - scanner.at} bytes after the map`);
    return { fault: undefined, marked: scanner.marked };
  } catch (error) {
    if (error instanceof Refusal) return { fault: error.message, marked: [] };
    throw error;
  }
}

class Refusal extends Error {}

class Scanner {
  at = 0;
  readonly marked: MarkedString[] = [];
  #values = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  refuse(what: string): never {
    throw new Refusal(`${what} at byte ${this.at} of the header`);
  }

  value(depth: number): void {
    if (depth > MAX_DEPTH) this.refuse(`nesting deeper than ${MAX_DEPTH}`);
    this.#values += 1;
    if (this.#values > MAX_VALUES) this.refuse(`more than ${MAX_VALUES} values`);
    const tag = this.#take(1);
    if (tag <= 0x7f || tag >= 0xe0) return;
    if (tag <= 0x8f) return this.#map(tag & 0x0f, depth);
    if (tag <= 0x9f) return this.#array(tag & 0x0f, depth);
    if (tag <= 0xbf) return this.#string(tag & 0x1f, this.at - 1);
    this.#tagged(tag, depth);
  }

  #tagged(tag: number, depth: number): void {
    switch (tag) {
      case 0xc0: // nil
      case 0xc2: // false
      case 0xc3: // true
        return;
      case 0xca:
        return this.#skip(4);
      case 0xcb:
        return this.#skip(8);
      case 0xcc:
      case 0xd0:
        return this.#skip(1);
      case 0xcd:
      case 0xd1:
        return this.#skip(2);
      case 0xce:
      case 0xd2:
        return this.#skip(4);
      case 0xcf:
      case 0xd3:
        return this.#int64(tag === 0xd3);
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#longString(tag);
      case 0xdc:
      case 0xdd:
        return this.#array(this.#take(tag === 0xdc ? 2 : 4), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#take(tag === 0xde ? 2 : 4), depth);
      default:
        this.at -= 1;
        this.refuse(`a value of type 0x${tag.toString(16)} (binary, extension or reserved)`);
    }
  }

  #longString(tag: number): void {
    const start = this.at - 1;
    this.#string(this.#length(tag), start);
  }

  /** How many bytes a string has whose tag doesn't say it. */
  #length(tag: number): number {
    return this.#take(1 << (tag - 0xd9));
  }

  /** An unsigned big-endian number of 1, 2 or 4 bytes. */
  #take(size: number): number {
    const start = this.at;
    this.#skip(size);
    if (size === 1) return this.#view.getUint8(start);
    return size === 2 ? this.#view.getUint16(start) : this.#view.getUint32(start);
  }

  #skip(size: number): void {
    if (this.at + size > this.#bytes.length)
      this.refuse(`${size} bytes wanted, ${this.#bytes.length - this.at} left`);
    this.at += size;
  }

  #int64(signed: boolean): void {
    const start = this.at;
    this.#skip(8);
    const value = signed ? this.#view.getBigInt64(start) : this.#view.getBigUint64(start);
    if (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER)
      this.refuse('an integer beyond 2^53 − 1');
  }

  /** `tag` is where the string's tag stands. Its text is of no interest but for a mark in front. */
  #string(length: number, tag: number): void {
    const start = this.at;
    this.#skip(length);
    if (!this.#isAscii(start)) this.#text(start, tag);
  }

  #text(start: number, tag: number): string {
    const text = this.#utf8(start);
    if (this.at - start > 64 && text.startsWith('\uFEFF')) this.marked.push({ tag, start, end: this.at });
    return text;
  }

  /** Most strings are, and need no decoder to be found sound. */
  #isAscii(start: number): boolean {
    const bytes = this.#bytes;
    for (let at = start; at < this.at; at++) if ((bytes[at] ?? 0) > 0x7f) return false;
    return true;
  }

  #utf8(start: number): string {
    try {
      return utf8.decode(this.#bytes.subarray(start, this.at));
    } catch {
      this.at = start;
      return this.refuse('a string that is not UTF-8');
    }
  }

  #array(length: number, depth: number): void {
    this.#mustFit(length);
    for (let i = 0; i < length; i++) this.value(depth + 1);
  }

  #map(length: number, depth: number): void {
    this.#mustFit(length * 2);
    if (length > MAX_FIELDS) this.refuse(`a map of ${length} fields, ${MAX_FIELDS} allowed,`);
    const keys: string[] = [];
    for (let i = 0; i < length; i++) {
      const key = this.#key();
      if (keys.includes(key)) this.refuse(`the key ${JSON.stringify(key)} twice in a map`);
      keys.push(key);
      this.value(depth + 1);
    }
  }

  /** A declared count larger than the bytes left is a lie; say so before looping. */
  #mustFit(count: number): void {
    if (count > this.#bytes.length - this.at)
      this.refuse(`${count} values declared, ${this.#bytes.length - this.at} bytes left`);
  }

  #key(): string {
    const began = this.at;
    const tag = this.#take(1);
    const isShort = tag >= 0xa0 && tag <= 0xbf;
    if (!isShort && !(tag >= 0xd9 && tag <= 0xdb)) return this.refuse('a map key that is not a string');
    const length = isShort ? tag & 0x1f : this.#length(tag);
    const start = this.at;
    this.#skip(length);
    const key = isShort && this.#isAscii(start) ? this.#ascii(start) : this.#text(start, began);
    if (REFUSED_KEYS.has(key)) this.refuse(`the key ${JSON.stringify(key)}`);
    return key;
  }

  /** Letter by letter, for the few of a key; a decoder takes longer to begin. */
  #ascii(start: number): string {
    let text = '';
    for (let at = start; at < this.at; at++) text += String.fromCharCode(this.#bytes[at] ?? 0);
    return text;
  }
}
