/** The index of a run that is kept on disk: what a gateway must know of it to let its key fetch it. */
import * as z from 'zod/mini';

const count = z.int().check(z.minimum(0));

export const INDEX = z.object({
  /** The key's id; absent on a server without keys. */
  key: z.optional(z.string()),
  run: z.string().check(z.regex(/^[A-Za-z0-9._~-]{1,64}$/)),
  /** What a retry must ask for too (content.ts). */
  content: z.optional(z.string()),
  /** Milliseconds since 1970. */
  expires: z.number(),
  /** One a message, from seq 1; `bytes` of payload. */
  entries: z.array(z.object({ bytes: count, piece: z.object({ offset: count, size: count, crc: count }) })),
});

export type StoredRun = z.infer<typeof INDEX>;
