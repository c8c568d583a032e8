/** The model's tokenizer, which runs where the model does. */
import type { Link } from './channel.ts';
import { fromCall } from './errors.ts';
import { type TraceFeeds, type TraceInput, toIds, toText } from './input.ts';
import { A_BOOLEAN, checkOptions } from './options.ts';

/** Where to run; the model's own default if left out. */
export interface WhereOptions {
  readonly remote?: boolean | undefined;
}

export const WHERE_OPTIONS = { remote: A_BOOLEAN };

/** Text to tokens and back. Its methods reject as a trace does, and with `bad_input` for what is no text or no ids. */
export class Tokenizer {
  readonly #link: (options: WhereOptions) => Promise<Link>;

  constructor(link: (options: WhereOptions) => Promise<Link>) {
    this.#link = link;
  }

  /** Text to token ids, and each token as the vocabulary spells it (`ĠParis`). */
  encode(
    text: string,
    options: WhereOptions = {},
  ): Promise<{ readonly ids: number[]; readonly tokens: string[] }> {
    return this.#call(options, 'encode', async ({ conversation, model }) => {
      const { ids, tokens } = await conversation.tokenize(model, toText(text));
      return { ids, tokens };
    });
  }

  /** Token ids to text. */
  decode(ids: Exclude<TraceInput, string | TraceFeeds>, options: WhereOptions = {}): Promise<string> {
    return this.#call(options, 'decode', async ({ conversation, model }) => {
      return conversation.detokenize(model, toIds(ids));
    });
  }

  /** The tokens of a text, as the vocabulary spells them. */
  async tokens(text: string, options: WhereOptions = {}): Promise<string[]> {
    return this.#call(options, 'tokens', async ({ conversation, model }) => {
      return (await conversation.tokenize(model, toText(text))).tokens;
    });
  }

  async #call<T>(options: WhereOptions, name: string, ask: (link: Link) => Promise<T>): Promise<T> {
    return fromCall(async () => {
      checkOptions(options, WHERE_OPTIONS, `tokenizer.${name}`);
      return ask(await this.#link(options));
    });
  }
}
