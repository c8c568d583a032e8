/** Sections 3.3 and 3.5: dims that are checked, memory that is counted, numbers that are not numbers, random ones. */
import { readFileSync } from 'node:fs';
import {
  type AttributeValue,
  DTYPE_NAMES,
  DTYPES,
  type Dtype,
  ModelIndex,
  OPERATORS,
} from '@tracewire/protocol';
import type { ConformanceCase } from '../cases.ts';
import { faulty } from '../faulty.ts';
import { check, mustEqual, NotApplicable } from '../mismatch.ts';
import { outputOf } from '../model-facts.ts';
import { Sketch } from '../sketch.ts';
import { mustBeClose, numbersOf, oneTensor } from '../tensors.ts';

const ints = (sketch: Sketch, ...numbers: number[]): number =>
  sketch.constant('int64', [numbers.length], numbers);
const zeros = (sketch: Sketch, ...dims: number[]): number =>
  sketch.constant('float32', dims, new Array(dims.reduce((count, dim) => count * dim, 1)).fill(0));

/** Dims that don't go together, each found before anything runs. */
const MISFITS: readonly (readonly [
  operator: string,
  inputs: (sketch: Sketch) => number[],
  attributes?: Readonly<Record<string, AttributeValue>>,
])[] = [
  ['Add', (s) => [zeros(s, 2), zeros(s, 3)]],
  ['MatMul', (s) => [zeros(s, 2, 3), zeros(s, 2, 3)]],
  ['Gemm', (s) => [zeros(s, 2, 3), zeros(s, 2, 3)]],
  ['Einsum', (s) => [zeros(s, 2, 3), zeros(s, 2, 3)], { equation: 'ij,jk->ik' }],
  ['Concat', (s) => [zeros(s, 2, 3), zeros(s, 3, 3)], { axis: 1 }],
  ['Reshape', (s) => [zeros(s, 2, 3), ints(s, 4, 2)]],
  ['Expand', (s) => [zeros(s, 2, 3), ints(s, 2, 4)]],
  ['Squeeze', (s) => [zeros(s, 2, 3), ints(s, 0)]],
  ['ReduceSum', (s) => [zeros(s, 2, 3), ints(s, 2)]],
  ['TopK', (s) => [zeros(s, 3), ints(s, 4)]],
  ['Gather', (s) => [zeros(s, 3), ints(s, 3)]],
  ['GatherElements', (s) => [zeros(s, 2, 3), ints(s, 0)]],
  ['ScatterND', (s) => [zeros(s, 3), s.constant('int64', [1, 1], [0]), zeros(s, 2)]],
  ['LayerNormalization', (s) => [zeros(s, 2, 3), zeros(s, 2)]],
];

const misfitCases = MISFITS.map(([operator, inputs, attributes]) =>
  faulty(
    `error-dims-${operator}`,
    ['R-252'],
    `${operator} of dims that don’t go together`,
    'wrong_dims',
    (sketch) => sketch.operator(operator, inputs(sketch), attributes),
  ),
);

/** `[count]` ones, how many only known when they are counted. */
function onesOfUnknown(sketch: Sketch, count: number): number {
  const dims = sketch.operator('Add', [ints(sketch, count), ints(sketch, 0)]);
  return sketch.operator('Expand', [sketch.constant('float32', [], [1]), dims]);
}

const SHAPES: readonly ConformanceCase[] = [
  ...misfitCases,
  faulty('error-axis', ['R-253'], 'an attribute that names no axis', 'bad_attribute', (sketch) =>
    sketch.operator('Softmax', [zeros(sketch, 2, 3)], { axis: 2 }),
  ),
  faulty('error-9-axes', ['R-255'], 'a result of nine axes', 'wrong_dims', (sketch) =>
    sketch.operator('Unsqueeze', [zeros(sketch, 1, 1, 1, 1, 1, 1, 1, 1), ints(sketch, 0)]),
  ),
  {
    id: 'error-dims-write',
    requirements: ['R-252', 'R-157'],
    shows: 'a written value whose dims can’t be the place’s is refused before anything runs',
    run: async ({ open, model }) => {
      const place = outputOf(model.early);
      const [port] = model.early.outputs;
      if (!port || port.dims.length === 0) throw new NotApplicable('the description has no dims there');
      const sketch = new Sketch({ ids: model.ids });
      sketch.write(place, sketch.constant(port.dtype, [], [1]));
      sketch.saveRead(place);
      await (await open()).run(sketch.request).refusedWith('wrong_dims');
    },
  },
  {
    id: 'unsupported-dtype',
    requirements: ['R-251'],
    shows: 'a dtype that the description excepts is refused as wrong_dtype',
    run: async ({ open, model }) => {
      const index = new ModelIndex(model.description);
      const lacking = Object.keys(OPERATORS)
        .filter((operator) => OPERATORS[operator]?.inputs.length === 1 && !OPERATORS[operator]?.required)
        .flatMap((operator) => DTYPE_NAMES.map((dtype): [string, Dtype] => [operator, dtype]))
        .find(([operator, dtype]) => index.lacks(operator, dtype));
      if (!lacking) throw new NotApplicable('the description excepts nothing');
      const sketch = new Sketch({ ids: model.ids });
      sketch.save(sketch.operator(lacking[0], [sketch.constant(lacking[1], [1, 1], [1])]));
      await (await open()).run(sketch.request).refusedWith('wrong_dtype');
    },
  },
];

/** Operators that make much of little, each asked for one number more than the limit. */
const BOMBS: readonly (readonly [operator: string, make: (sketch: Sketch, count: number) => number])[] = [
  ['Expand', (s, count) => s.operator('Expand', [zeros(s, 1), ints(s, count)])],
  ['Tile', (s, count) => s.operator('Tile', [zeros(s, 1), ints(s, count)])],
  [
    'Range',
    (s, count) =>
      s.operator(
        'Range',
        [0, count, 1].map((number) => s.constant('int64', [], [number])),
      ),
  ],
  ['Pad', (s, count) => s.operator('Pad', [zeros(s, 1), ints(s, 0, count)])],
  [
    'OneHot',
    (s, count) =>
      s.operator('OneHot', [
        ints(s, 0),
        s.constant('int64', [], [count]),
        s.constant('float32', [2], [0, 1]),
      ]),
  ],
  ['RandomNormal', (s, count) => s.operator('RandomNormal', [], { shape: [count] })],
  [
    'Add',
    (s, count) => {
      const side = Math.ceil(Math.sqrt(count)) + 1;
      const row = s.operator('Expand', [zeros(s, 1), ints(s, side)]);
      return s.operator('Add', [row, s.operator('Unsqueeze', [row, ints(s, 1)])]);
    },
  ],
];

const bombCases = BOMBS.map(
  ([operator, make]): ConformanceCase => ({
    id: `memory-${operator}`,
    requirements: ['R-254'],
    shows: `${operator} of more than limits.intermediateBytes is refused as too_much_memory`,
    run: async ({ open, model }) => {
      const peer = await open();
      const { intermediateBytes } = peer.limits;
      if (intermediateBytes === undefined) throw new NotApplicable('there is no limits.intermediateBytes');
      const count = Math.floor(intermediateBytes / 4) + 1;
      if (count >= 2 ** 31) throw new NotApplicable('the limit is above what one axis holds');
      const sketch = new Sketch({ ids: model.ids });
      sketch.save(make(sketch, count));
      await peer.run(sketch.request).refusedWith('too_much_memory');
      await peer.mustGoOn();
    },
  }),
);

const MEMORY: readonly ConformanceCase[] = [
  ...bombCases,
  {
    id: 'memory-when-run',
    requirements: ['R-254'],
    shows: 'a result that only the run sizes is not made either: its saves are `failed`, the run completes',
    run: async ({ open, model }) => {
      const peer = await open();
      const { intermediateBytes } = peer.limits;
      if (intermediateBytes === undefined) throw new NotApplicable('there is no limits.intermediateBytes');
      const sketch = new Sketch({ ids: model.ids });
      const big = sketch.save(onesOfUnknown(sketch, Math.floor(intermediateBytes / 4) + 1));
      const small = sketch.save(onesOfUnknown(sketch, 3));
      const view = peer.run(sketch.request);
      await view.ended('completed');
      mustEqual('the cause', view.accessError(big, 'failed').cause?.code, 'too_much_memory');
      mustEqual('the dims of the small one', oneTensor(view.value(small)).dims, [3]);
    },
  },
  {
    id: 'too-large-warning',
    requirements: ['R-260'],
    shows: 'a save that is certainly past limits.savedBytes is a warning too_large of the first status',
    run: async ({ open, model }) => {
      const peer = await open();
      const { savedBytes, intermediateBytes = Number.POSITIVE_INFINITY } = peer.limits;
      if (savedBytes + 4 > intermediateBytes || savedBytes > 300 * 1024 * 1024)
        throw new NotApplicable('the limits leave no such value');
      const sketch = new Sketch({ ids: model.ids });
      const save = sketch.save(
        sketch.operator('Expand', [zeros(sketch, 1), ints(sketch, savedBytes / 4 + 1)]),
      );
      const view = peer.run(sketch.request);
      await view.ended('completed');
      const warnings = view.statuses
        .flatMap(({ warnings = [] }) => warnings)
        .map(({ code, node }) => [code, node]);
      mustEqual('the warnings', warnings, [['too_large', save]]);
      view.accessError(save, 'too_large');
    },
  },
];

const NUMBERS: readonly ConformanceCase[] = [
  {
    id: 'not-numbers',
    requirements: ['R-256'],
    shows: 'NaN and infinities go through operators as IEEE 754 says',
    run: async ({ open, model }) => {
      const sketch = new Sketch({ ids: model.ids });
      const odd = sketch.constant(
        'float32',
        [3],
        [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
      );
      const zero = sketch.constant('float32', [], [0]);
      const saves = ['Add', 'Mul', 'Max'].map((operator) =>
        sketch.save(sketch.operator(operator, [odd, zero])),
      );
      const view = (await open()).run(sketch.request);
      await view.ended('completed');
      const wanted = [
        [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
        [Number.NaN, Number.NaN, Number.NaN],
        [Number.NaN, Number.POSITIVE_INFINITY, 0],
      ];
      for (const [at, save] of saves.entries()) {
        const got = numbersOf(oneTensor(view.value(save)));
        check(
          got.every((number, index) => Object.is(number, wanted[at]?.[index])),
          `${wanted[at]}`,
          () => `${got}`,
        );
      }
    },
  },
  {
    id: 'integer-division-by-zero',
    requirements: ['R-257'],
    shows: 'an integer divided by 0 fails that operation, and nothing else',
    run: async ({ open, model }) => {
      const index = new ModelIndex(model.description);
      const peer = await open();
      for (const dtype of ['int32', 'int64', 'uint8'] as const) {
        for (const operator of ['Div', 'Mod'].filter((name) => !index.lacks(name, dtype))) {
          const sketch = new Sketch({ ids: model.ids });
          const one = sketch.constant(dtype, [2], [1, 2]);
          const wrong = sketch.save(sketch.operator(operator, [one, sketch.operator('Sub', [one, one])]));
          const good = sketch.save(sketch.operator('Add', [one, one]));
          const view = peer.run(sketch.request);
          await view.ended('completed');
          view.accessError(wrong, 'failed');
          view.value(good);
        }
      }
      const [least] = [-(2 ** (DTYPES.int32.size * 8 - 1))];
      const sketch = new Sketch({ ids: model.ids });
      const by = sketch.constant('int32', [1], [-1]);
      const wrong = sketch.save(sketch.operator('Div', [sketch.constant('int32', [1], [least]), by]));
      const view = peer.run(sketch.request);
      await view.ended('completed');
      view.accessError(wrong, 'failed');
    },
  },
];

interface Draw {
  readonly operator: string;
  readonly inputs: readonly (readonly [Dtype, readonly number[], readonly number[]])[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly outputs: readonly (readonly [Dtype, readonly number[], readonly number[]])[];
}

const file = new URL('../../../conformance/random.json', import.meta.url);
const DRAWS = JSON.parse(readFileSync(file, 'utf8')) as readonly Draw[];

/** Operators with a case of what they draw; a test compares it with the protocol's list. */
export const RANDOM_SHOWN: readonly string[] = [...new Set(DRAWS.map(({ operator }) => operator))];

const RANDOM: readonly ConformanceCase[] = [
  ...RANDOM_SHOWN.map(
    (operator): ConformanceCase => ({
      id: `random-${operator}`,
      requirements: ['R-258', 'R-169'],
      shows: `${operator} draws the numbers of its seed`,
      run: async ({ open, model }) => {
        const draws = DRAWS.filter((draw) => draw.operator === operator);
        const sketch = new Sketch({ ids: model.ids });
        const saves = draws.map(({ inputs, attributes }) =>
          sketch.save(
            sketch.operator(
              operator,
              inputs.map((input) => sketch.constant(...input)),
              attributes,
            ),
          ),
        );
        const view = (await open()).run(sketch.request);
        await view.ended('completed');
        for (const [at, { outputs }] of draws.entries()) {
          const tensor = oneTensor(view.value(saves[at] ?? -1));
          const [dtype, dims, numbers] = outputs[0] ?? ['float32', [], []];
          mustEqual('dtype and dims', [tensor.dtype, tensor.dims], [dtype, dims]);
          mustBeClose('the numbers', numbersOf(tensor), numbers, 1e-6);
        }
      },
    }),
  ),
  {
    id: 'random-unseeded',
    requirements: ['R-259'],
    shows: 'without a seed each operator draws other numbers, in each run',
    run: async ({ open, model }) => {
      const peer = await open();
      const seen = new Set<string>();
      for (let run = 0; run < 2; run++) {
        const sketch = new Sketch({ ids: model.ids });
        const saves = [0, 1].map(() => sketch.save(sketch.operator('RandomNormal', [], { shape: [4] })));
        const view = peer.run(sketch.request);
        await view.ended('completed');
        for (const save of saves) seen.add(numbersOf(oneTensor(view.value(save))).join());
      }
      mustEqual('different draws', seen.size, 4);
    },
  },
];

export const OPERATOR_RESULTS: readonly ConformanceCase[] = [...SHAPES, ...MEMORY, ...NUMBERS, ...RANDOM];
