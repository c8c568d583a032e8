/** Starting runs in tests, and what came of them. */
import type { ClientMessage, Graph } from '@tracewire/protocol';
import { settle, type TestClient } from './test-client.ts';
import { type Toy, TWO_SAVES } from './toy.ts';

/** A `run` message. */
export const runOf = (id: string, graph: Graph = TWO_SAVES): ClientMessage => ({
  type: 'run',
  run: id,
  model: 'toy',
  graph,
});

/** Sends a run and waits until the host has it; gives the id that the host knows it by. */
export async function begin({ host }: Toy, client: TestClient, id = 'a'): Promise<string> {
  client.send(runOf(id));
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

/** The numbers of a run's messages, in the order they came. */
export const seqs = (client: TestClient, run: string) =>
  client.received.flatMap(({ message }) => ('seq' in message && message.run === run ? [message.seq] : []));
