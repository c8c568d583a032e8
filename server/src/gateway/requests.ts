/** Answers one connection's `describe`, `tokenize` and `detokenize`. */
import { type ClientMessage, type ServerMessage, TracewireError } from '@tracewire/protocol';
import { errorsOf } from './admission.ts';
import { OPEN_REQUESTS, QUEUE_RETRY_MS } from './limits.ts';
import type { Services } from './services.ts';

type Client<K extends ClientMessage['type']> = Extract<ClientMessage, { type: K }>;

export class Requests {
  readonly #gateway: Services;
  readonly #send: (message: ServerMessage) => void;
  readonly #open = new Set<number>();

  constructor(gateway: Services, send: (message: ServerMessage) => void) {
    this.#gateway = gateway;
    this.#send = send;
  }

  describe({ request, model }: Client<'describe'>): void {
    const { description } = this.#gateway.model(model);
    this.#send({ type: 'description', request, description });
  }

  tokenize({ request, model, text }: Client<'tokenize'>): void {
    const served = this.#gateway.model(model);
    this.#answer(request, async () => ({ type: 'tokens', request, ...(await served.tokenize(text)) }));
  }

  detokenize({ request, model, ids }: Client<'detokenize'>): void {
    const served = this.#gateway.model(model);
    this.#answer(request, async () => ({ type: 'text', request, text: await served.detokenize(ids) }));
  }

  #answer(request: number, make: () => Promise<ServerMessage>): void {
    this.#mustBeFree(request);
    this.#open.add(request);
    make()
      .then(this.#send, (error) => this.#send({ type: 'error', request, errors: errorsOf(error) }))
      .finally(() => this.#open.delete(request));
  }

  #mustBeFree(request: number): void {
    if (this.#open.has(request)) {
      throw new TracewireError({
        code: 'bad_message',
        message: `Request ${request} has no answer yet; another one needs another number.`,
        path: 'request',
      });
    }
    if (this.#open.size >= OPEN_REQUESTS) {
      throw new TracewireError({
        code: 'queue_full',
        message: `${OPEN_REQUESTS} requests of this connection wait for an answer.`,
        retryAfterMs: QUEUE_RETRY_MS,
      });
    }
  }
}
