/** Starting runs in tests, and what came of them. */
import type { ClientMessage, Graph } from '@tracewire/protocol';
import { settle, type TestClient } from './test-client.ts';
import { floats, type Toy, TWO_SAVES } from './toy.ts';

type RunMessage = Extract<ClientMessage, { type: 'run' }>;

/** A `run` message. */
export const runOf = (id: string, graph: Graph = TWO_SAVES, options?: RunMessage['options']): RunMessage => ({
  type: 'run',
  run: id,
  model: 'toy',
  graph,
  options,
});

/** Sends a run and waits until the host has it; gives the id that the host knows it by. */
export async function begin(
  { host }: Toy,
  client: TestClient,
  id = 'a',
  options?: RunMessage['options'],
): Promise<string> {
  client.send(runOf(id, TWO_SAVES, options));
  await client.nextStatus('received');
  await client.nextStatus('running');
  await settle();
  const command = host().commands.findLast((one) => one.type === 'run');
  if (command?.type !== 'run') throw new Error('the host got no run');
  return command.run;
}

/** The states that the client was told of a run. */
export const states = (client: TestClient, run: string) =>
  client.received.flatMap(({ message }) =>
    message.type === 'status' && message.run === run ? [message.state] : [],
  );

/** Says that the host has computed a value of `count` elements for a save. */
export function give({ host }: Toy, run: string, save: number, count = 4): void {
  const { value, bytes, payload } = floats(count);
  host().send({ type: 'value', run, save, value, bytes }, [payload]);
}

/** The codes of what was refused about a run. */
export const refusals = (client: TestClient, run: string) =>
  client.received.flatMap(({ message }) =>
    message.type === 'error' && message.run === run ? message.errors.map(({ code }) => code) : [],
  );

/** The numbers of a run's messages, in the order they came. */
export const seqs = (client: TestClient, run: string) =>
  client.received.flatMap(({ message }) => ('seq' in message && message.run === run ? [message.seq] : []));
