/** A graph of 200 nodes: encoded, decoded and validated, against JSON, which validates nothing. */
import { createHash } from 'node:crypto';
import {
  checkFrame,
  checkGraph,
  clientMessages,
  concat,
  decodeFrame,
  decodeMessage,
  encodeFrame,
  type Graph,
  type GraphNode,
  graphHash,
  type ModelDescription,
  ModelIndex,
  type Place,
} from '@tracewire/protocol';
import { interleave, median, type Timing } from './interleave.ts';
import { printTable, ratio } from './report.ts';

/** Runs in one sample: a sample of one would measure the clock. */
const TIMES = 20;
const LAYERS = 20;
const JSON_BOTH = 'JSON.stringify + JSON.parse';
const OURS = 'encode + decode + validate';

export async function benchGraph(rounds: number): Promise<void> {
  const graph = patching();
  const message = { type: 'run', run: '0123456789abcdef0123456789abcdef', model: 'gpt2', graph } as const;
  const header = message as unknown as Parameters<typeof encodeFrame>[0];
  const bytes = concat(encodeFrame(header));
  const frame = decodeFrame(bytes);
  const text = JSON.stringify(message);
  const index = new ModelIndex(description());
  const { errors } = checkGraph(graph, index);
  if (errors.length > 0) throw new Error(JSON.stringify(errors));

  const timings = await interleave(
    {
      [JSON_BOTH]: times(() => JSON.parse(JSON.stringify(message))),
      [OURS]: times(() => decodeMessage(clientMessages, concat(encodeFrame(header)))),
      '  of which encode': times(() => concat(encodeFrame(header))),
      '  of which decode (scan, unpack)': times(() => decodeFrame(bytes)),
      '  of which validate (schema)': times(() => checkFrame(clientMessages, frame)),
      'checked against the model (operators, dtypes, places)': times(() => checkGraph(graph, index)),
      'hashed (3.4), SHA-256 in JavaScript': times(() => graphHash(graph, noConstant)),
      'hashed (3.4), Node’s SHA-256': times(() => graphHash(graph, noConstant, nodeSha256)),
    },
    rounds,
    { warmUp: 10 },
  );
  const each = new Map(
    [...timings].map(([name, { samples }]): [string, Timing] => [
      name,
      { name, samples: samples.map((milliseconds) => milliseconds / TIMES) },
    ]),
  );
  const title = `a graph of ${graph.nodes.length} nodes: ${bytes.byteLength} bytes, as JSON ${text.length}`;
  printTable(title, each, JSON_BOTH, 'JSON');
  const ours = each.get(OURS);
  const verdict = ours && median(ours) < 2 ? 'yes' : 'NO';
  console.log(`  under 2 ms: ${verdict}; ${ratio(each, OURS, JSON_BOTH).toFixed(1)} times JSON\n`);
}

function times(run: () => unknown): () => Promise<void> {
  return async () => {
    for (let count = 0; count < TIMES; count++) run();
  };
}

/** Reads each block of a model, scales it, writes it back, and saves norms: ten nodes a block. */
function patching(): Graph {
  const nodes: GraphNode[] = [];
  const add = (node: GraphNode): number => nodes.push(node) - 1;
  const operator = (operator: string, ...inputs: number[]): number =>
    add({ kind: 'operator', operator, inputs });
  for (let layer = 0; layer < LAYERS; layer++) {
    const place: Place = { module: `transformer.h.${layer}`, port: 'output', member: 0 };
    const hidden = add({ kind: 'read', place });
    const weight = add({ kind: 'parameter', name: `transformer.h.${layer}.ln_1.weight` });
    const scaled = operator('Mul', hidden, weight);
    const difference = operator('Sub', scaled, hidden);
    add({ kind: 'write', place, value: scaled, selection: [0, { start: -1 }] });
    const soft = add({
      kind: 'operator',
      operator: 'Softmax',
      inputs: [difference],
      attributes: { axis: -1 },
    });
    add({ kind: 'save', value: soft });
    const after = add({ kind: 'read', place: { ...place, member: 0 } });
    const norm = add({
      kind: 'operator',
      operator: 'ReduceL2',
      inputs: [after],
      attributes: { keepdims: 0 },
    });
    add({ kind: 'save', value: norm });
  }
  return { invokes: [{ input: { text: 'The Eiffel Tower is in the city of' } }], nodes };
}

function description(): ModelDescription {
  const layers = Array.from({ length: LAYERS }, (_, layer) => `transformer.h.${layer}`);
  const port = { name: 'hidden', dtype: 'float32', dims: ['batch', 'sequence', 768] } as const;
  return {
    name: 'gpt2',
    id: 'sha256:0',
    architecture: 'GPT2LMHeadModel',
    exporter: 'other',
    opset: 21,
    blocks: layers,
    modules: layers.map((path, order) => ({
      path,
      order: { output: order },
      inputs: [],
      outputs: [port, port, port],
    })),
    parameters: layers.map((path) => ({ name: `${path}.ln_1.weight`, dtype: 'float32', dims: [768] })),
  };
}

function nodeSha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

function noConstant(): never {
  throw new Error('The graph has no constants.');
}
