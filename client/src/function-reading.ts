/** What is in a user's function, and its hash: found out when it is needed, and kept with the file. */
import { type ReadFunction, readFunction, sha256Hex } from '@tracewire/protocol';
import { digest } from './digest.ts';
import type { FunctionFile } from './user-function.ts';

/** Nodes of a function; a server may take fewer, and says so. */
const MAX_NODES = 100_000;

export function readBytes(bytes: Uint8Array): ReadFunction {
  return readFunction(bytes, { nodes: MAX_NODES });
}

/** The function, or all that is wrong with the file. */
export function readFile(file: FunctionFile): ReadFunction {
  file.read ??= readBytes(file.bytes);
  return file.read;
}

/** Computed on the spot, unless `hash` has done it. */
export function sha256Of(file: FunctionFile): string {
  file.sha256 ??= sha256Hex(file.bytes);
  return file.sha256;
}

export async function hash(file: FunctionFile): Promise<void> {
  file.sha256 ??= await digest(file.bytes);
}
