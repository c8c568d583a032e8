/**
 * Brings an exported graph into the form that the engine cuts: constants are initializers, copies of
 * initializers are the initializer itself, and what the engine can't cut is refused by name.
 */
import { TracewireError } from '@tracewire/protocol';
import {
  type AttributeProto,
  decodeModel,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  toNumber,
} from '../onnx/schema.ts';
import { toInitializer } from '../onnx/tensors.ts';
import { quantizeInside } from './quantize.ts';
import { unfuse } from './unfuse.ts';

/** Decodes and normalizes the bytes of an ONNX file. Throws `model_invalid` or `model_unsupported`. */
export function normalizeModel(bytes: Uint8Array, file: string): ModelProto {
  const model = decode(bytes, file);
  refuseUnsupported(model, file);
  unfuse(model);
  const initializers = new Map(model.graph.initializer.map((tensor) => [tensor.name, tensor]));
  const aliases = new Map<string, string>();
  const nodes: NodeProto[] = [];
  for (const node of model.graph.node) {
    node.input = node.input.map((name) => aliases.get(name) ?? name);
    const output = node.output[0] ?? '';
    const source = node.input[0] ?? '';
    if (node.op_type === 'Constant') initializers.set(output, constantOf(node, output, file));
    else if (node.op_type === 'Identity' && initializers.has(source) && !isGraphOutput(model, output))
      aliases.set(output, source);
    else nodes.push(node);
  }
  model.graph.node = quantizeInside(nodes);
  model.graph.initializer = [...initializers.values()];
  // Old exporters list initializers among the inputs too; a feed is what has no initializer.
  model.graph.input = model.graph.input.filter((input) => !initializers.has(input.name));
  return model;
}

function decode(bytes: Uint8Array, file: string): ModelProto {
  try {
    const model = decodeModel(bytes);
    if (model.graph && model.graph.node.length > 0 && model.graph.output.length > 0)
      return model as ModelProto;
    throw new Error('it has no graph');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new TracewireError({
      code: 'model_invalid',
      message: `${file} is not a whole ONNX file (${why}). Was it cut off while copying? ${bytes.byteLength} bytes were read.`,
      path: file,
    });
  }
}

function refuseUnsupported(model: ModelProto, file: string): void {
  const refuse = (what: string): never => {
    throw new TracewireError({ code: 'model_unsupported', message: `${file}: ${what}`, path: file });
  };
  if ((model.graph.sparse_initializer?.length ?? 0) > 0) refuse('sparse initializers are not supported.');
  for (const node of model.graph.node) {
    if (node.attribute.some((attribute) => attribute.g || (attribute.graphs?.length ?? 0) > 0)) {
      refuse(
        `node ${node.name} (${node.op_type}) has a subgraph; control flow is not supported. Export without merging decoders.`,
      );
    }
  }
  const opset = model.opset_import.find(({ domain }) => domain === '' || domain === 'ai.onnx');
  if (!opset) refuse('it names no ai.onnx operator set.');
}

function isGraphOutput(model: ModelProto, name: string): boolean {
  return model.graph.output.some((output) => output.name === name);
}

function constantOf(node: NodeProto, name: string, file: string): TensorProto {
  const attribute = node.attribute[0];
  const tensor = attribute && constantTensor(attribute, name);
  if (tensor) return tensor;
  throw new TracewireError({
    code: 'model_unsupported',
    message: `${file}: the Constant node ${node.name} has a value of a kind that is not supported.`,
    path: file,
  });
}

function constantTensor(attribute: AttributeProto, name: string): TensorProto | undefined {
  switch (attribute.name) {
    case 'value':
      return attribute.t && { ...attribute.t, name };
    case 'value_float':
      return toInitializer(name, { dtype: 'float32', dims: [], data: Float32Array.of(attribute.f ?? 0) });
    case 'value_floats': {
      const data = Float32Array.from(attribute.floats ?? []);
      return toInitializer(name, { dtype: 'float32', dims: [data.length], data });
    }
    case 'value_int':
      return toInitializer(name, {
        dtype: 'int64',
        dims: [],
        data: BigInt64Array.of(BigInt(toNumber(attribute.i ?? 0))),
      });
    case 'value_ints': {
      const data = BigInt64Array.from(attribute.ints ?? [], (value) => BigInt(toNumber(value)));
      return toInitializer(name, { dtype: 'int64', dims: [data.length], data });
    }
    default:
      return undefined;
  }
}
