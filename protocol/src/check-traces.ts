/** Several traces in one run (PROTOCOL.md, section 6.3): each is checked as one alone is, and what it takes of those before it. */
import { type CheckResult, GraphChecker, type Known } from './check.ts';
import type { ErrorBody } from './errors.ts';
import type { TraceGraph } from './generate.ts';
import type { ClientMessage } from './messages.ts';
import type { ModelIndex } from './model-index.ts';
import type { TensorLike } from './tensor.ts';

/** The traces of a `run` message: of one pass or generation, one. */
export function tracesOf({
  graph,
  traces,
  options,
}: Pick<ClientMessage & { type: 'run' }, 'graph' | 'traces' | 'options'>): readonly TraceGraph[] {
  if (traces) return traces;
  return graph ? [{ graph, generate: options?.generate }] : [];
}

/** An error of one trace as one of a run of several: it names the trace, and its fields are those of the message. */
export function ofTrace(body: ErrorBody, trace: number): ErrorBody {
  const isField = body.node === undefined && /^(graph|options\.generate)(\.|$)/.test(body.path ?? '');
  const path = isField ? `traces.${trace}.${body.path?.replace(/^options\./, '')}` : body.path;
  return { ...body, trace, ...(path === undefined ? {} : { path }) };
}

/** As `Known`, for all of them. */
export interface KnownOfTraces extends Pick<Known, 'limits' | 'function'> {
  readonly constant?: ((trace: number, node: number) => TensorLike | undefined) | undefined;
}

/** What is wrong with each. */
export function checkTraces(
  traces: readonly TraceGraph[],
  index: ModelIndex,
  known: KnownOfTraces = {},
): CheckResult[] {
  const checkers: GraphChecker[] = [];
  for (const [trace, { graph, generate }] of traces.entries()) {
    const checker = new GraphChecker(index, {
      ...known,
      constant: (node) => known.constant?.(trace, node),
      generates: generate !== undefined,
      earlier: [...checkers],
    });
    checker.graph(graph);
    checkers.push(checker);
  }
  // What a later one uses is known only now.
  return checkers.map((checker, trace) => checker.finish(traces[trace]?.graph.invokes.length ?? 1));
}
