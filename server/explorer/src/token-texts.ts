/** The texts of tokens, asked of the server's tokenizer once each. */
import type { Tokenizer } from '@tracewire/client';

/** Fewer than a server takes of one connection at a time. */
const AT_ONCE = 48;

export class TokenTexts {
  readonly #tokenizer: Pick<Tokenizer, 'decode'>;
  readonly #texts = new Map<number, string>();
  readonly #asked = new Map<number, Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  #open = 0;

  constructor(tokenizer: Pick<Tokenizer, 'decode'>) {
    this.#tokenizer = tokenizer;
  }

  /** Undefined before it was loaded. */
  get(id: number): string | undefined {
    return this.#texts.get(id);
  }

  /** Resolves when all of them are known. */
  async load(ids: Iterable<number>): Promise<void> {
    await Promise.all(Array.from(new Set(ids), (id) => this.#ask(id)));
  }

  #ask(id: number): Promise<void> {
    const asked = this.#asked.get(id) ?? this.#decode(id);
    this.#asked.set(id, asked);
    return asked;
  }

  async #decode(id: number): Promise<void> {
    if (this.#open >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#open += 1;
    try {
      this.#texts.set(id, await this.#tokenizer.decode([id]));
    } catch (error) {
      this.#asked.delete(id);
      throw error;
    } finally {
      this.#open -= 1;
      this.#waiting.shift()?.();
    }
  }
}

/** A token's text with its white space shown, as a label: ` Paris` is `·Paris`. */
export function visible(text: string): string {
  if (text === '') return '∅';
  return text.replaceAll('\n', '↵').replaceAll('\t', '⇥').replace(/^ /, '·').replace(/ $/, '·');
}

/** A token's text in a sentence that is read aloud. */
export const spoken = (text: string): string => (text === '' ? 'nothing' : `“${text}”`);
