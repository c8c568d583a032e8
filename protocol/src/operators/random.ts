/** What the host draws, with the generator of PROTOCOL.md, section 3.5. */
import { same } from '../shapes/elementwise.ts';
import { ofAttribute } from '../shapes/layout.ts';
import { multinomial } from '../shapes/reduce.ts';
import type { OperatorFacts } from './facts.ts';

const made = { attribute: 'dtype', kind: 'float' } as const;
const drawn = { random: true, outputs: ['made'] } as const;
const normal = { dtype: 'int', mean: 'float', scale: 'float', seed: 'int' } as const;
const uniform = { dtype: 'int', high: 'float', low: 'float', seed: 'int' } as const;

export const RANDOM: Readonly<Record<string, OperatorFacts>> = {
  Bernoulli: {
    ...drawn,
    T: 'float',
    inputs: ['T'],
    made: { attribute: 'dtype', kind: 'any' },
    attributes: { dtype: 'int', seed: 'int' },
    shape: same,
    about: '1 with the probability in the input, else 0',
  },
  Multinomial: {
    ...drawn,
    T: 'float',
    inputs: ['T'],
    made: { attribute: 'dtype', kind: 'index', fallback: 'int32' },
    attributes: { dtype: 'int', sample_size: 'int', seed: 'int' },
    shape: multinomial,
    about: 'indices with the probabilities softmax(row)',
  },
  RandomNormal: {
    ...drawn,
    T: 'float',
    inputs: [],
    made: { ...made, fallback: 'float32' },
    attributes: { ...normal, shape: 'ints' },
    required: ['shape'],
    shape: ofAttribute,
    about: 'normal numbers',
  },
  RandomNormalLike: {
    ...drawn,
    T: 'any',
    inputs: ['T'],
    made,
    attributes: normal,
    shape: same,
    about: 'normal numbers in the dims of the input',
  },
  RandomUniform: {
    ...drawn,
    T: 'float',
    inputs: [],
    made: { ...made, fallback: 'float32' },
    attributes: { ...uniform, shape: 'ints' },
    required: ['shape'],
    shape: ofAttribute,
    about: 'numbers from `low` to below `high`',
  },
  RandomUniformLike: {
    ...drawn,
    T: 'any',
    inputs: ['T'],
    made,
    attributes: uniform,
    shape: same,
    about: 'such numbers in the dims of the input',
  },
};
