/** A model's tokenizer: Hugging Face's own library over the model's `tokenizer.json`. */
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { TracewireError } from '@tracewire/protocol';
import { type ModelFiles, readJson } from './intake/files.ts';

/** As many ids as a message may list (PROTOCOL.md, section 2.1). */
const MAX_TOKENS = 65_536;

export interface Encoding {
  readonly ids: number[];
  /** As the vocabulary spells them. */
  readonly tokens: string[];
}

export class Tokenizer {
  readonly #loaded: HuggingFaceTokenizer | undefined;

  private constructor(tokenizer: HuggingFaceTokenizer | undefined) {
    this.#loaded = tokenizer;
  }

  /** A model without the file has a tokenizer that refuses everything. Throws `model_invalid`, naming the file. */
  static async load(files: ModelFiles): Promise<Tokenizer> {
    if (files.tokenizer === undefined) return new Tokenizer(undefined);
    const json = await readJson(files.tokenizer);
    const config = files.tokenizerConfig ? await readJson(files.tokenizerConfig) : {};
    try {
      return new Tokenizer(new HuggingFaceTokenizer(json, { ...unknownOf(json), ...config }));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new TracewireError({
        code: 'model_invalid',
        message: `${files.tokenizer} is no tokenizer that can be used: ${why}`,
        path: files.tokenizer,
      });
    }
  }

  get #tokenizer(): HuggingFaceTokenizer {
    if (this.#loaded) return this.#loaded;
    throw new TracewireError({
      code: 'bad_input',
      message:
        'The model’s folder has no tokenizer.json, so the server can’t turn text into token ids or back. Give token ids or feeds, or put the file there.',
      wanted: 'token ids or feeds',
      got: 'text',
    });
  }

  /**
   * Throws `input_too_long` for more tokens than a message holds, `bad_input` where there is no tokenizer, or it has
   * no token for a part of the text.
   */
  encode(text: string): Encoding {
    const { ids, tokens } = this.#tokenizer.encode(text);
    // The library's types don't say so: a vocabulary without an unknown token gives no id.
    const missing = ids.findIndex((id: number | undefined) => id === undefined);
    if (missing >= 0) {
      throw new TracewireError({
        code: 'bad_input',
        message: `The model’s tokenizer has no token for “${tokens[missing]}”, and none that stands for the unknown. Leave it out, or give token ids.`,
        wanted: 'a text of the vocabulary',
        got: tokens[missing],
      });
    }
    if (ids.length > MAX_TOKENS) {
      throw new TracewireError({
        code: 'input_too_long',
        message: `The text has ${ids.length} tokens; a request takes at most ${MAX_TOKENS}.`,
        wanted: `at most ${MAX_TOKENS}`,
        got: String(ids.length),
      });
    }
    return { ids: [...ids], tokens: [...tokens] };
  }

  /**
   * Special tokens stay in the text: whoever looks inside a model wants to see them. Throws
   * `token_out_of_range` for an id that the vocabulary hasn't.
   */
  decode(ids: readonly number[]): string {
    const wrong = ids.find((id) => this.#tokenizer.id_to_token(id) === undefined);
    if (wrong !== undefined) {
      throw new TracewireError({
        code: 'token_out_of_range',
        message: `There is no token ${wrong}: it is not in the tokenizer’s vocabulary.`,
        wanted: 'ids of the vocabulary',
        got: String(wrong),
      });
    }
    return this.textOf(ids);
  }

  /** As `decode`; an id that the vocabulary hasn't, for a model may have more than its tokenizer, has no text. */
  textOf(ids: readonly number[]): string {
    const known = ids.filter((id) => this.#tokenizer.id_to_token(id) !== undefined);
    if (known.length === 0) return '';
    return this.#tokenizer.decode(known, {
      skip_special_tokens: false,
      clean_up_tokenization_spaces: false,
    });
  }
}

/** The library finds the unknown token of a plain vocabulary in tokenizer_config.json alone; tokenizer.json names it too. */
function unknownOf({ model }: Readonly<Record<string, unknown>>): { readonly unk_token?: string } {
  const named = model instanceof Object && 'unk_token' in model ? model.unk_token : undefined;
  return typeof named === 'string' ? { unk_token: named } : {};
}
