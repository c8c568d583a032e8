/**
 * Takes nodes out that give on what they take: casts to the dtype that a value has, `Identity`, `Dropout`. Exporters
 * share them between modules, so that a residual would pass through the norm beside it.
 */
import type { ModelProto, NodeProto } from '../onnx/schema.ts';
import type { ValueType } from '../runtime/runtime.ts';

export function dropCopies(model: ModelProto, types: ReadonlyMap<string, ValueType>): void {
  const given = new Set(model.graph.output.map((output) => output.name));
  const sources = new Map<string, string>();
  const nodes: NodeProto[] = [];
  for (const node of model.graph.node) {
    node.input = node.input.map((value) => sources.get(value) ?? value);
    const [source = ''] = node.input;
    const [output = ''] = node.output;
    if (isCopy(node, types) && types.has(source) && !given.has(output)) sources.set(output, source);
    else nodes.push(node);
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
