import { describe, expect, it } from 'vitest';
import { ModelGraph } from '../onnx/graph.ts';
import type { AttributeProto, ModelProto, NodeProto } from '../onnx/schema.ts';
import { ATTRIBUTE_TYPE, decodeModel, encodeModel } from '../onnx/schema.ts';
import { toValueInfo } from '../onnx/tensors.ts';
import { onnxRuntime } from '../runtime/ort.ts';
import type { ValueType } from '../runtime/runtime.ts';
import { loadEngine, TINY_GPT2, TINY_LLAMA } from '../testing/models.ts';
import { probeTypes } from './probe.ts';

const ints = (name: string, ...ints: number[]): AttributeProto => ({ name, type: ATTRIBUTE_TYPE.ints, ints });
const int = (name: string, i: number): AttributeProto => ({ name, type: ATTRIBUTE_TYPE.int, i });

type Node = [name: string, op: string, inputs: string[], ...AttributeProto[]];

/** A model of ids and a mask, each node's output named as the node. */
async function probe(...nodes: Node[]) {
  const node = nodes.map(
    ([name, op_type, input, ...attribute]): NodeProto => ({
      name,
      op_type,
      input,
      output: [name],
      attribute,
    }),
  );
  const feeds = ['input_ids', 'attention_mask'].map((name) =>
    toValueInfo(name, 'int64', ['batch', 'sequence']),
  );
  const bytes = encodeModel({
    ir_version: 8,
    opset_import: [{ domain: '', version: 13 }],
    functions: [],
    graph: { name: 'toy', node, initializer: [], input: feeds, output: [{ name: nodes.at(-1)?.[0] ?? '' }] },
  });
  const runtime = onnxRuntime({ provider: 'cpu', threads: 1, weightsFolder: '.' });
  return probeTypes(new ModelGraph(decodeModel(bytes) as ModelProto), runtime, {});
}

const mixedOf = (types: ReadonlyMap<string, ValueType>): string[] =>
  [...types].flatMap(([name, { mixed }]) => (mixed ? [name] : []));

const X: Node = ['x', 'Cast', ['input_ids'], int('to', 1)];
const ALONG_TOKENS = [ints('axes', 1), int('keepdims', 1)];

describe('a batch mixes', () => {
  it('what is taken of all rows, and what comes of it', async () => {
    const types = await probe(
      X,
      ['largest', 'ReduceMax', ['x'], ints('axes', 0), int('keepdims', 1)],
      ['scale', 'ReduceMean', ['x']],
      ['scaled', 'Div', ['x', 'scale']],
      ['shape', 'Shape', ['x']],
      ['own', 'ReduceMax', ['x'], ...ALONG_TOKENS],
      ['out', 'Mul', ['own', 'largest']],
    );
    expect(mixedOf(types)).toEqual(['largest', 'scale', 'scaled', 'shape', 'out']);
  });

  it('what sees the padding, where no mask keeps it away', async () => {
    const types = await probe(
      X,
      ['mask', 'Cast', ['attention_mask'], int('to', 1)],
      ['mean', 'ReduceMean', ['x'], ...ALONG_TOKENS],
      ['masked', 'Mul', ['x', 'mask']],
      ['share', 'ReduceMean', ['masked'], ...ALONG_TOKENS],
      ['own', 'ReduceMean', ['mask'], ...ALONG_TOKENS],
      ['out', 'Div', ['share', 'own']],
    );
    expect(mixedOf(types)).toEqual(['mean', 'share', 'own']);
  });

  it('rows folded into one axis, until they are unfolded', async () => {
    const types = await probe(
      X,
      ['rows', 'Flatten', ['x'], int('axis', 2)],
      ['negative', 'Neg', ['rows']],
      ['shape', 'Shape', ['x']],
      ['out', 'Reshape', ['negative', 'shape']],
    );
    expect(types.get('rows')?.dims).toEqual(['batch * sequence', 1]);
    expect(mixedOf(types)).toEqual(['rows', 'negative', 'shape']);
  });
});

it('no module of the fixtures gives or takes what a batch mixes', async () => {
  for (const folder of [TINY_GPT2, TINY_LLAMA]) {
    const engine = await loadEngine(folder);
    const ports = engine.description.modules.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]);
    expect(ports.filter(({ mixed }) => mixed)).toEqual([]);
    expect(ports.length).toBeGreaterThan(50);
    await engine.release();
  }
});
