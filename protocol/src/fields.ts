/** Field types that several messages share (PROTOCOL.md, its second paragraph and section 1.3). */
import * as z from 'zod/mini';
import { DTYPE_NAMES, type Dtype } from './tensor.ts';

// zod compiles validators with `new Function` unless told not to; nothing here may evaluate text.
z.config({ jitless: true });

/** A field that breaks such a check ends the list that it stands in: see `FIRST_FAULT` in codec.ts. */
const ENDS = { abort: true } as const;

/** A string of at most so many bytes in UTF-8. A JSON Schema can only say how many characters that is at most. */
export function utf8(most: number): z.ZodMiniString {
  const fits = (text: string): boolean =>
    text.length * 3 <= most || (text.length <= most && encoder.encode(text).byteLength <= most);
  return z
    .string()
    .check(
      z.refine(fits, { ...ENDS, error: `wanted at most ${most} bytes of UTF-8` }),
      z.meta({ maxLength: most, description: `At most ${most} bytes in UTF-8.` }),
    );
}

const encoder = new TextEncoder();

export const uint = z.int(ENDS).check(z.gte(0, ENDS));
export const name = utf8(512).check(z.minLength(1, ENDS));
/** A module's path; the empty one is the whole model. */
export const path = utf8(512);
export const id = z.string().check(z.regex(/^[A-Za-z0-9._~-]{1,64}$/, ENDS));
export const dtype = z.enum(DTYPE_NAMES as [Dtype, ...Dtype[]]);

/** A SHA-256 in lower-case hex. */
export const sha256 = z.string().check(z.regex(/^[0-9a-f]{64}$/, ENDS));

/** A tensor in a header: where its bytes lie in the payload. */
export interface TensorRef {
  readonly dtype: Dtype;
  readonly dims: readonly number[];
  readonly offset: number;
  readonly length: number;
}

const dims = z.array(uint.check(z.lt(2 ** 31))).check(z.maxLength(8));

/** A tensor that the server has: its bytes by their hash. */
export interface BlobRef {
  readonly sha256: string;
  readonly dtype: Dtype;
  readonly dims: readonly number[];
}

export const blobRef: z.ZodMiniType<BlobRef> = z.strictObject({ sha256, dtype, dims });

export const tensorRef: z.ZodMiniType<TensorRef> = z.strictObject({
  dtype,
  dims,
  offset: uint.check(z.multipleOf(8)),
  length: uint,
});

/** A value in a header. */
export type ValueRef = { readonly tensor: TensorRef } | { readonly tuple: readonly ValueRef[] };

/** Tuples lie at most 6 deep: a tensor further down would lie deeper than a header may go (scan.ts). */
export const valueRef: z.ZodMiniType<ValueRef> = z.union([
  z.strictObject({ tensor: tensorRef }),
  z.strictObject({
    get tuple() {
      return z.array(valueRef).check(z.minLength(1), z.maxLength(1024));
    },
  }),
]);
