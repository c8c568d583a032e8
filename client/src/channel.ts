/** A model's way to one engine, remote or local: opened on first use, opened again on the next use after a loss. */
import { TracewireError } from '@tracewire/protocol/core';
import type { ClientTransport } from './connection.ts';
import type { Conversation } from './conversation.ts';
import { loadConnecting, loadWriting } from './later.ts';
import type { ModelTree } from './tree.ts';
import type * as Writing from './writing.ts';

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

/** What a trace is written on: the model's modules, and the part of the client that writes traces. */
export interface Desk {
  readonly tree: ModelTree;
  readonly writing: typeof Writing;
}

export class Channel {
  readonly #endpoint: Endpoint;
  #link: Promise<Link> | undefined;
  #conversation: Conversation | undefined;
  /** Of the link there is now. */
  #desk: Promise<Desk> | undefined;
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

  /** Of a conversation there is one; its parts come side by side. Rejects with `unknown_model` and `not_installed` too. */
  async desk({ conversation, model }: Link): Promise<Desk> {
    if (conversation.failure) throw conversation.failure;
    this.#desk ??= Promise.all([conversation.describe(model), loadWriting()]).then(
      ([description, writing]) => ({
        tree: new writing.ModelTree(new writing.ModelIndex(description)),
        writing,
      }),
    );
    const desk = this.#desk;
    desk.catch(() => {
      // Another try may find the model loaded.
      if (this.#desk === desk) this.#desk = undefined;
    });
    return desk;
  }

  /** Ends what is running with `closed`. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#conversation?.close(closedError());
  }

  async #open(): Promise<Link> {
    const { open, address, modelName } = this.#endpoint;
    const { Conversation } = await loadConnecting().catch((error: unknown) => {
      this.#link = undefined;
      throw error;
    });
    if (this.#closed) throw closedError();
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
    this.#desk = undefined;
  }
}

function closedError(): TracewireError {
  return new TracewireError({ code: 'closed', message: 'The model was closed. Make a new LanguageModel.' });
}
