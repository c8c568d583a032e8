/**
 * One message ↔ bytes: `u32 header length | msgpack header | zero pad to 8 | payload` (PROTOCOL.md, 1.1).
 * The only file that knows msgpackr. Its records are off, and its decoder sees only what scan.ts let through.
 */
import { Packr } from 'msgpackr/index-no-eval';
import { TracewireError } from './errors.ts';
import { scanHeader } from './scan.ts';

const MAX_HEADER_BYTES = 16 * 1024 * 1024;

const packr = new Packr({ useRecords: false, variableMapSize: true, mapsAsObjects: true });

/** Header fields on their way out; undefined fields are left out. */
export type Header = { readonly type: string } & Readonly<Record<string, unknown>>;

export interface Frame {
  readonly header: Readonly<Record<string, unknown>> & { readonly type: string };
  readonly payload: Uint8Array;
}

/** The next multiple of 8. */
export function align8(length: number): number {
  return (length + 7) & ~7;
}

/** The parts of a message: its head, then the payload's parts as they are, without copying them. */
export function encodeFrame(header: Header, payload: readonly Uint8Array[] = []): Uint8Array[] {
  const packed = packr.pack(withoutUndefined(header));
  const head = new Uint8Array(align8(4 + packed.byteLength));
  new DataView(head.buffer).setUint32(0, packed.byteLength, true);
  head.set(packed, 4);
  return [head, ...payload];
}

/** Splits a message. Throws `bad_frame`, and nothing else, for anything that is not one. */
export function decodeFrame(message: Uint8Array): Frame {
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
  const fault = scanHeader(bytes);
  if (fault) throw badFrame(fault);
  const header: unknown = packr.unpack(bytes);
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw badFrame('the header is not a map');
  if (!('type' in header) || typeof header.type !== 'string')
    throw badFrame('the header has no string field `type`');
  return header as Frame['header'];
}

function badFrame(what: string): TracewireError {
  return new TracewireError({ code: 'bad_frame', message: `Not a Tracewire message: ${what}.` });
}

/** A copy without undefined fields: on the wire a field is absent, never nil. */
function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value))
    if (field !== undefined) copy[key] = withoutUndefined(field);
  return copy;
}
