/** Counts the WebSocket frames of one direction of a connection (RFC 6455, section 5.2), behind its HTTP head. */

const HEAD_END = Buffer.from('\r\n\r\n');

export class FrameCounter {
  readonly #wanted: number;
  #frames = 0;
  #inFrames = false;
  /** What has not been understood yet: the HTTP head, or the beginning of a frame. */
  #held = Buffer.alloc(0);

  constructor(wanted: number) {
    this.#wanted = wanted;
  }

  /**
   * Where the wanted frame lies in these bytes, once all of it is here; its start is negative if it came in earlier
   * ones. Undefined otherwise.
   */
  find(bytes: Buffer): readonly [start: number, end: number] | undefined {
    const before = this.#held.byteLength;
    this.#held = Buffer.concat([this.#held, bytes]);
    let at = 0;
    if (!this.#inFrames) {
      const end = this.#held.indexOf(HEAD_END);
      if (end < 0) return undefined;
      this.#inFrames = true;
      at = end + HEAD_END.byteLength;
    }
    for (;;) {
      const length = frameLength(this.#held.subarray(at));
      if (length === undefined || at + length > this.#held.byteLength) break;
      this.#frames += 1;
      if (this.#frames === this.#wanted) return [at - before, at + length - before];
      at += length;
    }
    this.#held = this.#held.subarray(at);
    return undefined;
  }
}

/** Of the frame's head and payload; undefined where the head is not all here. */
function frameLength(bytes: Buffer): number | undefined {
  if (bytes.byteLength < 2) return undefined;
  const short = bytes.readUInt8(1) & 0x7f;
  const mask = bytes.readUInt8(1) & 0x80 ? 4 : 0;
  if (short < 126) return 2 + mask + short;
  const head = short === 126 ? 4 : 10;
  if (bytes.byteLength < head) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  return head + mask + length;
}
