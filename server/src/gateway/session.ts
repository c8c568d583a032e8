/** Several traces in one run (PROTOCOL.md, section 6.3): what it takes to ask for that, and how much of it a server does. */
import {
  type ClientMessage,
  type Graph,
  type Limits,
  type ReadFunction,
  TracewireError,
  tracesOf,
} from '@tracewire/protocol';
import { batchField } from './batch.ts';
import { blobFields } from './blobs/named-blobs.ts';
import { batchedField, generationField } from './generation.ts';

type RunMessage = ClientMessage & { type: 'run' };

/** Where the parts of a trace stand in its message. */
export interface FieldsOfTrace {
  readonly graph: string;
  readonly generate: string;
}

/** The fields of a run that only a capability allows, each with that capability. */
export function fieldsOfCapabilities(message: RunMessage): [capability: string, field: string][] {
  const { traces, options } = message;
  const found: [string, string | undefined][] = [
    ['detach', options?.detach && 'options.detach'],
    ['sessions', traces && 'traces'],
    ['batching', options?.batching && 'options.batching'],
  ];
  for (const [index, trace] of tracesOf(message).entries()) {
    const at = traces ? `traces.${index}.` : '';
    const graph = `${at}graph`;
    found.push(['sessions', earlierField(trace.graph, graph)]);
    found.push(['invokes', batchField(trace.graph, graph)]);
    found.push(['batch_generation', batchedField(trace, graph)]);
    found.push(...blobFields(trace.graph, graph));
    found.push([
      'generation',
      generationField(trace, { graph, generate: traces ? `${at}generate` : 'options.generate' }),
    ]);
  }
  return found.flatMap(([capability, field]): [string, string][] =>
    field === undefined ? [] : [[capability, field]],
  );
}

function earlierField({ nodes }: Graph, at: string): string | undefined {
  const id = nodes.findIndex(({ kind }) => kind === 'earlier');
  return id < 0 ? undefined : `${at}.nodes.${id}.kind`;
}

/** Throws what refuses a run as too large; the nodes of all its graphs count together. */
export function checkCounts(
  message: Pick<RunMessage, 'graph' | 'traces' | 'options'>,
  { traces: most = 1, nodes }: Limits,
  functionOf: (sha256: string) => ReadFunction | undefined,
): void {
  const traces = tracesOf(message);
  const isSession = message.traces !== undefined;
  if (traces.length > most)
    throw tooMany('traces', `The run has ${traces.length} traces`, traces.length, most);
  const own = traces.reduce((sum, { graph }) => sum + graph.nodes.length, 0);
  // A call counts as what its function holds.
  const inside = own > nodes ? 0 : traces.reduce((sum, { graph }) => sum + nodesInside(graph, functionOf), 0);
  const count = own + inside;
  if (count <= nodes) return;
  const [path, what] = isSession ? ['traces', 'The graphs together have'] : ['graph.nodes', 'The graph has'];
  const more = inside > 0 ? ', those of its functions among them' : '';
  throw tooMany(path, `${what} ${count} nodes${more}`, count, nodes);
}

function nodesInside({ nodes }: Graph, functionOf: (sha256: string) => ReadFunction | undefined): number {
  const bodies = nodes.map((node) => (node.kind === 'call' ? functionOf(node.function)?.body : undefined));
  return bodies.reduce((sum, body) => sum + (body?.nodes.length ?? 0), 0);
}

function tooMany(path: string, what: string, count: number, most: number): TracewireError {
  const message = `${what}; this server takes at most ${most}.`;
  return new TracewireError({
    code: 'bad_message',
    message,
    path,
    wanted: `at most ${most}`,
    got: String(count),
  });
}
