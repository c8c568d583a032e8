/** One file from the hub to disk: goes on where an earlier attempt stopped, and is checked before it counts. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, existsSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { TracewireError } from '@tracewire/protocol';
import { contentOf, type Hub, type HubFile, type Repository } from './hub.ts';

/** How often a connection may break for one file without a byte having come. */
const ATTEMPTS = 3;

/** `took` hears of each part that came. Throws `connection_lost`, `blob_mismatch`, or what the file system or the hub says. */
export async function download(
  hub: Hub,
  repository: Repository,
  file: HubFile,
  path: string,
  took: (bytes: number) => void,
): Promise<void> {
  const already = sizeOf(path);
  if (already > file.bytes) rmSync(path);
  else took(already);
  for (let failed = 0; sizeOf(path) < file.bytes || !existsSync(path); ) {
    const before = sizeOf(path);
    try {
      await append(hub, repository, file, path, took);
    } catch (error) {
      if (!isBroken(error)) throw error;
      failed = sizeOf(path) > before ? 0 : failed + 1;
      if (failed >= ATTEMPTS) throw broken(file, sizeOf(path));
    }
  }
  const hex = await digestOf(file, path);
  if (hex === file.digest.hex) return;
  rmSync(path);
  const message = `${file.name} came with other bytes than the hub says (${file.digest.algorithm} ${hex}, wanted ${file.digest.hex}). It was thrown away; pull again.`;
  throw new TracewireError({
    code: 'blob_mismatch',
    message,
    path: file.name,
    wanted: file.digest.hex,
    got: hex,
  });
}

async function append(
  hub: Hub,
  repository: Repository,
  file: HubFile,
  path: string,
  took: (bytes: number) => void,
): Promise<void> {
  const have = sizeOf(path);
  const { stream, from } = await contentOf(hub, repository, file.name, have);
  const handle = await open(path, from === 0 ? 'w' : 'a');
  if (from < have) took(from - have);
  let size = from;
  try {
    for await (const part of stream) {
      if (size + part.length > file.bytes) throw tooLong(file);
      await handle.write(part);
      size += part.length;
      took(part.length);
    }
  } finally {
    await handle.close();
  }
}

/** The connection's fault, so that another may do better. The file system's errors have a `syscall`, ours a code. */
function isBroken(error: unknown): boolean {
  if (error instanceof TracewireError) return false;
  return error instanceof TypeError || (error instanceof Error && !('syscall' in error));
}

async function digestOf({ digest, bytes }: HubFile, path: string): Promise<string> {
  const hash: Hash = createHash(digest.algorithm === 'sha256' ? 'sha256' : 'sha1');
  if (digest.algorithm === 'git-sha1') hash.update(`blob ${bytes}\0`);
  for await (const part of createReadStream(path)) hash.update(part as Uint8Array);
  return hash.digest('hex');
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function broken({ name, bytes }: HubFile, have: number): TracewireError {
  const message = `The connection broke again and again at ${have} of ${bytes} bytes of ${name}. Pull again: it goes on from there.`;
  return new TracewireError({ code: 'connection_lost', message, path: name });
}

function tooLong({ name, bytes }: HubFile): TracewireError {
  const message = `${name} is longer than the ${bytes} bytes that the hub says.`;
  return new TracewireError({ code: 'blob_mismatch', message, path: name });
}
