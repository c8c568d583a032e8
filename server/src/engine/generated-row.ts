/** One prompt of a generation: the tokens that were chosen for it, and whether it goes on (PROTOCOL.md, section 6.2). */
import { float16FromBits, type Generate, type Generated, type TensorLike } from '@tracewire/protocol';
import { Generator as RandomNumbers } from './random.ts';
import { chooseToken, lastLogits } from './sampler.ts';
import { TokenText } from './token-text.ts';

/** What all rows of a generation have in common. */
export interface Choosing {
  readonly options: Generate;
  readonly endOfText: readonly number[] | undefined;
  /** Undefined where nothing is drawn. */
  readonly seed: number | undefined;
  textOf(ids: readonly number[]): string;
}

/** Seeds that a message can hold. */
const SEEDS = 2 ** 53;

export class GeneratedRow {
  readonly invoke: number;
  /** The prompt. */
  readonly ids: readonly number[];
  /** How many passes began before it ended. */
  steps = 0;
  /** Why it ended; undefined while it goes on. */
  end: Generated['end'] | undefined;
  /** The token that the next pass is over. */
  last = 0;
  readonly #options: Generate;
  readonly #seen: Set<number>;
  readonly #text: TokenText;
  readonly #ends: ReadonlySet<number>;
  readonly #random: RandomNumbers;
  #tokens = 0;

  constructor(invoke: number, ids: readonly number[], { options, endOfText, seed, textOf }: Choosing) {
    this.invoke = invoke;
    this.ids = ids;
    this.#options = options;
    this.#seen = new Set(ids);
    this.#text = new TokenText(textOf);
    this.#ends = new Set(options.stopTokens ?? endOfText);
    // In a double the sum of two such numbers may be off by one.
    const own = BigInt(seed ?? 0) + BigInt(invoke);
    this.#random = new RandomNumbers(Number(own % BigInt(SEEDS)));
  }

  /** How many tokens were chosen. */
  get tokens(): number {
    return this.#tokens;
  }

  /**
   * Chooses the next token from the logits of the row's last position, `at` where there are several rows. Throws
   * `operation_failed` for logits that nothing can be chosen from.
   */
  choose(logits: TensorLike, at: { readonly row: number; readonly position: number } | undefined): number {
    const own = lastLogits(logits, float16FromBits, at);
    const id = chooseToken(own, this.#options, this.#seen, this.#tokens, this.#random);
    this.last = id;
    this.#tokens += 1;
    this.#seen.add(id);
    this.#text.add(id);
    this.end = this.#endAt(id);
    return id;
  }

  /** The text that is new; `last`: that no token comes behind it. */
  takeText(last: boolean): string {
    return this.#text.take(last);
  }

  #endAt(id: number): Generated['end'] | undefined {
    const { stopStrings = [], maxNewTokens } = this.#options;
    if (this.#ends.has(id)) return 'token';
    if (stopStrings.length > 0) {
      const text = this.#text.all;
      if (stopStrings.some((stop) => text.includes(stop))) return 'string';
    }
    return this.#tokens >= maxNewTokens ? 'length' : undefined;
  }
}
