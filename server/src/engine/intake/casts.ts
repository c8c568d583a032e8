/**
 * Takes out casts that change nothing. Hugging Face's RMS norm begins with a cast to float32, of what is float32
 * already in most exports, and the exporter then lets the residual branch read the cast's result too: a value made
 * inside the norm would stand for the block's hidden states, and writing the norm's input would change more than the norm.
 */
import type { ModelProto } from '../onnx/schema.ts';
import type { ValueType } from '../runtime/runtime.ts';

/** Changes `model` and `types`: consumers of such a cast read what it read. Graph outputs keep their names. */
export function removeIdleCasts(model: ModelProto, types: Map<string, ValueType>): void {
  const outputs = new Set(model.graph.output.map(({ name }) => name));
  const sources = new Map<string, string>();
  model.graph.node = model.graph.node.filter((node) => {
    node.input = node.input.map((name) => sources.get(name) ?? name);
    const [input = '', output = ''] = [node.input[0], node.output[0]];
    const before = types.get(input)?.dtype;
    const idle = node.op_type === 'Cast' && before !== undefined && before === types.get(output)?.dtype;
    if (!idle || outputs.has(output)) return true;
    sources.set(output, input);
    types.delete(output);
    return false;
  });
}
