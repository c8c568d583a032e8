/** More than one pass (PROTOCOL.md, section 6.2): what it takes to ask for that, and what refuses it. */
import {
  type ErrorBody,
  type Generate,
  type Graph,
  generateFaults,
  type ModelDescription,
  type TraceGraph,
} from '@tracewire/protocol';
import type { FieldsOfTrace } from './session.ts';

/** The first field of a run that only the capability `generation` allows. */
export function generationField({ graph, generate }: TraceGraph, at: FieldsOfTrace): string | undefined {
  return generate === undefined ? stepsField(graph, at.graph) : at.generate;
}

/** The field of a run that only the capability `batch_generation` allows. */
export function batchedField({ graph, generate }: TraceGraph, at: string): string | undefined {
  return generate && graph.invokes.length > 1 ? `${at}.invokes` : undefined;
}

export function checkGeneration(
  graph: Graph,
  generate: Generate | undefined,
  description: ModelDescription,
): ErrorBody[] {
  if (generate) return generateFaults(graph, generate, description);
  const path = stepsField(graph, 'graph');
  if (path === undefined) return [];
  const message = `${path}: a run without options.generate is one pass, and has no steps.`;
  return [{ code: 'bad_message', message, path, wanted: 'options.generate' }];
}

function stepsField({ nodes }: Graph, at: string): string | undefined {
  const id = nodes.findIndex((node) => 'place' in node && node.place.steps !== undefined);
  return id < 0 ? undefined : `${at}.nodes.${id}.place.steps`;
}
