/**
 * Dynamic quantization makes a value's integers once for all that use it, in nobody's module. Here each module
 * that uses them makes its own, of the same bits, so that what flows into a module is the value itself.
 */
import type { NodeProto } from '../onnx/schema.ts';

export function quantizeInside(nodes: readonly NodeProto[]): NodeProto[] {
  const shared = new Map<string, NodeProto>();
  for (const node of nodes) {
    if (node.op_type === 'DynamicQuantizeLinear') for (const output of node.output) shared.set(output, node);
  }
  if (shared.size === 0) return [...nodes];
  const made = new Map<string, NodeProto>();
  return nodes.flatMap((node) => {
    if (node.op_type === 'DynamicQuantizeLinear') return [];
    const before: NodeProto[] = [];
    node.input = node.input.map((value) => {
      const original = shared.get(value);
      if (!original) return value;
      const key = `${scopeKey(node)} ${original.output[0]}`;
      const known = made.get(key);
      const own = known ?? copyFor(node, original, made.size);
      if (!known) before.push(own);
      made.set(key, own);
      return own.output[original.output.indexOf(value)] ?? value;
    });
    return [...before, node];
  });
}

/** Nodes of one module have one name up to the last slash, or the same scopes in their metadata but for the last. */
function scopeKey({ name, metadata_props }: NodeProto): string {
  const scopes = metadata_props?.find(({ key }) => key === 'pkg.torch.onnx.name_scopes')?.value;
  return scopes?.replace(/,[^,]*$/, '') ?? name.slice(0, name.lastIndexOf('/') + 1);
}

function copyFor(user: NodeProto, original: NodeProto, index: number): NodeProto {
  return {
    ...original,
    name: `${user.name}_DynamicQuantizeLinear`,
    input: original.input,
    output: original.output.map((value) => `${value}_${index}`),
    attribute: original.attribute,
    ...(user.metadata_props ? { metadata_props: user.metadata_props } : {}),
  };
}
