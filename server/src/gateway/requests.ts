/** Answers one connection's `describe`, `tokenize`, `detokenize`, `function` and `explain`. */
import { type ClientMessage, type ServerMessage, TracewireError } from '@tracewire/protocol';
import { checkRun, errorsOf, Refusal } from './admission.ts';
import { batchField } from './batch.ts';
import { type KeyBlobs, unknownBlob } from './blobs/key-blobs.ts';
import { blobFields, namedBlobs } from './blobs/named-blobs.ts';
import { OPEN_REQUESTS, QUEUE_RETRY_MS } from './limits.ts';
import { mustOffer } from './offered.ts';
import type { Services } from './services.ts';

type Client<K extends ClientMessage['type']> = Extract<ClientMessage, { type: K }>;

export class Requests {
  readonly #gateway: Services;
  readonly #send: (message: ServerMessage) => void;
  readonly #blobs: KeyBlobs;
  readonly #open = new Set<number>();
  /** Those that both sides have announced. */
  #capabilities: ReadonlySet<string> = new Set();

  constructor(gateway: Services, blobs: KeyBlobs, send: (message: ServerMessage) => void) {
    this.#gateway = gateway;
    this.#blobs = blobs;
    this.#send = send;
  }

  enable(capabilities: ReadonlySet<string>): void {
    this.#capabilities = capabilities;
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

  function({ request, sha256 }: Client<'function'>): void {
    this.#mustBeFree(request);
    const found = this.#gateway.functions.of(sha256, this.#blobs);
    if (!found) throw new TracewireError(unknownBlob(sha256));
    if (!found.body) throw new Refusal(found.errors);
    const { inputs, outputs } = found.body;
    this.#send({ type: 'function_description', request, inputs: [...inputs], outputs: [...outputs] });
  }

  /** Throws what would refuse the run; the host finds the rest. */
  explain({ request, model, graph }: Client<'explain'>, payload: Uint8Array): void {
    this.#mustOffer('explain', 'type');
    const batch = batchField(graph, 'graph');
    if (batch !== undefined) this.#mustOffer('invokes', batch);
    for (const [capability, path] of blobFields(graph, 'graph')) this.#mustOffer(capability, path);
    this.#mustBeFree(request);
    const served = this.#gateway.model(model);
    checkRun({ graph, model }, payload, this.#gateway, this.#blobs);
    const hashes = namedBlobs(graph);
    const blobs = [...hashes].map((sha256) => ({ sha256, path: this.#blobs.pathOf(sha256) }));
    const release = this.#blobs.hold(hashes);
    this.#answer(request, async () => {
      try {
        const explanation = await served.explain({ graph, payload, blobs });
        return { type: 'explanation', request, explanation };
      } finally {
        release();
      }
    });
  }

  #mustOffer(capability: string, path: string): void {
    mustOffer(this.#capabilities, capability, path);
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
