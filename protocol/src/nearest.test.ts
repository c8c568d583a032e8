import { expect, it } from 'vitest';
import { nearest } from './nearest.ts';

const PATHS = ['', 'transformer.h.0', 'transformer.h.0.attn', 'transformer.h.0.attn.c_proj', 'lm_head'];

it.each([
  ['transformer.h.0.atn', 'transformer.h.0.attn'],
  ['transformer.h.0.attn.cproj', 'transformer.h.0.attn.c_proj'],
  ['transfomer.h.0', 'transformer.h.0'],
  ['LM_Head', 'lm_head'],
])('%s is nearest to %s', (name, wanted) => {
  expect(nearest(name, PATHS)).toBe(wanted);
});

it('gives nothing where nothing is near', () => {
  expect(nearest('wte', PATHS)).toBeUndefined();
  expect(nearest('something else entirely', PATHS)).toBeUndefined();
  expect(nearest('x', [])).toBeUndefined();
});

it('never gives the empty name, which would be no hint', () => {
  expect(nearest('h', ['', 'x'.repeat(9)])).toBeUndefined();
});

it('takes the first of equals', () => {
  expect(nearest('ab', ['ac', 'ad'])).toBe('ac');
});
