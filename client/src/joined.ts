/** The recordings of a run as one message brings them: each with its tensors behind those of the one before. */
import { align8, type Graph, type GraphNode, type Input, type TensorRef } from '@tracewire/protocol';

/** One recording as it is sent. */
export interface Sendable {
  readonly graph: Graph;
  readonly payload: readonly Uint8Array[];
  /** By hash, what the server must have before the run. */
  readonly blobs: ReadonlyMap<string, Uint8Array>;
}

export interface Joined {
  readonly graphs: readonly Graph[];
  readonly payload: readonly Uint8Array[];
  readonly blobs: ReadonlyMap<string, Uint8Array>;
}

export function joined(traces: readonly Sendable[]): Joined {
  const graphs: Graph[] = [];
  const payload: Uint8Array[] = [];
  let bytes = 0;
  for (const { graph, payload: parts } of traces) {
    const base = parts.length > 0 ? align8(bytes) : bytes;
    if (base > bytes) payload.push(new Uint8Array(base - bytes));
    payload.push(...parts);
    bytes = parts.reduce((sum, { byteLength }) => sum + byteLength, base);
    graphs.push(base === 0 ? graph : moved(graph, base));
  }
  return { graphs, payload, blobs: new Map(traces.flatMap(({ blobs }) => [...blobs])) };
}

function moved({ invokes, nodes }: Graph, base: number): Graph {
  const tensor = (ref: TensorRef): TensorRef => ({ ...ref, offset: ref.offset + base });
  const input = (of: Input): Input => {
    if (!('feeds' in of)) return of;
    return { feeds: Object.fromEntries(Object.entries(of.feeds).map(([name, ref]) => [name, tensor(ref)])) };
  };
  const node = (of: GraphNode): GraphNode =>
    of.kind === 'constant' && of.tensor ? { ...of, tensor: tensor(of.tensor) } : of;
  return { invokes: invokes.map((of) => ({ input: input(of.input) })), nodes: nodes.map(node) };
}
