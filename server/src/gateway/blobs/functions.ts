/** User functions as the gateway checks them: read from blobs when they are first named, kept without their weights. */
import { type ErrorBody, type Limits, outlineOf, type ReadFunction, readFunction } from '@tracewire/protocol';
import { LRUCache } from 'lru-cache';
import { FUNCTION_BYTES } from '../limits.ts';
import type { KeyBlobs } from './key-blobs.ts';

/** Functions of which the outline is kept; one is read again when it is named again. */
const OUTLINES = 128;

export class Functions {
  readonly #limits: Limits;
  /** What a file holds is the same for every key; whether a key has it is asked each time. */
  readonly #outlines = new LRUCache<string, ReadFunction>({ max: OUTLINES });

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Undefined where the key has no such blob. */
  of(sha256: string, blobs: KeyBlobs): ReadFunction | undefined {
    const size = blobs.sizeOf(sha256);
    if (size === undefined) return undefined;
    const known = this.#outlines.get(sha256);
    if (known) return known;
    const outline = size > FUNCTION_BYTES ? tooLarge(size) : this.#read(blobs.read(sha256));
    this.#outlines.set(sha256, outline);
    return outline;
  }

  #read(bytes: Uint8Array): ReadFunction {
    const { body, errors } = readFunction(bytes, this.#limits);
    return body ? { body: outlineOf(body), errors: [] } : { errors };
  }
}

function tooLarge(size: number): ReadFunction {
  const error: ErrorBody = {
    code: 'bad_function',
    message: `The function’s file has ${size} bytes; this server takes at most ${FUNCTION_BYTES}.`,
    path: 'file',
    wanted: `at most ${FUNCTION_BYTES}`,
    got: String(size),
  };
  return { errors: [error] };
}
