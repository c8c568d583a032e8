/** Whether ONNX Runtime's CUDA libraries are here: the npm package comes without them. Nothing is loaded to find out. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { TracewireError } from '@tracewire/protocol';

const INSTALL =
  'Install it with: ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node. It needs CUDA 12 and cuDNN 9.';

/** The folder of onnxruntime-node's native libraries for this machine. */
export function runtimeFolder(): string {
  const resolve = createRequire(import.meta.url).resolve;
  return join(
    dirname(resolve('onnxruntime-node/package.json')),
    'bin/napi-v6',
    process.platform,
    process.arch,
  );
}

/** What keeps the provider `cuda` from working, as far as files tell. */
export function cudaFault(folder = runtimeFolder()): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return `ONNX Runtime has no CUDA library for ${process.platform} ${process.arch} on npm; it has one for linux x64.`;
  }
  const file = join(folder, 'libonnxruntime_providers_cuda.so');
  return existsSync(file) ? undefined : `ONNX Runtime’s CUDA library is not here: ${file}. ${INSTALL}`;
}

/** Throws `bad_configuration` where the provider can't work. */
export function mustHaveProvider(provider: 'cpu' | 'cuda'): void {
  const fault = provider === 'cuda' ? cudaFault() : undefined;
  if (fault === undefined) return;
  throw new TracewireError({
    code: 'bad_configuration',
    message: `--provider cuda: ${fault} Or serve with --provider cpu.`,
  });
}
