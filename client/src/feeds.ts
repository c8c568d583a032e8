/** A trace's input by the names of the model's feeds, for models that aren't language models. */
import {
  type ErrorCode,
  type ModelDescription,
  type PayloadWriter,
  sortFeeds,
  type TensorLike,
  type TensorRef,
} from '@tracewire/protocol';
import type { TraceFeeds } from './input.ts';
import { literalTensor } from './literal.ts';

export interface WrittenFeeds {
  readonly feeds: Readonly<Record<string, TensorRef>>;
  /** In the payload's order. */
  readonly tensors: readonly TensorLike[];
  /** Of feeds that are left out, for they fit no dtype. */
  readonly faults: readonly { readonly code: ErrorCode; readonly message: string; readonly path: string }[];
}

/** Puts feeds into a payload. Numbers take the dtype that the model wants of a feed. */
export function writeFeeds(
  literals: TraceFeeds,
  { feeds: wanted }: ModelDescription,
  payload: PayloadWriter,
): WrittenFeeds {
  const dtypes = new Map(wanted?.map(({ name, dtype }) => [name, dtype]));
  const feeds: [string, TensorRef][] = [];
  const tensors: TensorLike[] = [];
  const faults: WrittenFeeds['faults'][number][] = [];
  for (const [name, literal] of sortFeeds(Object.entries(literals))) {
    const made = literalTensor(literal, dtypes.get(name) ?? 'float32');
    if ('fault' in made) {
      faults.push({ code: made.code, message: `The feed ${name}: ${made.fault}`, path: name });
      continue;
    }
    tensors.push(made);
    feeds.push([name, payload.tensor(made)]);
  }
  return { feeds: Object.fromEntries(feeds), tensors, faults };
}
