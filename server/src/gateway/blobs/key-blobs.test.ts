import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DEFAULT_LIMITS } from '../limits.ts';
import { BlobStore } from './blob-store.ts';
import type { KeyBlobs } from './key-blobs.ts';

const LIMITS = { ...DEFAULT_LIMITS, chunkBytes: 4, blobBytes: 20, blobMs: 1000 };
const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const TEN = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
const SHA = hashOf(TEN);

let folder: string;
let store: BlobStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tracewire-test-'));
  store = new BlobStore(LIMITS, folder);
});
afterEach(() => {
  vi.useRealTimers();
  store.close();
  rmSync(folder, { recursive: true });
});

const files = (): string[] => (existsSync(join(folder, 'blobs')) ? readdirSync(join(folder, 'blobs')) : []);

/** Offers and sends all of it. */
function send(blobs: KeyBlobs, bytes: Uint8Array) {
  const sha256 = hashOf(bytes);
  let state = blobs.offer(sha256, bytes.byteLength);
  while (state.state === 'wanted') {
    const at = state.received;
    state = blobs.take(sha256, at, bytes.subarray(at, at + LIMITS.chunkBytes));
  }
  return state;
}

describe('a blob', () => {
  it('is taken in part by part, and is a file then', () => {
    const blobs = store.of(undefined);
    expect(blobs.offer(SHA, 10)).toEqual({ state: 'wanted', received: 0 });
    expect(blobs.take(SHA, 0, TEN.subarray(0, 4))).toEqual({ state: 'wanted', received: 4 });
    expect(blobs.sizeOf(SHA)).toBeUndefined();
    expect(blobs.offer(SHA, 10)).toEqual({ state: 'wanted', received: 4 });
    expect(blobs.take(SHA, 4, TEN.subarray(4, 8))).toEqual({ state: 'wanted', received: 8 });
    expect(blobs.take(SHA, 8, TEN.subarray(8))).toEqual({ state: 'known', received: 10 });
    expect(new Uint8Array(blobs.read(SHA))).toEqual(TEN);
    expect(blobs.offer(SHA, 10)).toEqual({ state: 'known', received: 10 });
    expect(store.bytes).toBe(10);
  });

  it('of nothing is known at once, and of nothing under another hash refused', () => {
    const blobs = store.of(undefined);
    expect(blobs.offer(hashOf(new Uint8Array()), 0)).toEqual({ state: 'known', received: 0 });
    expect(blobs.offer(SHA, 0)).toMatchObject({ state: 'refused', error: { code: 'blob_mismatch' } });
  });

  it('of other bytes, of a wrong part, or not offered is refused', () => {
    const blobs = store.of(undefined);
    expect(blobs.take(SHA, 0, TEN)).toMatchObject({ state: 'refused', error: { code: 'bad_message' } });
    blobs.offer(SHA, 4);
    expect(blobs.take(SHA, 0, new Uint8Array())).toMatchObject({ error: { code: 'bad_message' } });
    expect(blobs.take(SHA, 4, TEN.subarray(0, 4))).toMatchObject({ error: { wanted: '0' } });
    expect(blobs.take(SHA, 0, TEN.subarray(0, 4))).toMatchObject({ error: { code: 'blob_mismatch' } });
    expect(files()).toEqual([]);
    expect(store.bytes).toBe(0);
  });

  it('is its key’s alone, even of the same bytes', () => {
    send(store.of('a'), TEN);
    expect(store.of('b').sizeOf(SHA)).toBeUndefined();
    expect(store.of('b').offer(SHA, 10)).toEqual({ state: 'wanted', received: 0 });
    store.forget('a');
    expect(store.of('a').sizeOf(SHA)).toBeUndefined();
    expect(files()).toHaveLength(1);
  });
});

describe('the quota', () => {
  it('refuses what is beyond it, uploads that were only begun counted too', () => {
    const blobs = store.of(undefined);
    blobs.offer(SHA, 10);
    expect(blobs.offer(hashOf(Uint8Array.of(1)), 11)).toMatchObject({
      state: 'refused',
      error: { code: 'too_large', wanted: 'at most 10 bytes', got: '11' },
    });
    expect(blobs.offer(hashOf(Uint8Array.of(1)), 10)).toMatchObject({ state: 'wanted' });
  });

  it('makes room of what is past its time, and of nothing that a run names', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const blobs = store.of(undefined);
    const [first, second, third] = [1, 2, 3].map((number) => TEN.map((byte) => byte * number));
    if (!first || !second || !third) throw new Error('three blobs');
    send(blobs, first);
    send(blobs, second);
    const release = blobs.hold([hashOf(first)]);
    expect(send(blobs, third)).toMatchObject({ state: 'refused' });
    vi.advanceTimersByTime(1000);
    expect(send(blobs, third)).toMatchObject({ state: 'known' });
    expect([first, second, third].map((bytes) => blobs.sizeOf(hashOf(bytes)))).toEqual([10, undefined, 10]);
    release();
    vi.advanceTimersByTime(999);
    blobs.sweep();
    expect(blobs.sizeOf(hashOf(first))).toBe(10);
    vi.advanceTimersByTime(1000);
    blobs.sweep();
    expect(files()).toEqual([]);
  });
});

it('leaves nothing behind, nor what an earlier gateway left', () => {
  send(store.of(undefined), TEN);
  const path = store.of(undefined).pathOf(SHA);
  store.close();
  expect(existsSync(path)).toBe(false);
  send(store.of(undefined), TEN);
  writeFileSync(join(folder, 'blobs', 'old'), 'x');
  const next = new BlobStore(LIMITS, folder);
  expect(files()).toEqual([]);
  next.close();
});
