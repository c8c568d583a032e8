/**
 * Finds the values that a batch mixes: where a prompt's part of a padded pass is not what the prompt alone gives.
 * Measured, for names of axes prove too little: rows may be numbered or counted, share a scale, or see each other's
 * padding where a model takes no mask.
 */
import type { TensorLike } from '@tracewire/protocol';
import type { FeedMaker } from '../feeds.ts';
import { cut, padRows, partOf, sizesAlone, sizesTogether } from '../rows.ts';
import type { Segment, ValueType } from '../runtime/runtime.ts';

/** Prompts of different lengths, the longest neither first nor last, of tokens that every vocabulary has. */
const PROMPTS = [
  [1, 2, 0, 3],
  [2, 3, 1, 1, 0, 2, 3],
  [3, 1, 3, 2, 0],
];

/** `segment` gives every value of the model. */
export async function findMixed(
  segment: Segment,
  feeds: FeedMaker,
  types: ReadonlyMap<string, ValueType>,
  values: readonly string[],
): Promise<Set<string>> {
  const run = async (rows: readonly (readonly number[])[]) => {
    const [only] = rows;
    const sizes =
      rows.length === 1 ? sizesAlone(only?.length ?? 0) : sizesTogether(rows.map((row) => row.length));
    const fed = feeds.make(padRows(rows), sizes);
    return new Map([...fed, ...(await segment.run(fed, values))]);
  };
  const mixed = new Set<string>();
  try {
    const together = await run(PROMPTS);
    for (const [row, prompt] of PROMPTS.entries()) {
      const alone = await run([prompt]);
      for (const [name, { dims }] of types) {
        const part = partOf(dims, row, prompt.length);
        const [wanted, whole] = [alone.get(name), together.get(name)];
        const same =
          part && wanted && whole && whole.dims.length === dims.length && alike(wanted, cut(whole, part));
        if (!same) mixed.add(name);
      }
    }
    return mixed;
  } catch {
    // A model that takes no batch, or not of these sizes, gives none of its values in one.
    return new Set(types.keys());
  }
}

/** Equal within what the order of sums may change. */
function alike(a: TensorLike, b: TensorLike): boolean {
  const at = numbersOf(a);
  const other = numbersOf(b);
  const largest = at.reduce(
    (most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most),
    0,
  );
  const error = ERRORS[a.dtype] ?? 0;
  const most = error * largest + (error > 0 ? 1e-6 : 0);
  return (
    at.length === other.length &&
    at.every((value, index) => {
      const found = other[index] ?? Number.NaN;
      return Object.is(value, found) || Math.abs(value - found) <= most;
    })
  );
}

/** By how much of the largest element one may be off; other dtypes must be equal. */
const ERRORS: Readonly<Record<string, number>> = { float16: 2e-2, float32: 1e-4, float64: 1e-4 };

function numbersOf({ dtype, data }: TensorLike): number[] {
  return Array.from(data as ArrayLike<number | bigint>, dtype === 'float16' ? fromHalf : Number);
}

function fromHalf(bits: number | bigint): number {
  const exponent = (Number(bits) >> 10) & 0x1f;
  const fraction = (Number(bits) & 0x3ff) / 1024;
  const sign = Number(bits) & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction > 0 ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15));
}
