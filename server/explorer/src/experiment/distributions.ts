/** Two distributions over the next token, joined by token. */
import type { Tensor } from '@tracewire/client';
import type { TokenTexts } from '../token-texts.ts';
import type { NextTokens } from './plan.ts';

export interface Change {
  readonly id: number;
  readonly text: string;
  /** Probabilities. */
  readonly plain: number;
  readonly changed: number;
}

/** The likeliest tokens of either, those of the unchanged model first. */
export async function readDistributions({ before, after }: NextTokens, texts: TokenTexts): Promise<Change[]> {
  const byId = new Map<number, Omit<Change, 'text'>>();
  for (const { tokens, plain, changed } of [before, after]) {
    const [ids, was, is] = [tokens, plain, changed].map(({ value }) => numbersOf(value));
    for (const [index, id] of (ids ?? []).entries()) {
      byId.set(id, byId.get(id) ?? { id, plain: was?.[index] ?? 0, changed: is?.[index] ?? 0 });
    }
  }
  await texts.load(byId.keys());
  return [...byId.values()].map((change) => ({ ...change, text: texts.get(change.id) ?? '?' }));
}

/** One number a token, whatever the dtype. */
function numbersOf(tensor: Tensor): number[] {
  return Array.from({ length: tensor.size }, (_, index) => Number(tensor.at(...indicesOf(tensor, index))));
}

/** All axes but the last have one entry. */
const indicesOf = ({ dims }: Tensor, index: number): number[] =>
  dims.map((_, axis) => (axis === dims.length - 1 ? index : 0));
