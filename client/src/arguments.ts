/** Sorts out what the model's methods are given: a prompt or none, options or none, and the function. */
import type { Batch } from './batch.ts';
import { localError } from './errors.ts';
import { isFeeds, type TraceInput, toInput } from './input.ts';
import { type SessionOptions, TRACE_OPTIONS } from './model-options.ts';
import { checkOptions, describe, isPlainObject, type OptionRule } from './options.ts';
import type { Prompts } from './record.ts';
import type { Trace } from './trace-context.ts';

type SessionMethod = 'session' | 'startSession' | 'attachSession';

const isSession = (name: string): boolean => /session$/i.test(name);

/** Options, and the function that writes the trace. */
export type Arguments<T, M = Trace & Batch> = { readonly options: SessionOptions; readonly fn: (m: M) => T };

/** What `trace` and `start` are given, the prompt first or none. */
export function toArguments<T>(
  written: readonly unknown[],
  name: 'trace' | 'start' | 'validate' | 'explain',
  rules: Readonly<Record<string, OptionRule>> = TRACE_OPTIONS,
): Arguments<T> & { readonly prompts: Prompts } {
  const [first, ...rest] = written;
  // Options stand first where there is no prompt; feeds hold tensors, which but those of a generation none does.
  if (typeof first === 'function') return { prompts: 'invokes', ...toFunction<T>(written, rules, name) };
  if (rest.length === 1 && isPlainObject(first) && (!isFeeds(first) || hasOwn(first, 'maxNewTokens'))) {
    return { prompts: 'invokes', ...toFunction<T>(written, rules, name) };
  }
  const found = toFunction<T>(rest, rules, name);
  return { prompts: { input: toInput(first as TraceInput) }, ...found };
}

const hasOwn = (value: unknown, name: string): boolean => Object.hasOwn(value as object, name);

/** `(fn)` or `(options, fn)`. */
export function toFunction<T, M = Trace & Batch>(
  rest: readonly unknown[],
  rules: Readonly<Record<string, OptionRule>>,
  name: 'trace' | 'start' | 'attach' | 'validate' | 'explain' | SessionMethod,
): Arguments<T, M> {
  const [options, fn] = rest.length < 2 ? [{}, rest[0]] : rest;
  checkOptions(options, rules, name);
  if (typeof fn === 'function') return { options: options as SessionOptions, fn: fn as (m: M) => T };
  const input = name === 'attach' || name === 'attachSession' ? 'run, ' : isSession(name) ? '' : 'text, ';
  const writes = isSession(name)
    ? '(s) => s.trace(text, (m) => m.lm_head.output.save())'
    : '(m) => m.lm_head.output.save()';
  const advice = `${name}(${input}${writes})`;
  const message = `${name} wants a function that writes the trace, not ${describe(fn)}: model.${advice}.`;
  throw localError('misuse', message, { wanted: 'a function', got: describe(fn) });
}
