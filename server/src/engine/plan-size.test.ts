/** Graphs as large as a server takes, of the forms that took planning minutes: the test's own time limit is the bound. */
import type { Graph, GraphNode, Place } from '@tracewire/protocol';
import { beforeAll, expect, it } from 'vitest';
import { prepareModel } from './intake/prepare.ts';
import { assembleModel, type Model } from './model.ts';
import { type Moment, planRun } from './plan.ts';
import { onnxRuntime } from './runtime/ort.ts';
import { CACHE, TINY_GPT2 } from './testing/models.ts';

let model: Model;
beforeAll(async () => {
  const runtimeIn = (weightsFolder: string) => onnxRuntime({ provider: 'cpu', threads: 1, weightsFolder });
  const prepared = await prepareModel(TINY_GPT2, CACHE, runtimeIn, () => undefined);
  model = await assembleModel('tiny-gpt2', prepared, undefined);
});

const output = (module: string): Place => ({ module, port: 'output' });
/** Of the 10 000 nodes that a gateway takes. */
const PAIRS = 4999;

function momentsOf(nodes: readonly GraphNode[]): Moment[] {
  const graph: Graph = { invokes: [{ input: { ids: [1] } }], nodes };
  return planRun(graph, model, 1).steps.filter((step) => step.kind === 'moment');
}

it('plans thousands of writes and reads of one place, each read of the write before it', () => {
  const place = output('transformer.h.1.ln_1');
  const nodes: GraphNode[] = [{ kind: 'read', place }];
  for (let pair = 0; pair < PAIRS; pair++) {
    nodes.push({ kind: 'write', place, value: 2 * pair }, { kind: 'read', place });
  }
  nodes.push({ kind: 'save', value: nodes.length - 1 });
  const moments = momentsOf(nodes);
  const writes = moments.flatMap(({ writes }) => writes);
  expect(writes).toHaveLength(PAIRS);
  for (const { node, before, of } of writes) expect(before).toBe(node === 1 ? of : `${of}@${node - 2}`);
  for (const { node, keys } of moments.flatMap(({ reads }) => reads)) {
    expect(keys).toEqual([node === 0 ? writes[0]?.of : `${writes[0]?.of}@${node - 1}`]);
  }
}, 20_000);

it('plans thousands of writes at every module, in the order of the model', () => {
  const modules = model.description.modules.filter(
    ({ path, outputs, order }) => path !== '' && outputs.length === 1 && order.output !== undefined,
  );
  const nodes: GraphNode[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    const place = output(modules[Math.floor((pair / PAIRS) * modules.length)]?.path ?? '');
    nodes.push({ kind: 'read', place }, { kind: 'write', place, value: 2 * pair });
  }
  nodes.push({ kind: 'read', place: output('lm_head') }, { kind: 'save', value: nodes.length });
  const writes = momentsOf(nodes).flatMap(({ writes }) => writes);
  expect(writes).toHaveLength(PAIRS);
  const ranks = writes.map(({ place }) => model.rank(place));
  expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
}, 20_000);
