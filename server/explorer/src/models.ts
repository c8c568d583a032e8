/** The client's models, one a name: a connection each, opened on first use and ended when another key is given. */
import { LanguageModel, type ModelDescription } from '@tracewire/client';
import type { Server } from './server.ts';
import { TokenTexts } from './token-texts.ts';

export interface OpenModel {
  readonly client: LanguageModel;
  readonly texts: TokenTexts;
  /** Asked for once; a failure is forgotten, so that another try asks again. */
  describe(): Promise<ModelDescription>;
  /** A text's tokens, each with its text. */
  tokensOf(text: string): Promise<{ readonly ids: readonly number[]; readonly tokens: readonly string[] }>;
}

export class Models {
  readonly #server: Server;
  readonly #open = new Map<string, OpenModel>();
  #key: string | undefined;

  constructor(server: Server) {
    this.#server = server;
    this.#key = server.key;
  }

  get(name: string): OpenModel {
    if (this.#key !== this.#server.key) this.#closeAll();
    const model = this.#open.get(name) ?? open(name, this.#server);
    this.#open.set(name, model);
    return model;
  }

  #closeAll(): void {
    for (const { client } of this.#open.values()) void client.close();
    this.#open.clear();
    this.#key = this.#server.key;
  }
}

function open(name: string, { url, key }: Server): OpenModel {
  const client = new LanguageModel(name, { url, key });
  const texts = new TokenTexts(client.tokenizer);
  let description: Promise<ModelDescription> | undefined;
  return {
    client,
    texts,
    describe() {
      description ??= client.describe();
      description.catch(() => {
        description = undefined;
      });
      return description;
    },
    async tokensOf(text) {
      const { ids } = await client.tokenizer.encode(text);
      await texts.load(ids);
      return { ids, tokens: ids.map((id) => texts.get(id) ?? '') };
    },
  };
}
