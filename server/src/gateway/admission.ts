/**
 * Decides whether a run is taken in: everything that its graph, its literals and the model's description tell
 * before anything runs. The client checks most of it too; the server trusts no client.
 */
import {
  type ClientMessage,
  checkGraph,
  type ErrorBody,
  type Graph,
  nearest,
  type ReadFunction,
  readGraphTensors,
  TracewireError,
  toErrorBody,
} from '@tracewire/protocol';
import { checkBatch } from './batch.ts';
import type { KeyBlobs } from './blobs/key-blobs.ts';
import { blobFaults, smallBlob } from './blobs/named-blobs.ts';
import { checkGeneration } from './generation.ts';
import type { ServedModel } from './served-model.ts';
import type { Services } from './services.ts';

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
  { graph, options, model: name }: Pick<ClientMessage & { type: 'run' }, 'graph' | 'options' | 'model'>,
  payload: Uint8Array,
  { models, limits, functions }: Pick<Services, 'models' | 'limits' | 'functions'>,
  blobs: KeyBlobs,
): readonly ErrorBody[] {
  const model = findModel(models, name);
  const functionOf = (sha256: string): ReadFunction | undefined => functions.of(sha256, blobs);
  checkNodes(graph, limits.nodes, functionOf);
  checkBatch(graph, limits);
  const { constants } = readGraphTensors(graph, payload);
  const faults = [
    ...checkGeneration(graph, options?.generate, model.description),
    ...blobFaults(graph, blobs),
  ];
  const { errors, warnings } = checkGraph(graph, model.index, {
    constant: (node) => constants.get(node) ?? smallBlob(graph, node, blobs),
    function: functionOf,
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

/** A call counts as what its function holds. */
function checkNodes(
  { nodes }: Graph,
  most: number,
  functionOf: (sha256: string) => ReadFunction | undefined,
): void {
  let count = nodes.length;
  for (const node of nodes.length <= most ? nodes : [])
    if (node.kind === 'call') count += functionOf(node.function)?.body?.nodes.length ?? 0;
  if (count <= most) return;
  const inside = count > nodes.length ? `, those of its functions among them` : '';
  throw new TracewireError({
    code: 'bad_message',
    message: `The graph has ${count} nodes${inside}; this server takes at most ${most}.`,
    path: 'graph.nodes',
    wanted: `at most ${most} nodes`,
    got: String(count),
  });
}
