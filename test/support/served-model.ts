/** tiny-gpt2 as a gateway in the test's own process serves it. */
import type { Limits } from '@tracewire/protocol';
import type { LoadConfig } from '../../server/src/gateway/host-handle.ts';
import { DEFAULT_LIMITS } from '../../server/src/gateway/limits.ts';
import { CACHE, TINY_GPT2 } from './server.ts';

/** `changed`: limits other than the command line's. */
export function tinyGpt2Config(changed: Partial<Limits> = {}): LoadConfig {
  const { chunkBytes, savedBytes, batchTokens, ...limits } = { ...DEFAULT_LIMITS, ...changed };
  return {
    name: 'tiny-gpt2',
    folder: TINY_GPT2,
    cache: CACHE,
    provider: 'cpu',
    threads: 1,
    chunkBytes,
    savedBytes,
    intermediateBytes: limits.intermediateBytes ?? DEFAULT_LIMITS.intermediateBytes,
    batchTokens,
  };
}
