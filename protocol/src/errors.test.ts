import { describe, expect, it } from 'vitest';
import { errorBody } from './error-body.ts';
import { crossesTheWire, ERROR_CODES, isRetryable } from './error-table.ts';
import { ACCESS_CODES, CODES, TracewireError, toErrorBody } from './errors.ts';

const valid = (body: unknown): boolean => errorBody.safeParse(body).success;

describe('the error table', () => {
  it.each(Object.entries(ERROR_CODES))(
    '%s says what it means and what to do',
    (code, { meaning, advice }) => {
      expect(code).toMatch(/^[a-z_]+$/);
      expect(meaning).toMatch(/[.)]$/);
      expect(advice).toMatch(/\.$/);
    },
  );

  it('has all codes, in their order', () => {
    expect(Object.keys(ERROR_CODES)).toEqual([...CODES]);
  });

  it('has the codes of access errors', () => {
    for (const code of ACCESS_CODES) expect(ERROR_CODES).toHaveProperty(code);
  });

  it('knows what a retry helps', () => {
    expect(isRetryable('queue_full')).toBe(true);
    expect(isRetryable('bad_message')).toBe(false);
  });

  it('knows which codes a message may bring', () => {
    for (const code of ['bad_frame', 'cancelled', 'internal']) expect(crossesTheWire(code), code).toBe(true);
    for (const code of ['unreachable', 'misuse', 'address_in_use', 'brand_new', 'toString'])
      expect(crossesTheWire(code), code).toBe(false);
  });
});

describe('an error body', () => {
  it('may have every field, and a cause', () => {
    expect(
      valid({
        code: 'failed',
        message: 'm',
        retryAfterMs: 1,
        run: 'r',
        node: 0,
        path: '',
        wanted: 'a',
        got: 'b',
        nearest: 'c',
        cause: { code: 'operation_failed', message: '' },
      }),
    ).toBe(true);
  });

  it('may have a code that is not in the table yet', () => {
    expect(valid({ code: 'nope', message: '' })).toBe(true);
    expect(isRetryable('toString' as never)).toBe(false);
  });

  it.each([
    ['an empty code', { code: '', message: '' }],
    ['a code that is no text', { code: 7, message: '' }],
    ['no message', { code: 'failed' }],
    ['a stack', { code: 'failed', message: '', stack: '' }],
    ['null for absent', { code: 'failed', message: '', node: null }],
    ['a wrong cause', { code: 'failed', message: '', cause: { code: 'failed' } }],
    ['an endless message', { code: 'failed', message: 'x'.repeat(10_001) }],
  ])('is refused with %s', (_, body) => {
    expect(valid(body)).toBe(false);
  });
});

describe('toErrorBody', () => {
  it('keeps ours', () => {
    const error = new TracewireError({ code: 'closed', message: 'm' }, { cause: new Error('inner') });
    expect(toErrorBody(error, 'internal')).toBe(error.body);
    expect(error.code).toBe('closed');
    expect(error.name).toBe('TracewireError');
    expect(error.cause).toBeInstanceOf(Error);
  });

  it.each([
    [new RangeError('too far'), 'too far'],
    ['text', 'text'],
    [undefined, 'undefined'],
    [new Error('x'.repeat(100_000)), `${'x'.repeat(2000)}…`],
    [Object.create(null), 'A value without a text was thrown.'],
    [{ toString: () => assertNever() }, 'A value without a text was thrown.'],
  ])('makes a valid body of anything else, %#', (thrown, message) => {
    const body = toErrorBody(thrown, 'operation_failed');
    expect(body).toEqual({ code: 'operation_failed', message });
    expect(valid(body)).toBe(true);
  });
});

function assertNever(): never {
  throw new Error('no text');
}
