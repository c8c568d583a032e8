/** A model's way to one engine, remote or local: opened on first use, opened again on the next use after a loss. */
import { ModelIndex, TracewireError } from '@tracewire/protocol';
import { type ClientTransport, Connection } from './connection.ts';
import { ModelTree } from './tree.ts';

/** How to reach an engine. */
export interface Endpoint {
  /** For messages. */
  readonly address: string;
  open(): Promise<ClientTransport>;
  /** What the engine calls the model, given the names it announced. */
  modelName(announced: readonly string[]): string;
}

/** A connection that has been welcomed, and what to call the model on it. */
export interface Link {
  readonly connection: Connection;
  readonly model: string;
}

export class Channel {
  readonly #endpoint: Endpoint;
  #link: Promise<Link> | undefined;
  #connection: Connection | undefined;
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

  /** The model's description as a tree, asked for once a connection. Rejects with `unknown_model` too. */
  async tree({ connection, model }: Link): Promise<ModelTree> {
    if (connection !== this.#connection) throw new TracewireError(lost(connection.address));
    this.#tree ??= connection
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
    this.#connection?.close(closedError());
  }

  async #open(): Promise<Link> {
    let connection: Connection | undefined;
    try {
      const transport = await this.#endpoint.open();
      if (this.#closed) {
        transport.close();
        throw closedError();
      }
      connection = new Connection(transport, this.#endpoint.address, () => this.#forget());
      this.#connection = connection;
      const { models } = await connection.welcome;
      return { connection, model: this.#endpoint.modelName(models) };
    } catch (error) {
      if (error instanceof TracewireError) connection?.close(error);
      this.#forget();
      throw error;
    }
  }

  #forget(): void {
    this.#link = undefined;
    this.#connection = undefined;
    this.#tree = undefined;
  }
}

function closedError(): TracewireError {
  return new TracewireError({ code: 'closed', message: 'The model was closed. Make a new LanguageModel.' });
}

function lost(address: string) {
  return { code: 'connection_lost' as const, message: `The connection to ${address} was lost.` };
}
