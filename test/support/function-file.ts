/** ONNX files of functions for tests, by the project's own protobuf schema. */
import { encodeModel, type ModelProto, type NodeProto } from '../../server/src/engine/onnx/schema.ts';
import { toInitializer, toValueInfo } from '../../server/src/engine/onnx/tensors.ts';

type Dims = readonly (number | string)[];

/** A tensor of a function: float32 unless it has int64 elements. */
export interface Weight {
  readonly dims: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

export interface FunctionParts {
  readonly inputs: Readonly<Record<string, Dims>>;
  readonly outputs: Readonly<Record<string, Dims>>;
  readonly weights?: Readonly<Record<string, Weight>>;
  readonly nodes: readonly Partial<NodeProto>[];
}

/** A node. */
export const op = (
  op_type: string,
  input: readonly string[],
  output: readonly string[],
  attribute: NodeProto['attribute'] = [],
): NodeProto => ({ name: '', op_type, input: [...input], output: [...output], attribute });

export function functionModel({ inputs, outputs, weights = {}, nodes }: FunctionParts): ModelProto {
  const ports = (some: Readonly<Record<string, Dims>>) =>
    Object.entries(some).map(([name, dims]) => toValueInfo(name, 'float32', dims));
  return {
    ir_version: 10,
    opset_import: [{ domain: '', version: 21 }],
    functions: [],
    graph: {
      name: 'function',
      node: nodes.map((node) => ({ ...op('', [], []), ...node })),
      initializer: Object.entries(weights).map(([name, { dims, data }]) =>
        toInitializer(name, { dtype: data instanceof Float32Array ? 'float32' : 'int64', dims, data }),
      ),
      input: ports(inputs),
      output: ports(outputs),
    },
  };
}

export const functionBytes = (parts: FunctionParts): Uint8Array => encodeModel(functionModel(parts));
