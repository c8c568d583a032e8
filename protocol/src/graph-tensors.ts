/** The tensors that a graph brings along in its message's payload: its invokes' feeds, then its constants. */
import type { TensorRef } from './fields.ts';
import type { Graph, Input } from './graph.ts';
import type { ClientMessage } from './messages.ts';
import { PayloadReader } from './payload.ts';
import type { TensorLike } from './tensor.ts';

export interface GraphTensors {
  /** By the id of the `constant` node. */
  readonly constants: ReadonlyMap<number, TensorLike>;
  /** One map of feeds by name for each invoke; empty where its input is text or ids. */
  readonly feeds: readonly ReadonlyMap<string, TensorLike>[];
}

/** An input's feeds in the order of the payload. */
export function feedsOf(input: Input): readonly (readonly [name: string, ref: TensorRef])[] {
  return 'feeds' in input ? sortFeeds(Object.entries(input.feeds)) : [];
}

/** By their names' UTF-8 bytes, which is the order of code points. */
export function sortFeeds<T>(
  feeds: readonly (readonly [name: string, feed: T])[],
): (readonly [name: string, feed: T])[] {
  return [...feeds].sort(([a], [b]) => compareCodePoints(a, b));
}

function compareCodePoints(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  const at = left.findIndex((character, index) => character !== right[index]);
  return at < 0
    ? left.length - right.length
    : (left[at]?.codePointAt(0) ?? 0) - (right[at]?.codePointAt(0) ?? -1);
}

/** Those of one graph. Throws as `tensorsOf` does. */
export function readGraphTensors(graph: Graph, payload: Uint8Array): GraphTensors {
  const reader = new PayloadReader(payload);
  const tensors = readGraph(graph, reader, 'graph');
  reader.end();
  return tensors;
}

/**
 * Those of each trace of a `run` message, one behind the other; blobs lie elsewhere. Throws `bad_message` where the payload isn't laid out as section 1.3 says, or holds more.
 */
export function tensorsOf(
  { graph, traces }: Pick<ClientMessage & { type: 'run' }, 'graph' | 'traces'>,
  payload: Uint8Array,
): GraphTensors[] {
  const reader = new PayloadReader(payload);
  const tensors = traces
    ? traces.map((trace, at) => readGraph(trace.graph, reader, `traces.${at}.graph`))
    : graph
      ? [readGraph(graph, reader, 'graph')]
      : [];
  reader.end();
  return tensors;
}

function readGraph(graph: Graph, reader: PayloadReader, path: string): GraphTensors {
  const feeds = graph.invokes.map(
    ({ input }, invoke) =>
      new Map(
        feedsOf(input).map(([name, ref]): [string, TensorLike] => [
          name,
          reader.tensor(ref, `${path}.invokes.${invoke}.input.feeds.${name}`),
        ]),
      ),
  );
  const constants = new Map<number, TensorLike>();
  for (const [id, node] of graph.nodes.entries()) {
    if (node.kind === 'constant' && node.tensor)
      constants.set(id, reader.tensor(node.tensor, `${path}.nodes.${id}.tensor`));
  }
  return { constants, feeds };
}
