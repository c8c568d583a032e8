import { describe, expect, it } from 'vitest';
import type { ModelProto, NodeProto } from '../onnx/schema.ts';
import type { ValueType } from '../runtime/runtime.ts';
import { dropCopies } from './copies.ts';

const node = (op_type: string, input: string[], output: string): NodeProto => ({
  name: `/block/${output}`,
  op_type,
  domain: '',
  input,
  output: [output],
  attribute: [],
});

/** A residual block as TorchScript exports it: the sum reads the norm's cast in place of the hidden states. */
function block(castTo: ValueType['dtype'], outputs = ['sum']) {
  const model: ModelProto = {
    ir_version: 10,
    opset_import: [{ domain: '', version: 18 }],
    functions: [],
    graph: {
      name: 'block',
      node: [
        node('Cast', ['hidden'], 'cast'),
        node('Mul', ['cast', 'weight'], 'normed'),
        node('Add', ['cast', 'normed'], 'sum'),
      ],
      initializer: [],
      input: [{ name: 'hidden' }],
      output: outputs.map((name) => ({ name })),
    },
  };
  const types = new Map<string, ValueType>([
    ['hidden', { dtype: 'float32', dims: ['batch', 4] }],
    ['cast', { dtype: castTo, dims: ['batch', 4] }],
    ['normed', { dtype: castTo, dims: ['batch', 4] }],
    ['sum', { dtype: castTo, dims: ['batch', 4] }],
  ]);
  dropCopies(model, types);
  return { nodes: model.graph.node.map(({ op_type, input }) => [op_type, ...input]), types };
}

describe('casts that change nothing', () => {
  it('are taken out, so that the residual branch reads the hidden states themselves', () => {
    const { nodes, types } = block('float32');
    expect(nodes).toEqual([
      ['Mul', 'hidden', 'weight'],
      ['Add', 'hidden', 'normed'],
    ]);
    expect([...types.keys()]).toEqual(['hidden', 'normed', 'sum']);
  });

  it('stay where they change the dtype', () => {
    expect(block('float16').nodes[0]).toEqual(['Cast', 'hidden']);
  });

  it('stay where they make an output of the model', () => {
    expect(block('float32', ['sum', 'cast']).nodes[0]).toEqual(['Cast', 'hidden']);
  });
});
