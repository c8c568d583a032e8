/** Comparison, logic, bits, choice. */
import { broadcast, same } from '../shapes/elementwise.ts';
import { binary, type Kind, type OperatorFacts, unary } from './facts.ts';

const compare = (about: string, T: Kind = 'number'): OperatorFacts => ({
  T,
  inputs: ['T', 'T'],
  outputs: ['bool'],
  shape: broadcast,
  about,
});
const logical = (about: string): OperatorFacts => ({
  T: 'any',
  inputs: ['bool', 'bool'],
  outputs: ['bool'],
  shape: broadcast,
  about,
});
const test = (about: string, attributes?: OperatorFacts['attributes']): OperatorFacts => ({
  ...unary('float', about, attributes),
  outputs: ['bool'],
});

export const LOGIC: Readonly<Record<string, OperatorFacts>> = {
  And: logical('both'),
  BitShift: {
    ...binary('unsigned', 'bits moved to the left or right'),
    attributes: { direction: ['LEFT', 'RIGHT'] },
    required: ['direction'],
  },
  BitwiseAnd: binary('integer', 'bits of both'),
  BitwiseNot: unary('integer', 'bits turned'),
  BitwiseOr: binary('integer', 'bits of either'),
  BitwiseXor: binary('integer', 'bits of one only'),
  Equal: compare('equal', 'any'),
  Greater: compare('greater than'),
  GreaterOrEqual: compare('greater than or equal'),
  IsInf: test('infinite', { detect_negative: 'int', detect_positive: 'int' }),
  IsNaN: test('not a number'),
  Less: compare('less than'),
  LessOrEqual: compare('less than or equal'),
  Not: { T: 'any', inputs: ['bool'], outputs: ['bool'], shape: same, about: 'logical not' },
  Or: logical('either'),
  Where: {
    T: 'any',
    inputs: ['bool', 'T', 'T'],
    outputs: ['T'],
    shape: broadcast,
    about: 'one or the other, by a condition',
  },
  Xor: logical('one only'),
};
