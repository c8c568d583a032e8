/** The text of tokens as they come, piece by piece: the pieces one after the other are the text of all of them. */

/** What a tokenizer gives for bytes that are no whole character (yet). */
const UNFINISHED = '\uFFFD';

export class TokenText {
  readonly #decode: (ids: readonly number[]) => string;
  readonly #ids: number[] = [];
  /** Text that was given out. */
  #given = '';
  /** Where the tokens begin that are decoded again, and up to where the text of them has been given out. */
  #from = 0;
  #to = 0;

  constructor(decode: (ids: readonly number[]) => string) {
    this.#decode = decode;
  }

  /** The text of all tokens, whether given out or not. */
  get all(): string {
    return this.#given + this.#pending();
  }

  add(id: number): void {
    this.#ids.push(id);
  }

  /** What is new and whole; with `last` all that is left. A tokenizer may join a token's text to the one before, so both are decoded. */
  take(last: boolean): string {
    const piece = this.#pending();
    if (piece === '' || (!last && piece.endsWith(UNFINISHED))) return '';
    this.#from = this.#to;
    this.#to = this.#ids.length;
    this.#given += piece;
    return piece;
  }

  #pending(): string {
    const before = this.#decode(this.#ids.slice(this.#from, this.#to));
    return this.#decode(this.#ids.slice(this.#from)).slice(before.length);
  }
}
