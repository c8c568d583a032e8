/** ONNX Runtime with something put between the engine and its segments. */
import { onnxRuntime } from '../runtime/ort.ts';
import type { Runtime, RuntimeOptions, Segment } from '../runtime/runtime.ts';

/** `run` stands for each segment's own, which it is given. */
export const wrappedRuntime =
  (run: (own: Segment['run'], ...args: Parameters<Segment['run']>) => ReturnType<Segment['run']>) =>
  (options: RuntimeOptions): Runtime => {
    const runtime = onnxRuntime(options);
    return {
      ...runtime,
      createSegment: async (model, how) => {
        const segment = await runtime.createSegment(model, how);
        return {
          release: () => segment.release(),
          run: (feeds, fetches) => run((...args) => segment.run(...args), feeds, fetches),
        };
      },
    };
  };
