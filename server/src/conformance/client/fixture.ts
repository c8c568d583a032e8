/** The small made-up model of the scripted server, and what a client must print of it. */
import { createHash } from 'node:crypto';
import {
  bytesOf,
  DTYPE_NAMES,
  isTuple,
  type ModelDescription,
  type TensorLike,
  type Value,
} from '@tracewire/protocol';
import { tensorOf } from '../tensors.ts';

export const MODEL = 'demo';

const port = (name: string, dtype: TensorLike['dtype'], dims: readonly (number | string)[]) => ({
  name,
  dtype,
  dims,
});
const FLOWING = ['batch', 'sequence', 'width'];

/** Every dtype, then a tensor without elements, then a scalar. */
const MIXED: readonly TensorLike[] = [
  ...DTYPE_NAMES.map((dtype) => tensorOf(dtype, [3], [0, 1, 1])),
  tensorOf('float32', [2, 0], []),
  tensorOf('int64', [], [-7]),
];

export const DESCRIPTION: ModelDescription = {
  name: MODEL,
  id: `sha256:${'0'.repeat(64)}`,
  architecture: 'Demo',
  exporter: 'other',
  opset: 21,
  contextLength: 1024,
  vocabularySize: 16,
  endOfText: [7],
  blocks: ['h.0', 'h.1'],
  modules: [
    {
      path: 'h.0',
      order: { input: 0, output: 1 },
      inputs: [port('x', 'float32', FLOWING)],
      outputs: [port('y', 'float32', FLOWING)],
    },
    {
      path: 'mix',
      order: { output: 2 },
      inputs: [],
      outputs: MIXED.map(({ dtype, dims }, index) => port(`m${index}`, dtype, dims)),
    },
    {
      path: 'h.1',
      order: { input: 3, output: 4 },
      inputs: [port('y', 'float32', FLOWING)],
      outputs: [port('z', 'float32', FLOWING)],
    },
  ],
  parameters: [{ name: 'h.0.weight', dtype: 'float32', dims: [4, 4] }],
};

/** What a module gives. */
export function valueOfModule(path: string): Value {
  if (path === 'mix') return MIXED;
  return path === 'h.0'
    ? tensorOf('float32', [1, 2, 4], [1, 2, 3, 4, -1, -2, -4, 0.5])
    : tensorOf('float32', [1, 2, 4], new Array(8).fill(9));
}

/** What the function y = x + x makes of 1, 2, 3. */
export function doubled(): TensorLike {
  return tensorOf('float32', [3], [2, 4, 6]);
}

/** A value for `h.0` of that many bytes. */
export function bigValue(bytes: number): TensorLike {
  const numbers = Array.from({ length: bytes / 4 }, (_, index) => index % 4096);
  return tensorOf('float32', [1, 1, numbers.length], numbers);
}

/** A log's text and value as a client prints them. */
export function logged(text: string, value: Value): object {
  return { log: text, ...printed(value) };
}

/** A value as a client prints it. */
export function printed(value: Value): object {
  if (isTuple(value)) return { tuple: value.map(printed) };
  const sha256 = createHash('sha256').update(bytesOf(value.data)).digest('hex');
  return { dtype: value.dtype, dims: value.dims, sha256 };
}
