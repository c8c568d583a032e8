/** A client for tests: says hello, keeps what it gets, and waits for what a test asks for. */
import {
  type ClientMessage,
  decodeMessage,
  encodeFrame,
  isTerminal,
  type ServerMessage,
  serverMessages,
  type Transport,
} from '@tracewire/protocol';

type Server<K extends ServerMessage['type']> = Extract<ServerMessage, { type: K }>;

export interface Received {
  readonly message: ServerMessage;
  readonly payload: Uint8Array;
}

export class TestClient {
  readonly received: Received[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #transport: Transport;
  #taken = 0;
  #wake: () => void = () => {};

  constructor(transport: Transport) {
    this.#transport = transport;
    this.closed = new Promise((resolve) => {
      transport.listen({
        message: (bytes) => {
          this.received.push(decodeMessage(serverMessages, bytes));
          this.#wake();
        },
        close: (code, reason) => resolve({ code, reason }),
      });
    });
  }

  send(message: ClientMessage, payload: readonly Uint8Array[] = []): void {
    this.#transport.send(encodeFrame(message, payload));
  }

  sendRaw(bytes: Uint8Array): void {
    this.#transport.send([bytes]);
  }

  async hello(...capabilities: string[]): Promise<Server<'welcome'>> {
    this.send({ type: 'hello', protocol: 1, client: { name: 'test', version: '0' }, capabilities });
    return this.next('welcome');
  }

  /** The next message that hasn't been taken, which must be of that type. */
  async next<K extends ServerMessage['type']>(type: K): Promise<Server<K>> {
    while (this.#taken >= this.received.length) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const message = this.received[this.#taken]?.message;
    if (message?.type !== type) throw new Error(`wanted ${type}, got ${JSON.stringify(message)}`);
    this.#taken += 1;
    return message as Server<K>;
  }

  /** The run's terminal status, whatever comes before it. */
  async end(run: string): Promise<Server<'status'>> {
    for (;;) {
      for (const { message } of this.received) {
        if (message.type === 'status' && message.run === run && isTerminal(message.state)) return message;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** What the last taken message carried. */
  get payload(): Uint8Array {
    return this.received[this.#taken - 1]?.payload ?? new Uint8Array();
  }

  async nextStatus(state: string): Promise<Server<'status'>> {
    const status = await this.next('status');
    if (status.state !== state) throw new Error(`wanted ${state}, got ${JSON.stringify(status)}`);
    return status;
  }

  close(): void {
    this.#transport.close(1000, 'done');
  }

  /** The line is cut; nobody said goodbye. */
  cut(): void {
    this.#transport.close(1006, '');
  }
}

/** Lets everything that is on its way arrive. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
