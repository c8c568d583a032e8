/**
 * The blobs of a conversation: each is offered, sent in parts if the server wants it, and known from then on. One that was cut
 * off goes on where the server says, on the next connection (PROTOCOL.md, section 6.4).
 */
import {
  type ClientMessage,
  type Limits,
  type MessageOf,
  type serverMessages,
  TracewireError,
} from '@tracewire/protocol/wire';
import { violation } from './violation.ts';

type BlobState = MessageOf<typeof serverMessages, 'blob_state'>;

/** What blobs are sent on: a connection. */
interface Wire {
  send(message: ClientMessage, payload?: readonly Uint8Array[]): void;
}

interface Upload {
  readonly bytes: Uint8Array;
  readonly done: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: TracewireError) => void;
  /** Up to where parts have been sent on this connection; undefined until the offer is answered. */
  sent: number | undefined;
}

export class Uploads {
  readonly #open = new Map<string, Upload>();
  /** What the server said that it has; it may let go of it. */
  readonly #known = new Set<string>();
  /** Answers may come for what was offered on this connection, and for nothing else. */
  readonly #offered = new Set<string>();
  readonly #changed: () => void;
  #wire: Wire | undefined;
  #limits: Limits | undefined;

  /** `changed` is called when there are more or fewer under way. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** How many are under way. */
  get size(): number {
    return this.#open.size;
  }

  /** Resolves when the server has the blob. Rejects with why it can't be had. */
  ensure(sha256: string, bytes: Uint8Array): Promise<void> {
    if (this.#known.has(sha256)) return Promise.resolve();
    const there = this.#open.get(sha256);
    if (there) return there.done;
    let resolve = (): void => undefined;
    let reject = (_: TracewireError): void => undefined;
    const done = new Promise<void>((yes, no) => {
      resolve = yes;
      reject = no;
    });
    done.catch(() => undefined);
    this.#open.set(sha256, { bytes, done, resolve, reject, sent: undefined });
    this.#offer(sha256, bytes);
    this.#changed();
    return done;
  }

  /** The server has it no more. */
  forget(sha256: string): void {
    this.#known.delete(sha256);
  }

  /** There is a connection: what was under way is offered again. */
  connect(wire: Wire, limits: Limits): void {
    this.#wire = wire;
    this.#limits = limits;
    this.#offered.clear();
    for (const [sha256, upload] of this.#open) {
      upload.sent = undefined;
      this.#offer(sha256, upload.bytes);
    }
  }

  disconnect(): void {
    this.#wire = undefined;
  }

  /** Throws a violation for an answer to nothing. */
  state({ sha256, state, received, error }: BlobState): void {
    if (!this.#offered.has(sha256)) throw violation(`a state of the blob ${sha256}, which was not offered`);
    const upload = this.#open.get(sha256);
    // Parts that were on their way when it was refused are refused too.
    if (!upload) return;
    if (state === 'wanted') return this.#sendParts(sha256, upload, received);
    this.#open.delete(sha256);
    if (state === 'known') {
      this.#known.add(sha256);
      upload.resolve();
    } else {
      const message = `The server refused the blob ${sha256}, and did not say why.`;
      upload.reject(new TracewireError(error ?? { code: 'internal', message }));
    }
    this.#changed();
  }

  rejectAll(error: TracewireError): void {
    for (const { reject } of this.#open.values()) reject(error);
    this.#open.clear();
  }

  #offer(sha256: string, bytes: Uint8Array): void {
    if (!this.#wire) return;
    this.#offered.add(sha256);
    this.#wire.send({ type: 'blob', sha256, size: bytes.byteLength });
  }

  /** As many as the server takes ahead of what it has taken in. */
  #sendParts(sha256: string, upload: Upload, received: number): void {
    const { bytes } = upload;
    upload.sent ??= received;
    if (received > upload.sent || received >= bytes.byteLength)
      throw violation(`${received} bytes of the blob ${sha256} taken in, of ${upload.sent} that were sent`);
    const { windowBytes, chunkBytes } = this.#limits ?? { windowBytes: 0, chunkBytes: 1 };
    while (
      upload.sent < bytes.byteLength &&
      (upload.sent === received || upload.sent + chunkBytes <= received + windowBytes)
    ) {
      const part = bytes.subarray(upload.sent, upload.sent + chunkBytes);
      this.#wire?.send({ type: 'blob_chunk', sha256, offset: upload.sent }, [part]);
      upload.sent += part.byteLength;
    }
  }
}
