/**
 * msgpack by hand. The project's own encoder can only write what is right; a conformance suite must also write
 * what is wrong, and what is right in an unusual form. Shares no code with `protocol/src/frame.ts` on purpose.
 */

/** Bytes that stand in a header as they are: a number in an odd form, an extension, half a string. */
export class Verbatim {
  readonly bytes: Uint8Array;
  constructor(...bytes: readonly number[]) {
    this.bytes = Uint8Array.from(bytes);
  }
}

/** A map as a list of entries, so that a key may come twice, in any order, or be no string. */
export class Entries {
  readonly entries: readonly (readonly [key: unknown, value: unknown])[];
  constructor(...entries: readonly (readonly [unknown, unknown])[]) {
    this.entries = entries;
  }
}

const bigEndian = (tag: number, size: number, write: (view: DataView) => void): Uint8Array => {
  const bytes = new Uint8Array(1 + size);
  bytes[0] = tag;
  write(new DataView(bytes.buffer, 1));
  return bytes;
};

const verbatim = (bytes: Uint8Array): Verbatim => new Verbatim(...bytes);

export const float64 = (value: number): Verbatim =>
  verbatim(bigEndian(0xcb, 8, (view) => view.setFloat64(0, value)));
export const float32 = (value: number): Verbatim =>
  verbatim(bigEndian(0xca, 4, (view) => view.setFloat32(0, value)));
export const uint64 = (value: bigint): Verbatim =>
  verbatim(bigEndian(0xcf, 8, (view) => view.setBigUint64(0, value)));
export const int64 = (value: bigint): Verbatim =>
  verbatim(bigEndian(0xd3, 8, (view) => view.setBigInt64(0, value)));

/** Packs plain data; an undefined field of a map is left out. */
export function pack(value: unknown): Uint8Array {
  const parts: Uint8Array[] = [];
  write(value, parts);
  return Buffer.concat(parts);
}

function write(value: unknown, parts: Uint8Array[]): void {
  if (value instanceof Verbatim) parts.push(value.bytes);
  else if (value instanceof Entries) writeMap(value.entries, parts);
  else if (value === null) parts.push(Uint8Array.of(0xc0));
  else if (typeof value === 'boolean') parts.push(Uint8Array.of(value ? 0xc3 : 0xc2));
  else if (typeof value === 'number') parts.push(packNumber(value));
  else if (typeof value === 'string') parts.push(...packString(value));
  else if (Array.isArray(value)) {
    parts.push(lengthOf(value.length, 0x90, 0xdc));
    for (const member of value) write(member, parts);
  } else if (typeof value === 'object')
    writeMap(
      Object.entries(value).filter(([, field]) => field !== undefined),
      parts,
    );
  else throw new Error(`There is no msgpack for ${typeof value}.`);
}

function writeMap(entries: readonly (readonly [unknown, unknown])[], parts: Uint8Array[]): void {
  parts.push(lengthOf(entries.length, 0x80, 0xde));
  for (const [key, field] of entries) {
    write(key, parts);
    write(field, parts);
  }
}

/** The length of a list or map: in the tag, or in two or four bytes behind it. */
function lengthOf(length: number, short: number, long: number): Uint8Array {
  if (length < 16) return Uint8Array.of(short + length);
  if (length < 65_536) return bigEndian(long, 2, (view) => view.setUint16(0, length));
  return bigEndian(long + 1, 4, (view) => view.setUint32(0, length));
}

function packNumber(value: number): Uint8Array {
  if (!Number.isSafeInteger(value)) return bigEndian(0xcb, 8, (view) => view.setFloat64(0, value));
  if (value < 0) {
    if (value >= -32) return Uint8Array.of(256 + value);
    return bigEndian(0xd3, 8, (view) => view.setBigInt64(0, BigInt(value)));
  }
  if (value < 128) return Uint8Array.of(value);
  if (value < 65_536) return bigEndian(0xcd, 2, (view) => view.setUint16(0, value));
  if (value < 2 ** 32) return bigEndian(0xce, 4, (view) => view.setUint32(0, value));
  return bigEndian(0xcf, 8, (view) => view.setBigUint64(0, BigInt(value)));
}

function packString(text: string): Uint8Array[] {
  const bytes = new TextEncoder().encode(text);
  const { length } = bytes;
  if (length < 32) return [Uint8Array.of(0xa0 + length), bytes];
  if (length < 256) return [Uint8Array.of(0xd9, length), bytes];
  if (length < 65_536) return [bigEndian(0xda, 2, (view) => view.setUint16(0, length)), bytes];
  return [bigEndian(0xdb, 4, (view) => view.setUint32(0, length)), bytes];
}

/** A whole message: the header's length, the header, zeros up to a multiple of 8, the payload. */
export function frame(header: unknown, payload: Uint8Array = new Uint8Array()): Uint8Array {
  const packed = header instanceof Uint8Array ? header : pack(header);
  const end = Math.ceil((4 + packed.length) / 8) * 8;
  const message = new Uint8Array(end + payload.length);
  new DataView(message.buffer).setUint32(0, packed.length, true);
  message.set(packed, 4);
  message.set(payload, end);
  return message;
}
