/** What makes one element of many, or works along an axis. */
import { alongAxis, alongInputAxis, groupNormalization, layerNormalization } from '../shapes/elementwise.ts';
import { argument, reduce as reduceShape, topK } from '../shapes/reduce.ts';
import type { Kind, OperatorFacts } from './facts.ts';

const reduce = (T: Kind, about: string): OperatorFacts => ({
  T,
  inputs: ['T', 'int64'],
  needs: 1,
  outputs: ['T'],
  attributes: { keepdims: 'int' },
  shape: reduceShape,
  about,
});
const along = (about: string, attributes: OperatorFacts['attributes'] = {}): OperatorFacts => ({
  T: 'float',
  inputs: ['T'],
  outputs: ['T'],
  attributes: { axis: 'int', ...attributes },
  shape: alongAxis(-1),
  about,
});
const arg = (about: string): OperatorFacts => ({
  T: 'number',
  inputs: ['T'],
  outputs: ['int64'],
  attributes: { axis: 'int', keepdims: 'int', select_last_index: 'int' },
  shape: argument,
  about,
});

export const REDUCTIONS: Readonly<Record<string, OperatorFacts>> = {
  ArgMax: arg('index of the largest along an axis'),
  ArgMin: arg('index of the smallest along an axis'),
  CumSum: {
    T: 'wide',
    inputs: ['T', 'index'],
    outputs: ['T'],
    attributes: { exclusive: 'int', reverse: 'int' },
    shape: alongInputAxis,
    about: 'running sum along an axis',
  },
  GroupNormalization: {
    T: 'float',
    inputs: ['T', 'T', 'T'],
    outputs: ['T'],
    attributes: { epsilon: 'float', num_groups: 'int' },
    required: ['num_groups'],
    shape: groupNormalization,
    about: 'mean 0 and variance 1 in groups of channels, scaled, shifted',
  },
  Hardmax: along('1 at the first largest, else 0'),
  LayerNormalization: {
    T: 'float',
    inputs: ['T', 'T', 'T'],
    needs: 2,
    outputs: ['T'],
    attributes: { axis: 'int', epsilon: 'float' },
    shape: layerNormalization,
    about: 'mean 0 and variance 1 over the axes from `axis` on, scaled, shifted',
  },
  LogSoftmax: along('logarithm of softmax'),
  LpNormalization: along('divided by its norm (`p` 1 or 2) along an axis', { p: 'int' }),
  ReduceL1: reduce('wide', 'sum of absolute values over axes'),
  ReduceL2: reduce('wide', 'Euclidean norm over axes'),
  ReduceLogSum: reduce('wide', 'logarithm of the sum over axes'),
  ReduceLogSumExp: reduce('wide', 'logarithm of the sum of exponentials over axes'),
  ReduceMax: reduce('ordered', 'largest over axes'),
  ReduceMean: reduce('wide', 'mean over axes'),
  ReduceMin: reduce('ordered', 'smallest over axes'),
  ReduceProd: reduce('wide', 'product over axes'),
  ReduceSum: reduce('wide', 'sum over axes'),
  ReduceSumSquare: reduce('wide', 'sum of squares over axes'),
  Softmax: along('exponentials that sum to 1'),
  TopK: {
    T: 'number',
    inputs: ['T', 'int64'],
    outputs: ['T', 'int64'],
    attributes: { axis: 'int', largest: 'int', sorted: 'int' },
    shape: topK,
    about: 'the k largest and their indices',
  },
};
