/**
 * One message ↔ bytes: `u32 header length | msgpack header | zero pad to 8 | payload` (PROTOCOL.md, 1.1).
 * The only file that knows msgpackr. Its records are off, and its decoder sees only what scan.ts let through.
 */
import { Packr } from 'msgpackr/index-no-eval';
import { TracewireError } from './errors.ts';
import { type MarkedString, scanHeader } from './scan.ts';
import { concat } from './transport.ts';

const MAX_HEADER_BYTES = 16 * 1024 * 1024;

/** Without `int64AsType` a 64-bit integer, which other languages send freely, would come as a BigInt. */
const packr = new Packr({
  useRecords: false,
  variableMapSize: true,
  mapsAsObjects: true,
  int64AsType: 'number',
});

/** Header fields on their way out; undefined fields are left out, and a lone surrogate becomes U+FFFD. */
export type Header = { readonly type: string } & Readonly<Record<string, unknown>>;

/** A message before it is checked. */
export interface Frame {
  readonly header: Readonly<Record<string, unknown>> & { readonly type: string };
  readonly payload: Uint8Array;
}

/** The next multiple of 8. In floating point, for a bit mask would wrap at 2 GiB. */
export function align8(length: number): number {
  return Math.ceil(length / 8) * 8;
}

/** The parts of a message: its head, then the payload's parts as they are, without copying them. */
export function encodeFrame(header: Header, payload: readonly Uint8Array[] = []): Uint8Array[] {
  const packed = packr.pack(packable(header));
  const head = new Uint8Array(align8(4 + packed.byteLength));
  new DataView(head.buffer).setUint32(0, packed.byteLength, true);
  head.set(packed, 4);
  return [head, ...payload];
}

/**
 * Splits a message, given whole or in two parts as a transport delivers it. Throws `bad_frame`, and nothing else, for
 * anything that is not one.
 */
export function decodeFrame(message: Uint8Array, rest?: Uint8Array): Frame {
  if (!rest) return decodeWhole(message);
  // Usually the header is the first part and nothing else is.
  if (headEnd(message) !== message.byteLength) return decodeWhole(concat([message, rest]));
  return { ...decodeWhole(message), payload: rest };
}

/** Where the payload begins, if the bytes begin a frame. */
function headEnd(bytes: Uint8Array): number | undefined {
  if (bytes.byteLength < 8) return undefined;
  return align8(4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true));
}

function decodeWhole(message: Uint8Array): Frame {
  if (message.byteLength < 8) throw badFrame(`a message of ${message.byteLength} bytes is no frame`);
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const length = view.getUint32(0, true);
  const end = align8(4 + length);
  if (length === 0 || length > MAX_HEADER_BYTES || end > message.byteLength) {
    throw badFrame(`a header of ${length} bytes in a message of ${message.byteLength}`);
  }
  if (message.subarray(4 + length, end).some((byte) => byte !== 0)) throw badFrame('the padding is not zero');
  const header = decodeHeader(message.subarray(4, 4 + length));
  return { header, payload: message.subarray(end) };
}

function decodeHeader(bytes: Uint8Array): Frame['header'] {
  const { fault, marked } = scanHeader(bytes);
  if (fault) throw badFrame(fault);
  const header: unknown = packr.unpack(withMarksDoubled(bytes, marked));
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw badFrame('the header is not a map');
  if (!('type' in header) || typeof header.type !== 'string')
    throw badFrame('the header has no string field `type`');
  return header as Frame['header'];
}

function badFrame(what: string): TracewireError {
  return new TracewireError({ code: 'bad_frame', message: `Not a Tracewire message: ${what}.` });
}

/**
 * A copy that msgpack can say: without undefined fields, for on the wire a field is absent, never nil; and
 * with strings that have a UTF-8 form, as any Web API would send them, for the peer refuses all others.
 */
function packable(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(/\p{Surrogate}/gu, '\uFFFD');
  if (Array.isArray(value)) return value.map(packable);
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const field = (value as Record<string, unknown>)[key];
    if (field !== undefined) copy[key] = packable(field);
  }
  return copy;
}

/**
 * msgpackr takes a byte order mark off the strings that it decodes with TextDecoder, and a prompt read from a
 * file may begin with one. A second mark in front of it keeps the first.
 */
function withMarksDoubled(bytes: Uint8Array, strings: readonly MarkedString[]): Uint8Array {
  if (strings.length === 0) return bytes;
  const parts: Uint8Array[] = [];
  let copied = 0;
  for (const { tag, start, end } of strings) {
    const head = new Uint8Array([0xdb, 0, 0, 0, 0, 0xef, 0xbb, 0xbf]);
    new DataView(head.buffer).setUint32(1, end - start + 3);
    parts.push(bytes.subarray(copied, tag), head, bytes.subarray(start, end));
    copied = end;
  }
  return concat([...parts, bytes.subarray(copied)]);
}
