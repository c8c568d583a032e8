/**
 * What a key looks like: `tw_ID_SECRET`. The id finds the key's record and may be shown; the secret is 256 random bits,
 * so that a plain SHA-256 of the whole is as good at rest as a slow hash: there is nothing to guess.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

const KEY = /^tw_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;
const KEY_ID = /^[0-9a-f]{12}$/;
/** Stands in where no record has the id, so that both cases take the same time. */
const NOBODY = '0'.repeat(64);

export interface NewKey {
  readonly id: string;
  /** Shown once, kept nowhere. */
  readonly key: string;
  /** Hex. */
  readonly sha256: string;
}

export function makeKey(): NewKey {
  const id = randomBytes(6).toString('hex');
  const key = `tw_${id}_${randomBytes(32).toString('base64url')}`;
  return { id, key, sha256: sha256(key) };
}

/** The id in a key, or the id itself; undefined for anything else. */
export function keyIdOf(text: string): string | undefined {
  return KEY_ID.test(text) ? text : KEY.exec(text)?.[1];
}

/** Whether something in the text is a key, wherever it stands. */
export function holdsKey(text: string): boolean {
  return /tw_[0-9a-f]{12}_[A-Za-z0-9_-]{43}/.test(text);
}

/** Compares in constant time; without a record the answer is no. */
export function isKeyOf(record: { readonly sha256: string } | undefined, presented: string): boolean {
  const wanted = Buffer.from(record?.sha256 ?? NOBODY, 'hex');
  return timingSafeEqual(wanted, hash('sha256', presented, 'buffer')) && record !== undefined;
}

export function sha256(text: string): string {
  return hash('sha256', text);
}
