/** The schema of the one shape that all errors have (PROTOCOL.md, section 5). */
import * as z from 'zod/mini';
import { ACCESS_CODES, type ErrorBody, type ErrorCode } from './errors.ts';
import { id, name, uint, utf8 } from './fields.ts';

const text = utf8(10_000);

/** A peer may know codes that are not in the table yet; they pass, as what they are. */
export const errorBody: z.ZodMiniType<ErrorBody> = bodyOf(name as unknown as z.ZodMiniType<ErrorCode>);
/** The error of an `access_error`. */
export const accessError: z.ZodMiniType<ErrorBody> = bodyOf(z.enum(ACCESS_CODES));

function bodyOf(code: z.ZodMiniType<ErrorCode>): z.ZodMiniType<ErrorBody> {
  return z.strictObject({
    code,
    message: text,
    retryAfterMs: z.optional(uint),
    run: z.optional(id),
    trace: z.optional(uint),
    node: z.optional(uint),
    path: z.optional(text),
    wanted: z.optional(text),
    got: z.optional(text),
    nearest: z.optional(name),
    get cause() {
      return z.optional(errorBody);
    },
  });
}
