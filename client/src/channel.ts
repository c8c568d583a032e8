/** A model's way to one engine, remote or local: opened on first use, opened again on the next use after a loss. */
import { ModelIndex, TracewireError } from '@tracewire/protocol';
import type { ClientTransport } from './connection.ts';
import { Conversation } from './conversation.ts';
import { ModelTree } from './tree.ts';

/** How to reach an engine. */
export interface Endpoint {
  /** For messages. */
  readonly address: string;
  open(): Promise<ClientTransport>;
  /** What the engine calls the model, given the names it announced. */
  modelName(announced: readonly string[]): string;
}

/** A conversation that has begun, and what to call the model in it. */
export interface Link {
  readonly conversation: Conversation;
  readonly model: string;
}

export class Channel {
  readonly #endpoint: Endpoint;
  #link: Promise<Link> | undefined;
  #conversation: Conversation | undefined;
  /** Of the link there is now. */
  #tree: Promise<ModelTree> | undefined;
  #closed = false;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  /** Rejects with `unreachable`, `refused_upgrade`, `not_installed`, `closed` and the like. */
  link(): Promise<Link> {
    if (this.#closed) return Promise.reject(closedError());
    this.#link ??= this.#open();
    return this.#link;
  }

  /** The model's description as a tree, asked for once a conversation. Rejects with `unknown_model` too. */
  async tree({ conversation, model }: Link): Promise<ModelTree> {
    if (conversation.failure) throw conversation.failure;
    this.#tree ??= conversation
      .describe(model)
      .then((description) => new ModelTree(new ModelIndex(description)));
    const tree = this.#tree;
    tree.catch(() => {
      // Another try may find the model loaded.
      if (this.#tree === tree) this.#tree = undefined;
    });
    return tree;
  }

  /** Ends what is running with `closed`. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#conversation?.close(closedError());
  }

  async #open(): Promise<Link> {
    const { open, address, modelName } = this.#endpoint;
    const conversation = new Conversation(open, address, () => this.#forget(conversation));
    this.#conversation = conversation;
    try {
      const { models } = await conversation.connect();
      return { conversation, model: modelName(models) };
    } catch (error) {
      if (error instanceof TracewireError) conversation.close(error);
      this.#forget(conversation);
      throw error;
    }
  }

  #forget(conversation: Conversation): void {
    if (conversation !== this.#conversation) return;
    this.#link = undefined;
    this.#conversation = undefined;
    this.#tree = undefined;
  }
}

function closedError(): TracewireError {
  return new TracewireError({ code: 'closed', message: 'The model was closed. Make a new LanguageModel.' });
}
