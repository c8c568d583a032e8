/** A saved value's parts as they come from a host, until all are here. Parts are kept as they are, not copied. */
import type { MessageOf } from '@tracewire/protocol';
import { TracewireError } from '@tracewire/protocol';
import type { hostEvents } from '../host/messages.ts';
import type { RunMessage } from './outbox.ts';

type ValueEvent = MessageOf<typeof hostEvents, 'value'>;
type ChunkEvent = MessageOf<typeof hostEvents, 'chunk'>;

export class Assembly {
  readonly #event: ValueEvent;
  readonly #parts: Uint8Array[];
  #bytes: number;

  constructor(event: ValueEvent, payload: Uint8Array) {
    this.#event = event;
    this.#parts = [payload];
    this.#bytes = payload.byteLength;
  }

  /** What it is the value of. */
  get at(): Pick<ValueEvent, 'trace' | 'save' | 'step'> {
    const { trace, save, step } = this.#event;
    return { trace, save, step };
  }

  get complete(): boolean {
    return this.#bytes === this.#event.bytes;
  }

  /** Of the whole value. */
  get bytes(): number {
    return this.#event.bytes;
  }

  /** Throws when the host breaks its own table; the link then gives the host up. */
  add({ trace, save, step, offset }: ChunkEvent, payload: Uint8Array): void {
    const event = this.#event;
    const same = trace === event.trace && save === event.save && step === event.step;
    const fits = this.#bytes + payload.byteLength <= this.#event.bytes;
    if (!same || offset !== this.#bytes || !fits) {
      throw new TracewireError({ code: 'internal', message: 'The host sent a chunk out of order.' });
    }
    this.#parts.push(payload);
    this.#bytes += payload.byteLength;
  }

  /** What the client gets: the `value`, then its chunks. */
  messages(): { readonly message: RunMessage; readonly payload: Uint8Array }[] {
    const { trace, save, step, value, bytes } = this.#event;
    let offset = 0;
    return this.#parts.map((payload, index) => {
      const message: RunMessage =
        index === 0
          ? { type: 'value', trace, save, step, value, bytes }
          : { type: 'chunk', trace, save, step, offset };
      offset += payload.byteLength;
      return { message, payload };
    });
  }
}
