/** A host for tests, without a process and without a model: a test says what it answers. */
import {
  decodeMessage,
  encodeFrame,
  type MessageOf,
  type ModelDescription,
  type Transport,
  transportPair,
} from '@tracewire/protocol';
import { hostCommands, type hostEvents } from '../../host/messages.ts';
import type { HostHandle, StartHost } from '../host-handle.ts';

export type Command = MessageOf<typeof hostCommands>;
type Event = MessageOf<typeof hostEvents>;
export type Answer = (host: ScriptedHost, command: Command, payload: Uint8Array) => void;

const FLOAT = { dtype: 'float32', dims: ['batch', 'sequence', 4] } as const;

export const DESCRIPTION: ModelDescription = {
  name: 'toy',
  id: 'sha256:0',
  architecture: 'Toy',
  exporter: 'other',
  opset: 21,
  endOfText: [0],
  blocks: ['h.0', 'h.1'],
  modules: [
    { path: 'h.0', order: { output: 1 }, inputs: [], outputs: [{ name: 'a', ...FLOAT }] },
    {
      path: 'h.1',
      order: { input: 2, output: 3 },
      inputs: [{ name: 'a', ...FLOAT }],
      outputs: [{ name: 'b', ...FLOAT }],
    },
  ],
  parameters: [{ name: 'w', dtype: 'float32', dims: [4] }],
};

export const REPORT = {
  modulesRun: 2,
  modulesTotal: 2,
  segmentsRun: 2,
  segmentsTotal: 2,
  tokens: 2,
  milliseconds: 1,
};

export class ScriptedHost {
  readonly commands: Command[] = [];
  killed = false;
  readonly #transport: Transport;
  readonly handle: HostHandle;

  constructor(answer: Answer) {
    const [gateway, host] = transportPair();
    this.#transport = host;
    this.handle = { transport: gateway, kill: () => this.die('killed') };
    host.listen({
      message: (bytes) => {
        const { message, payload } = decodeMessage(hostCommands, bytes);
        this.commands.push(message);
        answer(this, message, payload);
      },
      close: () => {
        this.killed = true;
      },
    });
  }

  /** What has completed has a report, though a test may not care which. */
  send(event: Event, payload: readonly Uint8Array[] = []): void {
    const bare = event.type === 'done' && event.state === 'completed' && !event.report;
    this.#transport.send(encodeFrame(bare ? { ...event, report: REPORT } : event, payload));
  }

  /** Bytes that are no message of the table. */
  sendRaw(bytes: Uint8Array): void {
    this.#transport.send([bytes]);
  }

  die(reason: string): void {
    this.killed = true;
    this.#transport.close(1011, reason);
  }
}

/** Loads at once, answers requests, and leaves runs to the test. */
export const polite: Answer = (host, command) => {
  if (command.type === 'load')
    host.send({ type: 'loaded', description: { ...DESCRIPTION, name: command.name } });
  if (command.type === 'tokenize') {
    host.send({ type: 'tokens', request: command.request, ids: [1, 2], tokens: ['a', 'b'] });
  }
  if (command.type === 'detokenize') host.send({ type: 'text', request: command.request, text: 'ab' });
};

/** A `StartHost` whose hosts stay within a test's reach, newest last. */
export function scriptedHosts(answer: Answer = polite): { start: StartHost; hosts: ScriptedHost[] } {
  const hosts: ScriptedHost[] = [];
  const start: StartHost = async () => {
    const host = new ScriptedHost(answer);
    hosts.push(host);
    return host.handle;
  };
  return { start, hosts };
}
