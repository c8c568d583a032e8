/**
 * Takes nodes out that give on what they take: casts to the dtype that a value has, `Identity`, `Dropout`. Exporters
 * share them between modules: Hugging Face's RMS norm begins with a cast to float32, and the residual reads its result too,
 * so a value made inside the norm would stand for the block's hidden states.
 */
import type { ModelProto, NodeProto } from '../onnx/schema.ts';
import type { ValueType } from '../runtime/runtime.ts';

/** Changes `model` and `types`: consumers of such a node read what it read. Graph outputs keep their names. */
export function dropCopies(model: ModelProto, types: Map<string, ValueType>): void {
  const given = new Set(model.graph.output.map((output) => output.name));
  const sources = new Map<string, string>();
  const nodes: NodeProto[] = [];
  for (const node of model.graph.node) {
    node.input = node.input.map((value) => sources.get(value) ?? value);
    const [source = ''] = node.input;
    const [output = ''] = node.output;
    if (isCopy(node, types) && types.has(source) && !given.has(output)) {
      sources.set(output, source);
      types.delete(output);
    } else nodes.push(node);
  }
  model.graph.node = nodes;
}

function isCopy(
  { op_type, input, output, domain }: NodeProto,
  types: ReadonlyMap<string, ValueType>,
): boolean {
  if (domain !== undefined && domain !== '' && domain !== 'ai.onnx') return false;
  if (op_type === 'Identity') return true;
  if (op_type === 'Dropout') return output.filter((value) => value !== '').length === 1;
  return op_type === 'Cast' && types.get(input[0] ?? '')?.dtype === types.get(output[0] ?? '')?.dtype;
}
