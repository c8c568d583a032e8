/** SHA-256 where nothing faster is at hand. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

/** In lower-case hex. Runs anywhere, and blocks while it does: some 10 ms a megabyte. */
export function sha256Hex(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes));
}
