/**
 * The file of keys: their hashes, names and ends, never the keys. Written whole and renamed into place, under a lock,
 * so that a reader sees the old file or the new one, and two writers don't undo each other.
 */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TracewireError } from '@tracewire/protocol';
import * as z from 'zod/mini';
import { makeFolder } from '../../make-folder.ts';

/** Printable, so that a list of keys is what it looks like. */
export const KEY_NAME = /^[^\p{C}\p{Zl}\p{Zp}]{1,64}$/u;

const date = z.iso.datetime();

const keyRecord = z.strictObject({
  id: z.string().check(z.regex(/^[0-9a-f]{12}$/)),
  name: z.string().check(z.regex(KEY_NAME)),
  /** Of the whole key, in hex. */
  sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  made: date,
  /** From then on the key is none. */
  expires: z.optional(date),
});

const keyFile = z.strictObject({
  version: z.literal(1),
  keys: z.array(keyRecord).check(
    z.refine((keys) => new Set(keys.map(({ id }) => id)).size === keys.length, {
      error: 'two keys have one id',
    }),
  ),
});

export type KeyRecord = Readonly<z.infer<typeof keyRecord>>;

/** How long one command waits for another to finish with the file. */
const LOCK_MS = 5000;
const LOCK_STEP_MS = 25;

/** `$XDG_CONFIG_HOME/tracewire/keys.json`, or in `~/.config`. */
export function defaultKeyFile(): string {
  const base = process.env['XDG_CONFIG_HOME'] || join(homedir(), '.config');
  return join(base, 'tracewire', 'keys.json');
}

export function hasKeyFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}

/** Throws `bad_configuration` for a file that is missing, can't be read, is no key file, or that others may write. */
export function readKeyFile(file: string): readonly KeyRecord[] {
  let text: string;
  try {
    mustBeOurs(file);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof TracewireError) throw error;
    throw unreadable(file, error as NodeJS.ErrnoException);
  }
  return parse(file, text);
}

/** Changes the file, or makes it; the change gets the keys there are and gives those there shall be. */
export async function editKeyFile<T>(
  file: string,
  change: (keys: readonly KeyRecord[]) => { readonly keys: readonly KeyRecord[]; readonly result: T },
): Promise<T> {
  const path = target(file);
  const unlock = await lock(path);
  try {
    const { keys, result } = change(hasKeyFile(path) ? readKeyFile(path) : []);
    write(path, keys);
    return result;
  } finally {
    unlock();
  }
}

/** Behind a link the file itself is replaced, not the link. Its folder is made where it is missing. */
function target(file: string): string {
  if (hasKeyFile(file)) return realpathSync(file);
  const path = resolve(file);
  try {
    makeFolder(dirname(path), 0o700);
  } catch (error) {
    throw unwritable(path, error);
  }
  return path;
}

function write(path: string, keys: readonly KeyRecord[]): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const handle = openSync(temporary, 'w', 0o600);
    try {
      chmodSync(temporary, 0o600);
      writeFileSync(handle, `${JSON.stringify({ version: 1, keys }, undefined, 2)}\n`);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw unwritable(path, error);
  }
}

/** A lock that was left behind is not taken over: who does so at the same time as another has no lock. */
async function lock(path: string): Promise<() => void> {
  const file = `${path}.lock`;
  const end = performance.now() + LOCK_MS;
  for (;;) {
    try {
      writeFileSync(file, `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unwritable(path, error);
    }
    if (performance.now() > end) {
      throw fault(`Another command works on ${path}. If none does, it was cut short: delete ${file}.`, path);
    }
    await sleep(LOCK_STEP_MS);
  }
}

function parse(file: string, text: string): readonly KeyRecord[] {
  if (text.trim() === '') throw fault(`The key file ${file} is empty. ${MEND}`, file);
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw fault(`The key file ${file} is no JSON. ${MEND}`, file);
  }
  const { success, data: parsed, error } = keyFile.safeParse(data);
  if (success) return parsed.keys;
  const [issue] = error.issues;
  const where = issue && issue.path.length > 0 ? issue.path.join('.') : 'the whole';
  throw fault(`The key file ${file} is wrong at ${where}: ${issue?.message}. ${MEND}`, file);
}

const MEND = 'Put a copy back, or delete it and make new keys with `tracewire keys make`.';

/** The hashes are no secret, for nobody can find a key from one. Who may write them may let himself in. */
function mustBeOurs(file: string): void {
  const { mode } = statSync(file);
  if (process.platform === 'win32' || (mode & 0o022) === 0) return;
  throw fault(
    `Others may write the key file ${file}, and so let themselves in. Run: chmod 600 ${file}`,
    file,
  );
}

function unreadable(file: string, { code, message }: NodeJS.ErrnoException): TracewireError {
  if (code !== 'ENOENT') return fault(`Can’t read the key file ${file}: ${message}.`, file);
  return fault(`There is no key file ${file}. Make a key with: tracewire keys make --keys ${file}`, file);
}

function unwritable(path: string, error: unknown): TracewireError {
  return fault(`Can’t write the key file ${path}: ${error instanceof Error ? error.message : error}.`, path);
}

function fault(message: string, path: string): TracewireError {
  return new TracewireError({ code: 'bad_configuration', message, path });
}
