/** What the model's methods may be told beside their input, and how each option is checked. */
import type { Transport, TreeOptions } from '@tracewire/protocol';
import type { ExecuteOptions } from './filler.ts';
import { GENERATION_OPTIONS, type GenerationOptions } from './generation.ts';
import type { TraceInput } from './input.ts';
import { A_BATCHING, A_BOOLEAN, A_DURATION, A_FUNCTION, A_SIGNAL, A_STRING, aNumber } from './options.ts';
import { WHERE_OPTIONS, type WhereOptions } from './tokenizer.ts';

/** Options of `new LanguageModel`. */
export interface LanguageModelOptions {
  /** The server's address, `ws://` or `wss://`; `ws://127.0.0.1:7331` if left out. */
  readonly url?: string | undefined;
  /** The key that the server wants; in Node the environment variable TRACEWIRE_KEY, if left out. */
  readonly key?: string | undefined;
  /** Where traces run that don't say it themselves: on the server (true, the default), or in this process. */
  readonly remote?: boolean | undefined;
  /** Another way to the server, in place of a WebSocket to `url`: anything that carries messages both ways. */
  readonly connect?: (() => Promise<Transport>) | undefined;
}

/** Options of one trace. */
export interface TraceOptions extends WhereOptions, Omit<ExecuteOptions, 'onToken'> {}

/** Options of `map`; those of `trace` are for each item. */
export interface MapOptions<P> extends TraceOptions {
  /** How many runs may be under way or wait for their turn at a time; 4 if left out. */
  readonly concurrency?: number | undefined;
  /** The prompt of an item that is none itself, such as a row with a label. */
  readonly input?: ((item: P) => TraceInput) | undefined;
}

/** Options of one generation. */
export interface GenerateOptions extends WhereOptions, ExecuteOptions, GenerationOptions {}

/** Options of `validate`. */
export interface ValidateOptions extends WhereOptions, Partial<GenerationOptions> {}

/** Options of a session; a token says of which trace it is. */
export interface SessionOptions extends WhereOptions, ExecuteOptions {
  /**
   * Whether its traces run as the prompts of one pass, which is faster where each is short. A value then goes only to a later place
   * of the model, there is one report, and a write that fails ends all of them. False if left out.
   */
  readonly batch?: boolean | undefined;
}

/** Options for following a run that was started elsewhere with options `O`. */
export type AttachOptions<O = TraceOptions> = Omit<O, 'deadlineMs' | 'batching'>;

/** Options of `print`. */
export interface PrintOptions extends WhereOptions, TreeOptions {}

export const MODEL_OPTIONS = { url: A_STRING, key: A_STRING, remote: A_BOOLEAN, connect: A_FUNCTION };
export const ATTACH_OPTIONS = {
  ...WHERE_OPTIONS,
  signal: A_SIGNAL,
  onStatus: A_FUNCTION,
  onProgress: A_FUNCTION,
  onLog: A_FUNCTION,
  onValue: A_FUNCTION,
  onConnection: A_FUNCTION,
  onEnd: A_FUNCTION,
};
export const PRINT_OPTIONS = { ...WHERE_OPTIONS, sources: A_BOOLEAN, color: A_BOOLEAN, module: A_STRING };
export const TRACE_OPTIONS = { ...ATTACH_OPTIONS, deadlineMs: A_DURATION, batching: A_BATCHING };
export const MAP_OPTIONS = {
  ...TRACE_OPTIONS,
  concurrency: aNumber('a whole number from 1 to 1000', (n) => Number.isInteger(n) && n >= 1 && n <= 1000),
  input: A_FUNCTION,
};
export const VALIDATE_OPTIONS = { ...WHERE_OPTIONS, ...GENERATION_OPTIONS };
export const FOLLOW_OPTIONS = { ...ATTACH_OPTIONS, onToken: A_FUNCTION };
export const GENERATE_OPTIONS = { ...TRACE_OPTIONS, onToken: A_FUNCTION };
export const SESSION_OPTIONS = { ...GENERATE_OPTIONS, batch: A_BOOLEAN };
export const FOLLOW_SESSION_OPTIONS = { ...FOLLOW_OPTIONS, batch: A_BOOLEAN };
