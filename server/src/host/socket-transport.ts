/**
 * A transport over a stream socket: `u32 little-endian length | message`, again and again. The gateway and a
 * host process speak over it. Every message arrives in a buffer of its own that starts at offset 0, so typed
 * arrays can view the payload.
 */
import type { Socket } from 'node:net';
import { Inbox, type Transport } from '@tracewire/protocol';

/** A corrupted length must not allocate gigabytes; no message of either side comes near this. */
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;

export function socketTransport(socket: Socket): Transport {
  const inbox = new Inbox();
  let fault = '';
  const assemble = new Assembler(
    (bytes) => inbox.deliver(bytes),
    (length) => socket.destroy(new Error(`a message of ${length} bytes was announced`)),
  );
  socket.on('data', (chunk) => assemble.take(chunk));
  socket.on('error', (error) => {
    fault = error.message;
  });
  socket.on('close', () => inbox.end(fault ? 1006 : 1000, fault));
  return {
    send(parts) {
      if (inbox.closed || !socket.writable) return;
      // What is sent in one turn goes out in one write.
      if (socket.writableCorked === 0) {
        socket.cork();
        process.nextTick(() => socket.uncork());
      }
      socket.write(lengthOf(parts));
      for (const part of parts) if (part.byteLength > 0) socket.write(part);
    },
    listen: (handlers) => inbox.listen(handlers),
    close(code = 1000, reason = '') {
      inbox.abandon(code, reason);
      socket.destroySoon();
    },
  };
}

function lengthOf(parts: readonly Uint8Array[]): Uint8Array {
  const prefix = new Uint8Array(4);
  const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
  new DataView(prefix.buffer).setUint32(0, length, true);
  return prefix;
}

/** Puts messages together from whatever pieces the socket reads; each byte is copied once. */
class Assembler {
  readonly #prefix = new Uint8Array(4);
  #prefixFilled = 0;
  #message: Uint8Array | undefined;
  #filled = 0;
  readonly #deliver: (message: Uint8Array) => void;
  readonly #tooLong: (length: number) => void;

  constructor(deliver: (message: Uint8Array) => void, tooLong: (length: number) => void) {
    this.#deliver = deliver;
    this.#tooLong = tooLong;
  }

  take(chunk: Uint8Array): void {
    let rest = chunk;
    while (rest.byteLength > 0) {
      const message = this.#message;
      if (message) {
        const piece = rest.subarray(0, message.byteLength - this.#filled);
        message.set(piece, this.#filled);
        this.#filled += piece.byteLength;
        rest = rest.subarray(piece.byteLength);
        if (this.#filled === message.byteLength) this.#finish(message);
      } else {
        const piece = rest.subarray(0, 4 - this.#prefixFilled);
        this.#prefix.set(piece, this.#prefixFilled);
        this.#prefixFilled += piece.byteLength;
        rest = rest.subarray(piece.byteLength);
        if (this.#prefixFilled === 4 && !this.#begin()) return;
      }
    }
  }

  #begin(): boolean {
    const length = new DataView(this.#prefix.buffer).getUint32(0, true);
    this.#prefixFilled = 0;
    if (length > MAX_MESSAGE_BYTES) {
      this.#tooLong(length);
      return false;
    }
    // Never from Node's pool: the message must start at offset 0 of its own buffer.
    this.#message = Buffer.allocUnsafeSlow(length);
    this.#filled = 0;
    if (length === 0) this.#finish(this.#message);
    return true;
  }

  #finish(message: Uint8Array): void {
    this.#message = undefined;
    this.#deliver(message);
  }
}
