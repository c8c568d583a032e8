/** Section 1.3: constants of every dtype come back as they went; a payload that breaks the layout is refused. */
import { DTYPE_NAMES, DTYPES, type Dtype, type TensorRef } from '@tracewire/protocol';
import type { CaseContext, ConformanceCase } from '../cases.ts';
import { check, mustEqual } from '../mismatch.ts';
import { frame } from '../pack.ts';
import { newRunId } from '../peer.ts';
import { Sketch } from '../sketch.ts';
import { numbersOf, oneTensor } from '../tensors.ts';

/** A constant, sent and saved, comes back. */
const roundTrip = (
  id: string,
  requirements: readonly string[],
  dtype: Dtype,
  dims: readonly number[],
  numbers: readonly number[],
): ConformanceCase => ({
  id,
  requirements: [...requirements, 'R-068', 'R-141', 'R-149'],
  shows: `a constant ${dtype} [${dims.join(', ')}] comes back as it went`,
  run: async ({ open, model }) => {
    const peer = await open();
    const sketch = new Sketch({ ids: model.ids });
    const save = sketch.save(sketch.constant(dtype, dims, numbers));
    const run = peer.run(sketch.request);
    await run.ended('completed');
    const tensor = oneTensor(run.value(save));
    mustEqual('the dtype', tensor.dtype, dtype);
    mustEqual('the dims', tensor.dims, dims);
    mustEqual('the numbers', numbersOf(tensor), numbers);
  },
});

const NUMBERS: Readonly<Record<'bool' | 'int' | 'uint' | 'float', readonly number[]>> = {
  bool: [0, 1, 1],
  int: [-128, 0, 127],
  uint: [0, 1, 255],
  float: [-1.5, 0.25, 1024],
};

interface Broken {
  readonly tensors: readonly TensorRef[];
  readonly payload: Uint8Array;
}

/** A run whose constants or payload are wrong gets `bad_message`, and has no status. */
const refused = (id: string, requirement: string, shows: string, broken: Broken): ConformanceCase => ({
  id,
  requirements: [requirement, 'R-045', 'R-088'],
  shows: `${shows} is a bad_message`,
  run: (context) => mustRefuse(context, broken),
});

async function mustRefuse({ open, model }: CaseContext, { tensors, payload }: Broken): Promise<void> {
  const peer = await open();
  const nodes = tensors.map((tensor) => ({ kind: 'constant', tensor }) as const);
  const saves = tensors.map((_, value) => ({ kind: 'save', value }) as const);
  const graph = { invokes: [{ input: { ids: model.ids } }], nodes: [...nodes, ...saves] };
  const run = newRunId();
  const view = peer.follow(run, graph);
  peer.wire.send(frame({ type: 'run', run, model: model.name, graph }, payload));
  await view.refusedWith('bad_message');
  await peer.mustGoOn();
}

const ref = (offset: number, length: number, over: Partial<TensorRef> = {}): TensorRef => ({
  dtype: 'float32',
  dims: [length / 4],
  offset,
  length,
  ...over,
});

const one = (tensor: unknown, bytes: number, fill = 0): Broken => ({
  tensors: [tensor as TensorRef],
  payload: new Uint8Array(bytes).fill(fill),
});

const two = (first: TensorRef, second: TensorRef, payload: Uint8Array): Broken => ({
  tensors: [first, second],
  payload,
});

function withByte(length: number, at: number): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes[at] = 1;
  return bytes;
}

export const PAYLOADS: readonly ConformanceCase[] = [
  ...DTYPE_NAMES.map((dtype) => {
    const numbers = NUMBERS[DTYPES[dtype].kind];
    const requirements = dtype === 'bool' ? ['R-033', 'R-034'] : ['R-034'];
    return roundTrip(`constant-${dtype}`, ['R-029', ...requirements], dtype, [numbers.length], numbers);
  }),
  roundTrip('constant-scalar', ['R-030'], 'float32', [], [2.5]),
  roundTrip('constant-empty', ['R-030'], 'float32', [2, 0, 3], []),
  roundTrip('constant-8-axes', ['R-030'], 'int32', [1, 1, 2, 1, 1, 1, 1, 1], [1, 2]),
  {
    id: 'constants-layout',
    requirements: ['R-035', 'R-036', 'R-037', 'R-068'],
    shows: 'constants of odd sizes and of none lie one after the other, each at a multiple of 8',
    run: async ({ open, model }) => {
      const peer = await open();
      const sketch = new Sketch({ ids: model.ids });
      const constants = [
        sketch.constant('uint8', [3], [1, 2, 3]),
        sketch.constant('float32', [0], []),
        sketch.constant('int16', [5], [1, 2, 3, 4, 5]),
        sketch.constant('float64', [1], [0.5]),
      ];
      const saves = constants.map((constant) => sketch.save(constant));
      const run = peer.run(sketch.request);
      await run.ended('completed');
      mustEqual(
        'the values',
        saves.map((save) => numbersOf(oneTensor(run.value(save)))),
        [[1, 2, 3], [], [1, 2, 3, 4, 5], [0.5]],
      );
    },
  },
  refused('tensor-dtype', 'R-029', 'a dtype that there isn’t', one({ ...ref(0, 8), dtype: 'bfloat16' }, 8)),
  refused(
    'tensor-9-axes',
    'R-030',
    'a tensor of 9 axes',
    one(ref(0, 4, { dims: [1, 1, 1, 1, 1, 1, 1, 1, 1] }), 4),
  ),
  refused('tensor-dim-2-31', 'R-030', 'an axis of 2^31', one(ref(0, 0, { dims: [2 ** 31, 0] }), 0)),
  refused('tensor-dim-negative', 'R-030', 'a negative axis', one(ref(0, 4, { dims: [-1] }), 4)),
  refused('tensor-offset-unaligned', 'R-031', 'an offset that is no multiple of 8', one(ref(4, 8), 12)),
  refused(
    'tensor-length-wrong',
    'R-032',
    'a length that is not that of the dims',
    one(ref(0, 8, { dims: [3] }), 8),
  ),
  refused(
    'tensor-dims-overflow',
    'R-032',
    'dims whose product overflows',
    one(ref(0, 0, { dims: [2 ** 30, 2 ** 30, 2 ** 30] }), 0),
  ),
  refused('tensor-beyond', 'R-037', 'a tensor that runs past the payload', one(ref(0, 16), 8)),
  refused('payload-longer', 'R-037', 'a payload that goes on after the last tensor', one(ref(0, 8), 16)),
  refused(
    'payload-overlap',
    'R-035',
    'two tensors at one place',
    two(ref(0, 8), ref(0, 8), new Uint8Array(8)),
  ),
  refused(
    'payload-gap',
    'R-035',
    'a gap of 8 bytes between two tensors',
    two(ref(0, 8), ref(16, 8), new Uint8Array(24)),
  ),
  refused(
    'payload-order',
    'R-035',
    'tensors in another order than their nodes',
    two(ref(8, 8), ref(0, 8), new Uint8Array(16)),
  ),
  refused(
    'payload-gap-not-zero',
    'R-036',
    'a byte between tensors that is not 0',
    two(ref(0, 4), ref(8, 4), withByte(12, 5)),
  ),
  refused('bool-2', 'R-033', 'a bool of 2', one({ dtype: 'bool', dims: [3], offset: 0, length: 3 }, 3, 2)),
  {
    id: 'row-major',
    requirements: ['R-034'],
    shows: 'a matrix lies row by row',
    run: async ({ open, model }) => {
      const peer = await open();
      const sketch = new Sketch({ ids: model.ids });
      const matrix = sketch.constant('float32', [2, 3], [1, 2, 3, 4, 5, 6]);
      const save = sketch.save(sketch.operator('Transpose', [matrix]));
      const run = peer.run(sketch.request);
      await run.ended('completed');
      const turned = oneTensor(run.value(save));
      check(numbersOf(turned).join() === '1,4,2,5,3,6', '[1, 4, 2, 5, 3, 6]', () =>
        numbersOf(turned).join(', '),
      );
    },
  },
];
