/** Checks options objects: an option that doesn't exist is an error with the nearest right name, never ignored. */
import { nearest } from '@tracewire/protocol/core';
import { localError } from './errors.ts';

/** What an option may be; the text is what an error says is wanted. */
export interface OptionRule {
  readonly wanted: string;
  readonly test: (value: unknown) => boolean;
}

export const A_STRING: OptionRule = { wanted: 'a string', test: (value) => typeof value === 'string' };
export const A_BOOLEAN: OptionRule = { wanted: 'true or false', test: (value) => typeof value === 'boolean' };
export const A_FUNCTION: OptionRule = { wanted: 'a function', test: (value) => typeof value === 'function' };
export const A_SIGNAL: OptionRule = {
  wanted: 'an AbortSignal',
  test: (value) => value instanceof AbortSignal,
};

export const A_DURATION: OptionRule = {
  wanted: 'a whole number of milliseconds, at least 1',
  test: (value) => Number.isSafeInteger(value) && Number(value) >= 1,
};

export const A_BATCHING: OptionRule = {
  wanted: 'exact or shared',
  test: (value) => value === 'exact' || value === 'shared',
};

export function aNumber(wanted: string, test: (value: number) => boolean): OptionRule {
  return { wanted, test: (value) => typeof value === 'number' && Number.isFinite(value) && test(value) };
}

export function aList(of: OptionRule, most: number): OptionRule {
  return {
    wanted: `a list of at most ${most}, each ${of.wanted}`,
    test: (value) => Array.isArray(value) && value.length <= most && value.every((member) => of.test(member)),
  };
}

/** Throws `unknown_option` or `bad_input`. An option that is undefined counts as absent. */
export function checkOptions(
  options: unknown,
  rules: Readonly<Record<string, OptionRule>>,
  of: string,
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw localError('bad_input', `The options of ${of} are an object, not ${describe(options)}.`);
  }
  for (const [option, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, option) ? rules[option] : undefined;
    if (!rule) throw unknownOption(option, Object.keys(rules), of);
    if (value !== undefined && !rule.test(value)) {
      const got = typeof value === 'number' ? String(value) : describe(value);
      const message = `The option ${option} of ${of} is ${rule.wanted}, not ${got}.`;
      throw localError('bad_input', message, { path: option, wanted: rule.wanted, got });
    }
  }
}

function unknownOption(option: string, known: readonly string[], of: string): Error {
  const near = nearest(option, known);
  const hint = near ? `Did you mean ${near}?` : `It has ${known.join(', ')}.`;
  const message = `${of} has no option ${JSON.stringify(option)}. ${hint}`;
  return localError('unknown_option', message, { path: option, nearest: near });
}

/** What something is, for messages: `null`, `an array`, `a number`. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (typeof (value as { then?: unknown }).then === 'function')
    return 'a promise, which must be awaited first';
  const type = typeof value;
  return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
}

/** Options are such; a tensor is none. */
export function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
