/**
 * Decides whether a run is taken in: everything that its graph, its literals and the model's description tell
 * before anything runs. The client checks most of it too; the server trusts no client.
 */
import {
  type ClientMessage,
  checkTraces,
  type ErrorBody,
  nearest,
  ofTrace,
  type ReadFunction,
  type TraceGraph,
  TracewireError,
  tensorsOf,
  toErrorBody,
  tracesOf,
} from '@tracewire/protocol';
import { batchFaults } from './batch.ts';
import type { KeyBlobs } from './blobs/key-blobs.ts';
import { blobFaults, smallBlob } from './blobs/named-blobs.ts';
import { checkGeneration } from './generation.ts';
import type { ServedModel } from './served-model.ts';
import type { Services } from './services.ts';
import { checkCounts } from './session.ts';

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
  message: Pick<ClientMessage & { type: 'run' }, 'graph' | 'traces' | 'options' | 'model'>,
  payload: Uint8Array,
  { models, limits, functions }: Pick<Services, 'models' | 'limits' | 'functions'>,
  blobs: KeyBlobs,
): readonly ErrorBody[] {
  const { description, index } = findModel(models, message.model);
  const functionOf = (sha256: string): ReadFunction | undefined => functions.of(sha256, blobs);
  const traces = tracesOf(message);
  checkCounts(message, limits, functionOf);
  const ofEach = (of: (trace: TraceGraph, at: number) => readonly ErrorBody[]): ErrorBody[] =>
    traces.flatMap((trace, at) => of(trace, at).map((body) => (message.traces ? ofTrace(body, at) : body)));
  refuse(ofEach((trace) => batchFaults(trace, limits)));
  const tensors = tensorsOf(message, payload);
  const faults = ofEach(({ graph, generate }) => [
    ...checkGeneration(graph, generate, description),
    ...blobFaults(graph, blobs),
  ]);
  const results = checkTraces(traces, index, {
    constant: (trace, node) => {
      const graph = traces[trace]?.graph;
      return tensors[trace]?.constants.get(node) ?? (graph && smallBlob(graph, node, blobs));
    },
    function: functionOf,
    limits,
  });
  refuse([...faults, ...ofEach((_, at) => results[at]?.errors ?? [])]);
  return ofEach((_, at) => results[at]?.warnings ?? []).slice(0, MOST_ERRORS);
}

/** As a message takes. */
const MOST_ERRORS = 100;

function refuse(errors: readonly ErrorBody[]): void {
  if (errors.length > 0) throw new Refusal(errors.slice(0, MOST_ERRORS));
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
