/** What a graph's pass begins with: the token ids of its prompts, or feeds, as long as the model and the server's limits take them. */
import {
  batchFault,
  type Generate,
  type Graph,
  type Input,
  type TensorLike,
  TracewireError,
} from '@tracewire/protocol';
import { type FeedSizes, sizesOf } from './feeds.ts';
import type { Model } from './model.ts';
import { padRows, sizesTogether } from './rows.ts';
import type { PassInput } from './session.ts';
import type { Tokenizer } from './tokenizer.ts';

/** Tensors by the names of the model's feeds; none for prompts. */
export type Given = ReadonlyMap<string, TensorLike>;

/** How long a pass's input is. */
export interface Measured {
  /** Token ids of each invoke; none for feeds without ids. */
  readonly rows: readonly (readonly number[])[];
  /** Tokens of each invoke. */
  readonly lengths: readonly number[];
  /** Of a pass over feeds. */
  readonly sizes?: FeedSizes | undefined;
}

export class PassInputs {
  readonly #model: Model;
  readonly #tokenizer: Tokenizer;
  readonly #batchTokens: number;

  /** `batchTokens`: most tokens of a pass over several prompts, padding counted. */
  constructor(model: Model, tokenizer: Tokenizer, batchTokens = Number.POSITIVE_INFINITY) {
    this.#model = model;
    this.#tokenizer = tokenizer;
    this.#batchTokens = batchTokens;
  }

  /** Throws `empty_input`, `input_too_long` or `token_out_of_range`. Together the prompts may still be too long. */
  measure({ invokes }: Graph, given: Given = new Map()): Measured {
    const rows = invokes.map(({ input }) => this.#idsOf(input, given));
    if (given.size === 0) return { rows, lengths: rows.map((row) => row.length) };
    const sizes = sizesOf(given, this.#model.types);
    return { rows, lengths: [sizes.sequence], sizes };
  }

  /** Texts can't be measured before: a batch is refused here as the gateway refuses one of token ids. */
  mustFit({ lengths }: Pick<Measured, 'lengths'>, generate?: Generate): void {
    const fault = batchFault(lengths, this.#batchTokens, generate);
    if (fault) throw new TracewireError(fault);
  }

  /** What the model is fed. */
  make({ rows, lengths, sizes }: Measured, given: Given = new Map()): PassInput {
    const { feeds } = this.#model;
    if (sizes) return { lengths, sizes, feeds: feeds.make(rows[0] ?? [], sizes, given) };
    return { lengths, feeds: feeds.make(padRows(rows), sizesTogether(lengths)) };
  }

  /** The token ids of an input, within the model's context and vocabulary; none for feeds without ids. */
  #idsOf(input: Input, given: Given): readonly number[] {
    const ids = this.#anyIds(input, given);
    const { contextLength, vocabularySize, name } = this.#model.description;
    if (ids.length === 0 && given.size === 0) {
      throw new TracewireError({
        code: 'empty_input',
        message: 'The input has no tokens. Give at least one character or token id.',
      });
    }
    if (contextLength !== undefined && given.size === 0 && ids.length > contextLength) {
      throw new TracewireError({
        code: 'input_too_long',
        message: `The input has ${ids.length} tokens; ${name} takes at most ${contextLength}.`,
        wanted: `at most ${contextLength}`,
        got: String(ids.length),
      });
    }
    const wrong = ids.findIndex((id) => id < 0 || (vocabularySize !== undefined && id >= vocabularySize));
    if (wrong >= 0) {
      throw new TracewireError({
        code: 'token_out_of_range',
        message: `Token id ${ids[wrong]} (position ${wrong}) is not in the vocabulary of ${name}, which has ${vocabularySize}.`,
        wanted: `below ${vocabularySize}`,
        got: String(ids[wrong]),
      });
    }
    return ids;
  }

  #anyIds(input: Input, given: Given): readonly number[] {
    if ('feeds' in input) return Array.from(given.get('input_ids')?.data ?? [], Number);
    return 'text' in input ? this.#tokenizer.encode(input.text).ids : input.ids;
  }
}
