/**
 * Moves a model's weights into one external file, which every segment maps: weights inside a segment's bytes
 * would be copied for each cut. Small tensors stay in the graph, where the runtime's shape inference sees them.
 */
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { byteLength, elementCount, TracewireError } from '@tracewire/protocol';
import type { ModelProto, TensorProto } from '../onnx/schema.ts';
import { dimsOf, dtypeOf, inlineBytes, isExternal } from '../onnx/tensors.ts';
import { takeTransposes, transposeOf } from './transposes.ts';

export const WEIGHTS_FILE = 'weights.bin';

/** Below this a tensor stays in the graph: shapes, axes and scalars must be seen there. */
const SMALL_BYTES = 1024;
/** Tensors begin at a page, so that the runtime can map them. */
const PAGE = 4096;

/**
 * Writes `weights.bin` into `target` and points the model's initializers at it, transposes of weights among them. `source`
 * has the model's external files.
 */
export async function moveWeights(
  model: ModelProto,
  source: string,
  target: string,
  onTensor: (done: number, total: number) => void,
): Promise<void> {
  const out = await open(path.join(target, WEIGHTS_FILE), 'w');
  const inputs = new Map<string, FileHandle>();
  const wanted = takeTransposes(model);
  const moved: TensorProto[] = [];
  let offset = 0;
  const move = async (tensor: TensorProto): Promise<void> => {
    moved.push(tensor);
    const { raw_data: bytes } = tensor;
    if (!bytes || bytes.byteLength < SMALL_BYTES) return;
    offset = Math.ceil(offset / PAGE) * PAGE;
    await out.write(bytes, 0, bytes.byteLength, offset);
    setExternal(tensor, offset, bytes.byteLength);
    offset += bytes.byteLength;
  };
  try {
    for (const [index, tensor] of model.graph.initializer.entries()) {
      const bytes = isExternal(tensor) ? await externalBytes(tensor, source, inputs) : inlineBytes(tensor);
      checkLength(tensor, bytes);
      setInline(tensor, bytes);
      const transpose = wanted.has(tensor.name) ? transposeOf(tensor) : undefined;
      await move(tensor);
      if (transpose) await move(transpose);
      onTensor(index + 1, model.graph.initializer.length);
    }
    model.graph.initializer = moved;
    await out.sync();
  } finally {
    await out.close();
    for (const input of inputs.values()) await input.close();
  }
}

async function externalBytes(
  tensor: TensorProto,
  source: string,
  open_: Map<string, FileHandle>,
): Promise<Uint8Array> {
  const facts = new Map((tensor.external_data ?? []).map(({ key, value }) => [key, value]));
  const location = facts.get('location') ?? '';
  const file = path.resolve(source, location);
  // A model file must not be able to read whatever else the server can.
  if (location === '' || path.dirname(file) !== path.resolve(source)) {
    throw invalid(tensor, `its data is in ${JSON.stringify(location)}, which is not a file beside the model`);
  }
  let handle = open_.get(file);
  if (!handle) {
    handle = await open(file, 'r').catch(() => {
      throw new TracewireError({
        code: 'model_not_found',
        message: `${file} is missing: it holds the weights of the ONNX file beside it (${tensor.name} for one).`,
        path: file,
      });
    });
    open_.set(file, handle);
  }
  const offset = Number(facts.get('offset') ?? 0);
  const length = Number(facts.get('length') ?? expectedLength(tensor));
  const { size } = await handle.stat();
  if (offset + length > size)
    throw invalid(tensor, `its data ends at byte ${offset + length}, and ${file} has ${size}`);
  const bytes = new Uint8Array(length);
  await handle.read(bytes, 0, length, offset);
  return bytes;
}

/** Bits of the ONNX data types that weights may have and no value can: bfloat16, float8, int4 and float4. */
const STORED_BITS: Readonly<Record<number, number>> = {
  16: 16,
  17: 8,
  18: 8,
  19: 8,
  20: 8,
  21: 4,
  22: 4,
  23: 4,
};

function expectedLength(tensor: TensorProto): number {
  const bits = STORED_BITS[tensor.data_type];
  if (bits !== undefined) return Math.ceil((elementCount(dimsOf(tensor)) * bits) / 8);
  const dtype = dtypeOf(tensor.data_type);
  if (!dtype) throw invalid(tensor, `it has ONNX data type ${tensor.data_type}, which is not supported`);
  return byteLength(dtype, dimsOf(tensor));
}

function checkLength(tensor: TensorProto, bytes: Uint8Array): void {
  const wanted = expectedLength(tensor);
  if (bytes.byteLength !== wanted)
    throw invalid(tensor, `it has ${bytes.byteLength} bytes where its dims want ${wanted}`);
}

function setInline(tensor: TensorProto, bytes: Uint8Array): void {
  for (const field of [
    'float_data',
    'int32_data',
    'int64_data',
    'double_data',
    'uint64_data',
    'external_data',
  ] as const) {
    tensor[field] = [];
  }
  tensor.data_location = 0;
  tensor.raw_data = bytes;
}

function setExternal(tensor: TensorProto, offset: number, length: number): void {
  tensor.raw_data = new Uint8Array();
  tensor.data_location = 1;
  tensor.external_data = [
    { key: 'location', value: WEIGHTS_FILE },
    { key: 'offset', value: String(offset) },
    { key: 'length', value: String(length) },
  ];
}

function invalid(tensor: TensorProto, why: string): TracewireError {
  return new TracewireError({
    code: 'model_invalid',
    message: `The initializer ${tensor.name} can’t be read: ${why}.`,
  });
}
