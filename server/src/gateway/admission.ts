/**
 * Decides whether a run is taken in: everything that its graph, its literals and the model's description tell
 * before anything runs. The client checks most of it too; the server trusts no client.
 */
import {
  type ClientMessage,
  checkGraph,
  type ErrorBody,
  type Graph,
  type Limits,
  nearest,
  readGraphTensors,
  TracewireError,
  toErrorBody,
} from '@tracewire/protocol';
import { checkBatch } from './batch.ts';
import { checkGeneration } from './generation.ts';
import type { ServedModel } from './served-model.ts';

/** A refusal with all its errors; a single one is a `TracewireError`. */
export class Refusal extends Error {
  readonly errors: readonly ErrorBody[];

  constructor(errors: readonly ErrorBody[]) {
    super(errors.map((error) => error.message).join(' '));
    this.errors = errors;
  }
}

export function errorsOf(thrown: unknown): ErrorBody[] {
  return thrown instanceof Refusal ? [...thrown.errors] : [toErrorBody(thrown)];
}

/** The run's warnings. Throws a `Refusal` or a `TracewireError`. */
export function checkRun(
  { graph, options }: ClientMessage & { type: 'run' },
  payload: Uint8Array,
  model: ServedModel,
  limits: Limits,
): readonly ErrorBody[] {
  checkNodes(graph, limits.nodes);
  checkBatch(graph, limits);
  const { constants } = readGraphTensors(graph, payload);
  const faults = checkGeneration(graph, options?.generate, model.description);
  const { errors, warnings } = checkGraph(graph, model.index, {
    constant: (node) => constants.get(node),
    limits,
    generates: options?.generate !== undefined,
  });
  if (faults.length + errors.length > 0) throw new Refusal([...faults, ...errors].slice(0, 100));
  return warnings;
}

/** The model of that name. Throws `unknown_model`. */
export function findModel(models: ReadonlyMap<string, ServedModel>, name: string): ServedModel {
  const model = models.get(name);
  if (model) return model;
  const near = nearest(name, models.keys());
  const hint = near === undefined ? `It has ${[...models.keys()].join(', ')}.` : `Did you mean ${near}?`;
  throw new TracewireError({
    code: 'unknown_model',
    message: `This server has no model ${JSON.stringify(name)}. ${hint}`,
    nearest: near,
  });
}

function checkNodes({ nodes }: Graph, most: number): void {
  if (nodes.length <= most) return;
  throw new TracewireError({
    code: 'bad_message',
    message: `The graph has ${nodes.length} nodes; this server takes at most ${most}.`,
    path: 'graph.nodes',
    wanted: `at most ${most} nodes`,
    got: String(nodes.length),
  });
}
