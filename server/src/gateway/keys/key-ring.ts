/**
 * The keys that are good right now. The file is looked at before every decision and twice a second, so that a key that
 * was revoked, or has expired, is good for nothing at once, and its connections can be ended. While the file can't be
 * read nobody new is let in: no keys and unknown keys are not the same.
 */
import { statSync } from 'node:fs';
import { TracewireError } from '@tracewire/protocol';
import type { Log } from '../log.ts';
import { type KeyRecord, readKeyFile } from './key-file.ts';
import { isKeyOf, keyIdOf } from './secret.ts';

const LOOK_MS = 500;

/** What is behind a key: its id, or why it is none. */
export type Verdict = { readonly id: string } | { readonly fault: 'unknown' | 'expired' | 'unreadable' };

export class KeyRing {
  readonly file: string;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  #keys: ReadonlyMap<string, KeyRecord>;
  /** Keys that were good at the last look. */
  #good: ReadonlyMap<string, KeyRecord>;
  #stamp: string;
  #readable = true;
  #gone: (id: string) => void = () => {};

  /** Throws `bad_configuration` as `readKeyFile` does. */
  constructor(file: string, log: Log) {
    this.file = file;
    this.#log = log;
    this.#stamp = stampOf(file);
    this.#keys = byId(readKeyFile(file));
    this.#good = goodOf(this.#keys);
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  /** How many keys are good. */
  get size(): number {
    this.#look();
    return this.#good.size;
  }

  /** Sets who hears of keys that are good no more. */
  onGone(gone: (id: string) => void): void {
    this.#gone = gone;
  }

  check(presented: string): Verdict {
    this.#look();
    if (!this.#readable) return { fault: 'unreadable' };
    const record = this.#keys.get(keyIdOf(presented) ?? '');
    if (!isKeyOf(record, presented) || !record) return { fault: 'unknown' };
    return this.#good.has(record.id) ? { id: record.id } : { fault: 'expired' };
  }

  /** Whether a key that was good is so still. */
  has(id: string): boolean {
    this.#look();
    return this.#readable && this.#good.has(id);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    this.#readIfChanged();
    const before = this.#good;
    this.#good = goodOf(this.#keys);
    for (const [id, { sha256 }] of before) if (this.#good.get(id)?.sha256 !== sha256) this.#gone(id);
  }

  #readIfChanged(): void {
    const stamp = stampOf(this.file);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    try {
      this.#keys = byId(readKeyFile(this.file));
      this.#readable = true;
      this.#log.info({ keys: this.#keys.size }, 'keys read');
    } catch (error) {
      this.#readable = false;
      const why = error instanceof TracewireError ? error.message : String(error);
      this.#log.error({ why }, 'nobody new is let in until the key file can be read');
    }
  }
}

const byId = (keys: readonly KeyRecord[]): ReadonlyMap<string, KeyRecord> =>
  new Map(keys.map((key) => [key.id, key]));

function goodOf(keys: ReadonlyMap<string, KeyRecord>): ReadonlyMap<string, KeyRecord> {
  const now = Date.now();
  return new Map([...keys].filter(([, { expires }]) => expires === undefined || now < Date.parse(expires)));
}

/** Changes with every change of the file; it costs no reading. */
function stampOf(file: string): string {
  try {
    const { ino, size, mode, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return [ino, size, mode, mtimeNs, ctimeNs].join();
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
