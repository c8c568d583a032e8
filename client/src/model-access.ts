/** Where a model is, on its server and in this process, and what traces on it are written against. */
import { abortable } from './abort.ts';
import { Channel, type Desk, type Link } from './channel.ts';
import type { Edit } from './edit.ts';
import { localEndpoint } from './local.ts';
import type { LanguageModelOptions } from './model-options.ts';
import { remoteEndpoint } from './remote.ts';
import type { WhereOptions } from './tokenizer.ts';
import type { FunctionFile } from './user-function.ts';

/** A conversation that has begun, and what a trace in it is written on. */
export interface Open extends Desk {
  readonly link: Link;
}

export class ModelAccess {
  /** What acts in each trace, the first first. */
  readonly edits: readonly Edit[];
  readonly #remote: Channel;
  readonly #local: Channel;
  /** Whether traces run on the server that don't say where. */
  readonly #isRemote: boolean;
  /** Hashed before a trace is written, while that need not block. */
  readonly #functions: FunctionFile[];

  /** Throws `bad_input` for an address or a key that is none. `like`: one whose connections are shared. */
  constructor(name: string, options: LanguageModelOptions, edits: readonly Edit[] = [], like?: ModelAccess) {
    this.edits = edits;
    this.#isRemote = options.remote ?? true;
    this.#remote = like ? like.#remote : new Channel(remoteEndpoint(name, options));
    this.#local = like ? like.#local : new Channel(localEndpoint(name));
    this.#functions = like ? like.#functions : [];
  }

  /** A function that traces may call. */
  add(file: FunctionFile): void {
    this.#functions.push(file);
  }

  /** Rejects as `Channel.link` does. */
  async link(where: WhereOptions): Promise<Link> {
    return this.#channel(where).link();
  }

  /** For what is asked of the model as it stands on the server: without its edits, which may be wrong. */
  async plain(where: WhereOptions): Promise<Open> {
    const channel = this.#channel(where);
    const link = await channel.link();
    return { link, ...(await channel.desk(link)) };
  }

  /** For writing a trace. Rejects with what is wrong with an edit too, and with `cancelled` as soon as the signal is aborted. */
  async edited({
    remote,
    signal,
  }: WhereOptions & { readonly signal?: AbortSignal | undefined }): Promise<Open> {
    const channel = this.#channel({ remote });
    const link = await abortable(channel.link(), signal);
    return { link, ...(await abortable(this.#desk(channel, link), signal)) };
  }

  /** Ends the connections, also those of models that share them. Idempotent. */
  close(): void {
    this.#remote.close();
    this.#local.close();
  }

  async #desk(channel: Channel, link: Link): Promise<Desk> {
    const { tree, writing } = await channel.desk(link);
    await Promise.all(this.#functions.map((file) => writing.hash(file)));
    if (this.edits.length === 0) return { tree, writing };
    return { tree: tree.edited(this.edits.map((edit) => writing.fragmentOf(edit, tree))), writing };
  }

  #channel({ remote }: WhereOptions): Channel {
    return (remote ?? this.#isRemote) ? this.#remote : this.#local;
  }
}
