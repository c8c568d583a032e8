/**
 * Undoes what model builders fuse across modules: a norm that also adds the residual becomes the addition, in the
 * block that it ends, and the norm. The runtime fuses them again where no hook stands between. Builders also name
 * modules otherwise than checkpoints do.
 */
import type { ModelProto, NodeProto } from '../onnx/schema.ts';

const NORMS: Readonly<Record<string, { readonly op_type: string; readonly domain: string }>> = {
  SkipSimplifiedLayerNormalization: { op_type: 'SimplifiedLayerNormalization', domain: '' },
  SkipLayerNormalization: { op_type: 'LayerNormalization', domain: '' },
};

const BUILDER = 'onnxruntime-genai';

export function unfuse(model: ModelProto): void {
  const { graph } = model;
  if (model.producer_name === BUILDER) for (const node of graph.node) node.name = checkpointName(node.name);
  const makers = new Map(graph.node.flatMap((node) => node.output.map((output) => [output, node] as const)));
  graph.node = graph.node.flatMap((node) => splitNorm(node, makers));
}

/** `/model/layers.0/attn/…` and the last norm, which is numbered as if it were a layer. */
function checkpointName(name: string): string {
  return name
    .replace(/^\/model\/layers\.\d+\/final_norm_layernorm\//, '/model/norm/')
    .replace('/attn/', '/self_attn/');
}

function splitNorm(node: NodeProto, makers: ReadonlyMap<string, NodeProto>): NodeProto[] {
  const norm = node.domain === 'com.microsoft' ? NORMS[node.op_type] : undefined;
  const [value = '', skip = '', scale = '', ...more] = node.input;
  // With a bias of the sum as a further input, or statistics as outputs, it stays one node.
  const beta = node.op_type === 'SkipLayerNormalization' ? more[0] : undefined;
  const bias = node.op_type === 'SkipLayerNormalization' ? more[1] : more[0];
  const [output = '', mean, deviation, sum] = node.output;
  if (!norm || bias || mean || deviation) return [node];
  const total = sum || `${output}_sum`;
  const add: NodeProto = {
    name: `${blockOf(makers.get(skip)?.name ?? node.name)}/Add_${total.replaceAll('/', '_')}`,
    op_type: 'Add',
    domain: '',
    input: [value, skip],
    output: [total],
    attribute: [],
  };
  return [add, { ...node, ...norm, input: [total, scale, ...(beta ? [beta] : [])], output: [output] }];
}

/** The name up to the last numbered module in it: `/model/layers.0` of `/model/layers.0/mlp/down_proj/MatMul`. */
function blockOf(name: string): string {
  return /^(.*\/[^/]+\.\d+)\//.exec(name)?.[1] ?? name.slice(0, name.lastIndexOf('/'));
}
