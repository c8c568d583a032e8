/** Field types that several messages share (PROTOCOL.md, its second paragraph and section 1.3). */
import * as z from 'zod/mini';
import { DTYPE_NAMES, type Dtype } from './tensor.ts';

// zod compiles validators with `new Function` unless told not to; nothing here may evaluate text.
z.config({ jitless: true });

/** A string of at most so many bytes in UTF-8. */
export function utf8(most: number): z.ZodMiniString {
  const fits = (text: string): boolean =>
    text.length * 3 <= most || (text.length <= most && encoder.encode(text).byteLength <= most);
  return z.string().check(z.refine(fits, { error: `wanted at most ${most} bytes of UTF-8` }));
}

const encoder = new TextEncoder();

export const uint = z.int().check(z.gte(0));
export const name = utf8(512).check(z.minLength(1));
/** A module's path; the empty one is the whole model. */
export const path = utf8(512);
export const id = z.string().check(z.regex(/^[A-Za-z0-9._~-]{1,64}$/));
export const dtype = z.enum(DTYPE_NAMES as [Dtype, ...Dtype[]]);

/** A tensor in a header: where its bytes lie in the payload. */
export interface TensorRef {
  readonly dtype: Dtype;
  readonly dims: readonly number[];
  readonly offset: number;
  readonly length: number;
}

export const tensorRef: z.ZodMiniType<TensorRef> = z.strictObject({
  dtype,
  dims: z.array(uint.check(z.lt(2 ** 31))).check(z.maxLength(8)),
  offset: uint.check(z.multipleOf(8)),
  length: uint,
});

/** A value in a header. */
export type ValueRef = { readonly tensor: TensorRef } | { readonly tuple: readonly ValueRef[] };

export const valueRef: z.ZodMiniType<ValueRef> = z.union([
  z.strictObject({ tensor: tensorRef }),
  z.strictObject({
    get tuple() {
      return z.array(valueRef).check(z.maxLength(1024));
    },
  }),
]);
