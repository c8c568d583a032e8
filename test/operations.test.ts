/** The client's operations by the names people know, through the engine, against numbers that are known by hand or NumPy's. */
import { concat, einsum, LanguageModel, stack, type Trace, type TracedValue, where } from '@tracewire/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let model: LanguageModel;
beforeAll(() => {
  model = new LanguageModel('tiny-gpt2', { remote: false });
});
afterAll(() => model.close());

type Operation = (x: TracedValue, m: Trace) => TracedValue;

const X = [
  [1, 2, 3],
  [4, 6, 8],
];

/** What each gives of X, as dims and numbers. */
const OPERATIONS: readonly (readonly [string, Operation, readonly number[], readonly number[]])[] = [
  ['var, as PyTorch', (x) => x.var(), [], [6.8]],
  ['var over an axis, as NumPy', (x) => x.var(-1, true, 0), [2, 1], [2 / 3, 8 / 3]],
  ['std', (x) => x.std(1), [2], [1, 2]],
  ['norm', (x) => x.norm(0), [3], [Math.sqrt(17), Math.sqrt(40), Math.sqrt(73)]],
  ['norm of p 1', (x) => x.neg().norm(1, false, 1), [2], [6, 18]],
  ['prod', (x) => x.prod(1), [2], [6, 192]],
  ['logSumExp', (x) => x.logSumExp(1), [2], [3.4076059, 8.1429316]],
  ['cumsum', (x) => x.cumsum(), [2, 3], [1, 3, 6, 4, 10, 18]],
  ['sort', (x) => x.sort(0, true).values, [2, 3], [4, 6, 8, 1, 2, 3]],
  ['argsort', (x) => x.argsort(-1, true), [2, 3], [2, 1, 0, 2, 1, 0]],
  ['flip', (x) => x.flip(0, 1), [2, 3], [8, 6, 4, 3, 2, 1]],
  ['repeat', (x) => x.slice(0).repeat(2), [6], [1, 2, 3, 1, 2, 3]],
  ['expand', (x) => x.slice(0, [0, 1]).expand(2, 3), [2, 3], [1, 1, 1, 1, 1, 1]],
  ['pad', (x) => x.slice(0).pad([1, 2], 9), [6], [9, 1, 2, 3, 9, 9]],
  ['flatten', (x) => x.flatten(0), [1, 6], [1, 2, 3, 4, 6, 8]],
  ['split', (x) => x.split(2, 1)[1], [2, 1], [3, 8]],
  ['tril', (x) => x.tril(), [2, 3], [1, 0, 0, 4, 6, 0]],
  ['triu', (x) => x.triu(1), [2, 3], [0, 2, 3, 0, 0, 8]],
  ['gather', (x) => x.gather([[2], [0]]), [2, 1], [3, 4]],
  ['scatter', (x) => x.scatter([[2], [0]], [[9], [7]]), [2, 3], [1, 2, 9, 7, 6, 8]],
  ['scatter that adds', (x) => x.scatter([[2], [0]], [[9], [7]], -1, 'add'), [2, 3], [1, 2, 12, 11, 6, 8]],
  ['compress', (x) => x.compress([true, false, true], 1), [2, 2], [1, 3, 4, 8]],
  ['nonzero', (x) => x.gt(3).nonzero(), [2, 3], [1, 1, 1, 0, 1, 2]],
  ['unique', (x) => x.mod(2).unique().counts, [2], [4, 2]],
  ['oneHot', (x) => x.argmax().oneHot(3), [2, 3], [0, 0, 1, 0, 0, 1]],
  ['clamp', (x) => x.clamp(2, 6), [2, 3], [2, 2, 3, 4, 6, 6]],
  ['clamp above', (x) => x.clamp(undefined, 3), [2, 3], [1, 2, 3, 3, 3, 3]],
  ['maskedFill', (x) => x.maskedFill(x.gt(3), 0), [2, 3], [1, 2, 3, 0, 0, 0]],
  ['mod of floats', (x) => x.neg().mod(4), [2, 3], [-1, -2, -3, -0, -2, -0]],
  ['square', (x) => x.square().sum(), [], [130]],
  ['silu', (x) => x.slice(0).silu(), [3], [0.7310586, 1.7615942, 2.8577224]],
  ['gelu', (x) => x.slice(0).gelu(), [3], [0.8413447, 1.9544997, 2.9959502]],
  ['gelu by tanh', (x) => x.slice(0).gelu('tanh'), [3], [0.8411919, 1.9545977, 2.9963627]],
  ['threshold', (x) => x.threshold(2), [2, 3], [0, 0, 3, 4, 6, 8]],
  ['normalize', (x) => x.normalize().norm(-1), [2], [1, 1]],
  ['cosineSimilarity', (x) => x.cosineSimilarity([[1, 2, 3]]), [2], [1, 40 / Math.sqrt(14 * 116)]],
  ['layerNorm', (x) => x.layerNorm(undefined, undefined, 0).slice(0), [3], [-1.2247449, 0, 1.2247449]],
  [
    'layerNorm with weights',
    (x) => x.layerNorm([1, 2, 3], [1, 1, 1], 0).slice(1),
    [3],
    [-0.2247449, 1, 4.6742346],
  ],
  ['rmsNorm', (x) => x.rmsNorm([1, 1, 2], 0).slice(0), [3], [0.46291, 0.9258201, 2.7774603]],
  ['einsum', (x) => x.einsum('ij,kj->ik', x), [2, 2], [14, 40, 40, 116]],
  ['einsum, free', (x) => einsum('ij->j', x), [3], [5, 8, 11]],
  ['stack', (x) => stack([x.slice(0), x.slice(1)], 1), [3, 2], [1, 4, 2, 6, 3, 8]],
  ['concat', (x) => concat([x, x.slice([0, 1])], 0).sum(1), [3], [6, 18, 6]],
  ['where', (x) => where(x.lt(3), x, 0), [2, 3], [1, 2, 0, 0, 0, 0]],
  ['castLike', (x) => x.argmax().castLike(x), [2], [2, 2]],
  ['bernoulli of certainties', (x) => x.gt(3).cast('float32').bernoulli(), [2, 3], [0, 0, 0, 1, 1, 1]],
  [
    'random, seeded',
    (x) => x.randomUniformLike({ seed: 0 }).slice(0),
    [3],
    [0.3990465, 0.7357128, 0.9722412],
  ],
  ['random, normal', (x) => x.randomNormalLike({ seed: 1 }).slice(0, [0, 2]), [2], [-1.8045567, -1.0783519]],
  ['op', (x) => x.op('Elu', [], { alpha: 2 }).sum(), [], [24]],
  ['logSoftmax', (x) => x.slice(0).logSoftmax(), [3], [-2.4076059, -1.4076059, -0.4076059]],
  ['argmin', (x) => x.neg().argmin(), [2], [2, 2]],
  ['argmin, kept', (x) => x.argmin(0, true), [1, 3], [0, 0, 0]],
  ['min', (x) => x.min(0, true), [1, 3], [1, 2, 3]],
  ['erf', (x) => x.slice(0).mul([-1, 0, 0.25]).erf(), [3], [-0.8427008, 0, 0.7111556]],
  ['unsqueeze', (x) => x.slice(0).unsqueeze(0, 2), [1, 3, 1], [1, 2, 3]],
];

/** Of numbers of either sign, and none. */
const Y = [-2, -0.5, 0, 0.5, 3];
/** What each method gives of each element, by JavaScript’s own arithmetic. */
const ELEMENTWISE: Readonly<
  Record<string, readonly [(y: TracedValue) => TracedValue, (y: number) => number]>
> = {
  pow: [(y) => y.pow(3), (y) => y ** 3],
  sign: [(y) => y.sign(), Math.sign],
  reciprocal: [(y) => y.reciprocal(), (y) => 1 / y],
  cos: [(y) => y.cos(), Math.cos],
  ln: [(y) => y.abs().add(1).ln(), (y) => Math.log(Math.abs(y) + 1)],
  relu: [(y) => y.relu(), (y) => Math.max(0, y)],
  tanh: [(y) => y.tanh(), Math.tanh],
  sigmoid: [(y) => y.sigmoid(), (y) => 1 / (1 + Math.exp(-y))],
  softplus: [(y) => y.softplus(), (y) => Math.log1p(Math.exp(y))],
  maximum: [(y) => y.maximum(0.25), (y) => Math.max(y, 0.25)],
  minimum: [(y) => y.minimum(0.25), (y) => Math.min(y, 0.25)],
  eq: [(y) => y.eq(0), (y) => Number(y === 0)],
  ne: [(y) => y.ne(0), (y) => Number(y !== 0)],
  ge: [(y) => y.ge(0.5), (y) => Number(y >= 0.5)],
  le: [(y) => y.le(-0.5), (y) => Number(y <= -0.5)],
  and: [(y) => y.gt(-1).and(y.lt(1)), (y) => Number(y > -1 && y < 1)],
  or: [(y) => y.lt(-1).or(y.gt(1)), (y) => Number(y < -1 || y > 1)],
  xor: [(y) => y.ge(0).xor(y.le(0)), (y) => Number(y !== 0)],
  isInf: [(y) => y.reciprocal().isInf(), (y) => Number(y === 0)],
  isNaN: [(y) => y.div(y).isNaN(), (y) => Number(y === 0)],
};

it('each gives its numbers', async () => {
  const saved = await model.trace('a', (m) => {
    const x = m.constant(X);
    return Object.fromEntries(OPERATIONS.map(([name, operation]) => [name, operation(x, m).save()]));
  });
  for (const [name, , dims, numbers] of OPERATIONS) {
    const value = saved[name]?.value;
    expect(value?.dims, name).toEqual(dims);
    const got = Array.from(value?.data ?? [], Number);
    for (const [at, number] of numbers.entries()) expect(got[at], `${name} [${at}]`).toBeCloseTo(number, 5);
  }
});

it('those of each element give what JavaScript’s arithmetic does', async () => {
  const methods = Object.entries(ELEMENTWISE);
  const saved = await model.trace('a', (m) => {
    const y = m.constant(Y);
    return Object.fromEntries(methods.map(([name, [method]]) => [name, method(y).save()]));
  });
  for (const [name, [, wanted]] of methods) {
    const got = Array.from(saved[name]?.value.data ?? [], Number);
    expect(got.length, name).toBe(Y.length);
    for (const [at, y] of Y.entries()) expect(got[at], `${name} of ${y}`).toBeCloseTo(wanted(y), 5);
  }
});

it('sorts an axis whose size only the input tells', async () => {
  const { sorted, tokens } = await model.trace('The Eiffel Tower', (m) => {
    const norms = m.transformer.h[0].output[0].norm(-1);
    return { sorted: norms.sort(1).values.save(), tokens: norms.save() };
  });
  expect(Array.from(sorted.value.data, Number)).toEqual(
    Array.from(tokens.value.data, Number).toSorted((a, b) => a - b),
  );
});

describe('what is wrong is found while the trace is written', () => {
  const codesOf = (write: (m: Trace) => unknown): Promise<unknown> =>
    model
      .trace('a', (m) => void write(m))
      .then(
        () => [],
        (error: { errors: { body: { code: string } }[] }) => error.errors.map(({ body }) => body.code),
      );

  it.each<[string, (m: Trace) => unknown, readonly string[]]>([
    [
      'a steering vector of another size',
      (m) => m.transformer.h[0].output[0].add(new Float32Array(7)).save(),
      ['wrong_dims'],
    ],
    ['an axis that is not there', (m) => m.lm_head.output.softmax(3).save(), ['bad_attribute']],
    ['more than there are', (m) => m.constant([1, 2]).topK(3).values.save(), ['wrong_dims']],
    ['a write of other dims', (m) => m.transformer.h[0].output[0].set(m.constant([1, 2])), ['wrong_dims']],
    ['a Reshape that loses elements', (m) => m.constant(X).reshape(4, 2).save(), ['wrong_dims']],
    [
      'two at once',
      (m) => {
        m.constant(X).matmul(X).save();
        m.constant(X).squeeze(0).save();
      },
      ['wrong_dims', 'wrong_dims'],
    ],
  ])('%s', async (_, write, codes) => {
    expect(await codesOf(write)).toEqual(codes);
  });
});
