/** The model unsplit, in bare ONNX Runtime, every hook point's value an output: what the engine must give of the same file. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Dtype, type ModelDescription, Tensor } from '@tracewire/client';
import * as ort from 'onnxruntime-node';
import { decodeModel, encodeModel, type ModelProto } from '../../server/src/engine/onnx/schema.ts';

/** The values by name, as far as the file has them: what the intake made anew has no counterpart. */
export async function runWhole(
  folder: string,
  { modules, feeds = [] }: ModelDescription,
  given: Readonly<Record<string, Tensor>>,
): Promise<Map<string, Tensor>> {
  const model = decodeModel(readFileSync(path.join(folder, 'model.onnx'))) as ModelProto;
  const made = new Set(model.graph.node.flatMap((node) => node.output));
  const names = new Set(modules.flatMap(({ outputs }) => outputs.slice(0, 1).map(({ name }) => name)));
  const fetched = [...names].filter((name) => made.has(name));
  model.graph.output = fetched.map((name) => ({ name }));
  // A converter may leave the dtypes of before it.
  model.graph.value_info = [];
  const session = await ort.InferenceSession.create(encodeModel(model), {
    graphOptimizationLevel: 'basic',
    logSeverityLevel: 4,
    extra: { session: { model_external_initializers_file_folder_path: folder } },
  });
  const sequence = given['input_ids']?.dims.at(-1) ?? 1;
  const inputs = feeds.map(({ name, dtype, dims }): [string, ort.Tensor] => {
    const tensor = given[name] ?? defaultFeed(name, dtype, dims, sequence);
    return [name, new ort.Tensor(tensor.dtype, tensor.data as ort.Tensor.DataType, tensor.dims)];
  });
  try {
    const outputs = await session.run(Object.fromEntries(inputs), fetched);
    return new Map(
      Object.entries(outputs).map(([name, { type, dims, data }]) => [
        name,
        new Tensor(type as Dtype, dims, data as Float32Array),
      ]),
    );
  } finally {
    await session.release();
  }
}

/** Ones for the mask, positions from 0, all else zeros, no past. */
function defaultFeed(
  name: string,
  dtype: Dtype,
  dims: readonly (number | string)[],
  sequence: number,
): Tensor {
  const sizes = new Map([
    ['batch', 1],
    ['sequence', sequence],
    ['past + sequence', sequence],
    ['past', 0],
  ]);
  const sized = dims.map((dim) => (typeof dim === 'number' ? dim : (sizes.get(dim) ?? 0)));
  const count = sized.reduce((a, b) => a * b, 1);
  const value =
    name === 'attention_mask' ? () => 1 : name === 'position_ids' ? (index: number) => index : () => 0;
  if (dtype === 'int64')
    return new Tensor(
      dtype,
      sized,
      BigInt64Array.from({ length: count }, (_, index) => BigInt(value(index))),
    );
  if (dtype === 'int32')
    return new Tensor(
      dtype,
      sized,
      Int32Array.from({ length: count }, (_, index) => value(index)),
    );
  return new Tensor(dtype, sized, dtype === 'float16' ? new Uint16Array(count) : new Float32Array(count));
}
