/** The blobs of the scripted server, whichever connection they came on, and what a client does wrong with them. */
import { createHash } from 'node:crypto';
import { type ClientMessage, type Limits, type ReadFunction, readFunction } from '@tracewire/protocol';

type Offer = Extract<ClientMessage, { type: 'blob' }>;
type Part = Extract<ClientMessage, { type: 'blob_chunk' }>;

interface Upload {
  readonly size: number;
  bytes: Uint8Array;
}

export class ScriptedBlobs {
  readonly known = new Map<string, Uint8Array>();
  /** How many offers and parts have come. */
  offers = 0;
  parts = 0;
  readonly #uploads = new Map<string, Upload>();

  /** What a server answers to an offer. */
  offer({ sha256, size }: Offer): object {
    this.offers += 1;
    const known = this.known.get(sha256);
    if (known) return { type: 'blob_state', sha256, state: 'known', received: known.byteLength };
    const upload = this.#uploads.get(sha256) ?? { size, bytes: new Uint8Array() };
    this.#uploads.set(sha256, upload);
    return { type: 'blob_state', sha256, state: 'wanted', received: upload.bytes.byteLength };
  }

  /** Takes a part; the text says what is wrong with it. `acked`: what the client has been told that was taken in. */
  take(
    { sha256, offset }: Part,
    part: Uint8Array,
    { chunkBytes, windowBytes }: Limits,
    acked: number,
  ): string | undefined {
    const upload = this.#uploads.get(sha256);
    if (!upload) return `a part of ${sha256}, which is not wanted`;
    this.parts += 1;
    const at = upload.bytes.byteLength;
    if (offset !== at) return `a part at ${offset}; the next one is at ${at}`;
    const wanted = Math.min(chunkBytes, upload.size - at);
    if (part.byteLength !== wanted) return `a part of ${part.byteLength} bytes; ${wanted} were due`;
    if (offset > acked && offset + part.byteLength > acked + windowBytes)
      return `a part up to ${offset + part.byteLength}, and ${acked} bytes were acknowledged`;
    upload.bytes = Buffer.concat([upload.bytes, part]);
    if (upload.bytes.byteLength < upload.size) return undefined;
    this.#uploads.delete(sha256);
    if (createHash('sha256').update(upload.bytes).digest('hex') !== sha256) return 'bytes of another hash';
    this.known.set(sha256, upload.bytes);
    return undefined;
  }

  /** After a part. */
  state(sha256: string): object {
    const known = this.known.get(sha256);
    const received = (known ?? this.#uploads.get(sha256)?.bytes)?.byteLength ?? 0;
    return { type: 'blob_state', sha256, state: known ? 'known' : 'wanted', received };
  }

  function(sha256: string): ReadFunction | undefined {
    const bytes = this.known.get(sha256);
    return bytes && readFunction(bytes, { nodes: 1000 });
  }
}
