import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TokenText } from './token-text.ts';

/** Tokens are bytes. */
const decode = (ids: readonly number[]): string => new TextDecoder().decode(Uint8Array.from(ids));

it('gives each character with its last byte', () => {
  const text = new TokenText(decode);
  const pieces = [...new TextEncoder().encode('aé東!')].map((id) => {
    text.add(id);
    return text.take(false);
  });
  expect(pieces).toEqual(['a', '', 'é', '', '', '東', '!']);
});

it('gives what is left at the end, whole or not', () => {
  const text = new TokenText(decode);
  text.add(0xe6);
  expect(text.take(false)).toBe('');
  expect(text.all).toBe('\uFFFD');
  expect(text.take(true)).toBe('\uFFFD');
  expect(text.take(true)).toBe('');
});

it('gives pieces that are the text of all tokens, whatever they are', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 255 }), { minLength: 1 }), (ids) => {
      const text = new TokenText(decode);
      const pieces = ids.map((id, index) => {
        text.add(id);
        return text.take(index === ids.length - 1);
      });
      expect(pieces.join('')).toBe(decode(ids));
    }),
  );
});
