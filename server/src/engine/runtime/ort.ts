/** ONNX Runtime behind the engine's interface; the only file that knows onnxruntime-node. */
import '../../no-telemetry.ts';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { DTYPES, type Dtype, type TensorData, type TensorLike, TracewireError } from '@tracewire/protocol';
import * as ort from 'onnxruntime-node';
import type { Runtime, RuntimeOptions, Segment } from './runtime.ts';

/** Makes the runtime. Throws nothing: a missing provider shows when the first segment is made. */
export function onnxRuntime(options: RuntimeOptions): Runtime {
  const session: ort.InferenceSession.SessionOptions = {
    executionProviders: options.provider === 'cuda' ? ['cuda', 'cpu'] : ['cpu'],
    executionMode: 'sequential',
    // Failures are thrown; the runtime's own lines on stderr would only say them twice.
    logSeverityLevel: 4,
    ...(options.threads > 0 ? { intraOpNumThreads: options.threads } : {}),
    extra: {
      session: {
        // Idle sessions' threads would otherwise spin and fight the running one for the cores.
        force_spinning_stop: '1',
        model_external_initializers_file_folder_path: options.weightsFolder,
      },
    },
  };
  return {
    facts: {
      name: 'onnxruntime-node',
      version: ort.env.versions.node ?? 'unknown',
      provider: options.provider,
      interruptible: false,
    },
    async createSegment(model, { optimize = true } = {}) {
      const graphOptimizationLevel = optimize ? 'all' : 'disabled';
      return new OrtSegment(await create(model, { ...session, graphOptimizationLevel }));
    },
    ...(options.provider === 'cpu'
      ? { packWeights: (model, folder, name) => packWeights(session, model, folder, name) }
      : {}),
  };
}

/** What the library is, and which providers it was built for; their own libraries may be missing. */
export function runtimeFacts(): { readonly version: string; readonly providers: readonly string[] } {
  return {
    version: ort.env.versions.node ?? 'unknown',
    providers: ort.listSupportedBackends().map(({ name }) => name),
  };
}

/** Says what to do about a provider that isn't there; any other failure stays as it is. */
async function create(
  model: Uint8Array,
  options: ort.InferenceSession.SessionOptions,
): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(model, options);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const isProviders = /providers_cuda|CUDA_PATH|cudnn|cublas|libcud|no CUDA-capable device/i.test(message);
    if (!isProviders) throw error;
    throw new TracewireError({
      code: 'bad_configuration',
      message: `--provider cuda: ONNX Runtime can’t use the GPU: ${message.slice(0, 1000)} It needs CUDA 12, cuDNN 9 and a driver; or serve with --provider cpu.`,
    });
  }
}

/** Making a session writes the file; the session itself isn't wanted. */
async function packWeights(
  options: ort.InferenceSession.SessionOptions,
  model: Uint8Array,
  folder: string,
  name: string,
): Promise<Uint8Array> {
  const optimizedModelFilePath = path.join(folder, 'optimized.onnx');
  const packing = await ort.InferenceSession.create(model, {
    ...options,
    graphOptimizationLevel: 'all',
    optimizedModelFilePath,
    extra: {
      session: {
        ...(options.extra?.['session'] as object),
        save_external_prepacked_constant_initializers: '1',
        optimized_model_external_initializers_file_name: name,
        optimized_model_external_initializers_min_size_in_bytes: '1024',
      },
    },
  });
  await packing.release();
  const optimized = await readFile(optimizedModelFilePath);
  await rm(optimizedModelFilePath);
  return optimized;
}

class OrtSegment implements Segment {
  readonly #session: ort.InferenceSession;

  constructor(session: ort.InferenceSession) {
    this.#session = session;
  }

  async run(feeds: ReadonlyMap<string, TensorLike>, fetches: readonly string[]) {
    const inputs: Record<string, ort.Tensor> = {};
    for (const [name, tensor] of feeds) inputs[name] = toOrt(tensor);
    const outputs = await this.#session.run(inputs, fetches);
    return new Map(Object.entries(outputs).map(([name, tensor]) => [name, fromOrt(tensor)]));
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

function toOrt({ dtype, data, dims }: TensorLike): ort.Tensor {
  return new ort.Tensor(dtype, data as ort.Tensor.DataType, dims);
}

function fromOrt(tensor: ort.OnnxValue): TensorLike {
  if (!Object.hasOwn(DTYPES, tensor.type))
    throw new Error(`The runtime gave a value of type ${tensor.type}.`);
  return { dtype: tensor.type as Dtype, dims: tensor.dims, data: tensor.data as TensorData };
}
