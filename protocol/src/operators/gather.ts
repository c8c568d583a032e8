/** What picks and places elements by index or condition. */
import {
  compress,
  gather,
  gatherElements,
  gatherND,
  nonZero,
  oneHot,
  scatterElements,
  scatterND,
  unique,
} from '../shapes/gather.ts';
import type { OperatorFacts } from './facts.ts';

const REDUCTION = ['none', 'add', 'mul', 'min', 'max'] as const;

export const GATHER: Readonly<Record<string, OperatorFacts>> = {
  Compress: {
    T: 'any',
    inputs: ['T', 'bool'],
    outputs: ['T'],
    attributes: { axis: 'int' },
    shape: compress,
    about: 'those along an axis, or of all elements, where a condition holds',
  },
  Gather: {
    T: 'any',
    inputs: ['T', 'index'],
    outputs: ['T'],
    attributes: { axis: 'int' },
    shape: gather,
    about: 'picks by index along an axis',
  },
  GatherElements: {
    T: 'any',
    inputs: ['T', 'index'],
    outputs: ['T'],
    attributes: { axis: 'int' },
    shape: gatherElements,
    about: 'picks one element for each index along an axis',
  },
  GatherND: {
    T: 'any',
    inputs: ['T', 'int64'],
    outputs: ['T'],
    attributes: { batch_dims: 'int' },
    shape: gatherND,
    about: 'picks by index tuples',
  },
  NonZero: {
    T: 'any',
    inputs: ['T'],
    outputs: ['int64'],
    shape: nonZero,
    about: 'the indices of what isn’t 0',
  },
  OneHot: {
    T: 'any',
    inputs: ['int64', 'int64', 'T'],
    outputs: ['T'],
    attributes: { axis: 'int' },
    shape: oneHot,
    about: 'rows of a depth: [off, on], on at the index',
  },
  ScatterElements: {
    T: 'any',
    inputs: ['T', 'index', 'T'],
    outputs: ['T'],
    attributes: { axis: 'int', reduction: REDUCTION },
    shape: scatterElements,
    about: 'one element replaced for each index along an axis',
  },
  ScatterND: {
    T: 'any',
    inputs: ['T', 'int64', 'T'],
    outputs: ['T'],
    attributes: { reduction: REDUCTION },
    shape: scatterND,
    about: 'slices replaced by index tuples',
  },
  Unique: {
    T: 'any',
    inputs: ['T'],
    outputs: ['T', 'int64', 'int64', 'int64'],
    attributes: { axis: 'int', sorted: 'int' },
    shape: unique,
    about: 'the distinct ones, where each was first, which each is, how many',
  },
};
