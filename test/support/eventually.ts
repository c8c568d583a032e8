/** Waiting for what comes when it comes: a second, Vitest's own limit, is short on a busy machine. */
import { vi } from 'vitest';

const PATIENCE_MS = 30_000;

/** Resolves when `check` no longer throws. Rejects with what it throws where that takes too long. */
export function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: PATIENCE_MS });
}
