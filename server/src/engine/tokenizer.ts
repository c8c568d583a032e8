/** A model's tokenizer: Hugging Face's own library over the model's `tokenizer.json`. */
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { TracewireError } from '@tracewire/protocol';
import { type ModelFiles, readJson } from './intake/files.ts';

export interface Encoding {
  readonly ids: number[];
  /** As the vocabulary spells them. */
  readonly tokens: string[];
}

export class Tokenizer {
  readonly #tokenizer: HuggingFaceTokenizer;

  private constructor(tokenizer: HuggingFaceTokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** Throws `model_invalid`, naming the file. */
  static async load(files: ModelFiles): Promise<Tokenizer> {
    const json = await readJson(files.tokenizer);
    const config = files.tokenizerConfig ? await readJson(files.tokenizerConfig) : {};
    try {
      return new Tokenizer(new HuggingFaceTokenizer(json, config));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new TracewireError({
        code: 'model_invalid',
        message: `${files.tokenizer} is no tokenizer that can be used: ${why}`,
        path: files.tokenizer,
      });
    }
  }

  encode(text: string): Encoding {
    const { ids, tokens } = this.#tokenizer.encode(text);
    return { ids: [...ids], tokens: [...tokens] };
  }

  /** Special tokens stay in the text: whoever looks inside a model wants to see them. */
  decode(ids: readonly number[]): string {
    return this.#tokenizer.decode([...ids], {
      skip_special_tokens: false,
      clean_up_tokenization_spaces: false,
    });
  }
}
