/** Requests that await one answer each: describe, tokenize, detokenize, function, explain. */
import type { ClientMessage, MessageOf, serverMessages, TracewireError } from '@tracewire/protocol';
import { violation } from './violation.ts';

type ServerMessages = typeof serverMessages;
export type AnswerType = 'description' | 'tokens' | 'text' | 'function_description' | 'explanation';
export type Answer<K extends AnswerType = AnswerType> = MessageOf<ServerMessages, K>;

/** Sent again when the connection is lost before its answer came. */
interface Sent {
  readonly message: ClientMessage;
  readonly payload?: readonly Uint8Array[] | undefined;
}

interface Pending extends Sent {
  readonly wants: AnswerType;
  readonly resolve: (answer: never) => void;
  readonly reject: (error: TracewireError) => void;
}

export class Requests {
  readonly #pending = new Map<number, Pending>();
  #last = 0;

  get size(): number {
    return this.#pending.size;
  }

  /** What waits for an answer. */
  get messages(): readonly Sent[] {
    return [...this.#pending.values()];
  }

  /** A number for a request, its message, and the promise of its answer. */
  open<K extends AnswerType>(
    wants: K,
    toMessage: (request: number) => ClientMessage,
    payload?: readonly Uint8Array[],
  ): { readonly request: number; readonly message: ClientMessage; readonly answer: Promise<Answer<K>> } {
    this.#last += 1;
    const request = this.#last;
    const message = toMessage(request);
    const answer = new Promise<Answer<K>>((resolve, reject) => {
      this.#pending.set(request, { message, payload, wants, resolve, reject });
    });
    return { request, message, answer };
  }

  /** Throws a violation for an answer that nobody waits for. */
  answer(message: Answer): void {
    const wants = this.#pending.get(message.request)?.wants;
    // It stays open, so that it ends with all else.
    if (wants !== undefined && wants !== message.type)
      throw violation(`${message.type} came for a request of ${wants}`);
    this.#take(message.request).resolve(message as never);
  }

  reject(request: number, error: TracewireError): void {
    this.#take(request).reject(error);
  }

  rejectAll(error: TracewireError): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  #take(request: number): Pending {
    const pending = this.#pending.get(request);
    if (!pending) throw violation(`an answer to request ${request}, which is not open`);
    this.#pending.delete(request);
    return pending;
  }
}
