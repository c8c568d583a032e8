/** A generation as its caller holds it: a promise of the result, and the tokens as they come. */
import type { Generate, Generated } from '@tracewire/protocol';
import type { GenerationBatch } from './batch.ts';
import { localError } from './errors.ts';
import { type StartInput, type TraceInput, toInput } from './input.ts';
import type { GenerateOptions } from './model-options.ts';
import { aList, aNumber, checkOptions, describe, isPlainObject, type OptionRule } from './options.ts';
import type { GeneratedToken } from './run.ts';
import type { Slot } from './saved.ts';
import type { StepTrace } from './step-api.ts';
import type { RunReport } from './trace-context.ts';
import { violation } from './violation.ts';

/** How tokens are chosen, and when to end (PROTOCOL.md, section 6.2). Without `temperature` it is greedy. */
export interface GenerationOptions {
  /** Tokens to choose at most. */
  readonly maxNewTokens: number;
  /** Logits are divided by it before one is drawn; 0, and none, takes the highest. */
  readonly temperature?: number | undefined;
  /** Only the so many highest may be drawn. */
  readonly topK?: number | undefined;
  /** Only the most probable that have this probability together. */
  readonly topP?: number | undefined;
  /** Above 1, tokens that were there before become less likely. */
  readonly repetitionPenalty?: number | undefined;
  /** The same seed draws the same tokens; the result has the one that was used. */
  readonly seed?: number | undefined;
  /** Ids that end the generation, in place of the model's end of text; `[]` goes on through it. */
  readonly stopTokens?: readonly number[] | undefined;
  /** Texts that end the generation; nothing is cut off. */
  readonly stopStrings?: readonly string[] | undefined;
}

/** What was generated behind one prompt. */
export interface GeneratedTokens {
  /** The ids that were chosen. */
  readonly tokens: readonly number[];
  readonly text: string;
  /** Why it ended: `maxNewTokens`, an end-of-text or stop token, a stop string, or a `stop()` in a step. */
  readonly end: Exclude<Generated['end'], 'cut'>;
  /** How many passes there were. */
  readonly steps: number;
  /** The seed that was used, given or not; none where nothing was drawn. */
  readonly seed: number | undefined;
}

/** What came of a generation. */
export interface GenerationResult<T> extends GeneratedTokens {
  /** What the function returned, its handles filled. */
  readonly saved: T;
}

/** What came of a generation from several prompts. */
export interface BatchGenerationResult<T> {
  /** What the function returned, its handles filled. */
  readonly saved: T;
  /** One for each `invoke`, in their order. With its `seed`, a prompt draws the same alone. */
  readonly invokes: readonly GeneratedTokens[];
}

const UINT = aNumber('a whole number from 0 on', (value) => Number.isSafeInteger(value) && value >= 0);
const COUNT = aNumber('a whole number, at least 1', (value) => Number.isSafeInteger(value) && value >= 1);
const A_STOP: OptionRule = {
  wanted: 'a text of 1 to 512 bytes',
  test: (value) => typeof value === 'string' && value !== '' && new TextEncoder().encode(value).length <= 512,
};

export const GENERATION_OPTIONS: Readonly<Record<keyof GenerationOptions, OptionRule>> = {
  maxNewTokens: COUNT,
  temperature: aNumber('a number from 0 on', (value) => value >= 0),
  topK: COUNT,
  topP: aNumber('a number above 0 and at most 1', (value) => value > 0 && value <= 1),
  repetitionPenalty: aNumber('a number above 0', (value) => value > 0),
  seed: UINT,
  stopTokens: aList(UINT, 64),
  stopStrings: aList(A_STOP, 64),
};

/** The options of a generation among all of a call's. Throws `bad_input` or `unknown_option`. */
export function toGenerate<T extends GenerationOptions>(
  options: T,
  rules: Readonly<Record<string, OptionRule>>,
): Generate {
  checkOptions(options, { ...GENERATION_OPTIONS, ...rules }, 'generate');
  if (options.maxNewTokens === undefined) {
    const message =
      'generate wants to know how many tokens at most: model.generate(prompt, { maxNewTokens: 20 }).';
    throw localError('bad_input', message, {
      path: 'maxNewTokens',
      wanted: COUNT.wanted,
      got: describe(undefined),
    });
  }
  const names = Object.keys(GENERATION_OPTIONS) as (keyof GenerationOptions)[];
  return Object.fromEntries(
    names.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])),
  ) as unknown as Generate;
}

/** The function of a generation, or one that hooks nothing. Throws `misuse`. */
export function checkedFunction<M, T>(fn: ((m: M) => T) | undefined): (m: M) => T {
  if (fn === undefined) return () => undefined as T;
  if (typeof fn === 'function') return fn;
  const got = describe(fn);
  const message = `generate wants a function that hooks its steps, or none, not ${got}: model.generate(prompt, { maxNewTokens }, (m) => m.all().lm_head.output.save()).`;
  throw localError('misuse', message, { wanted: 'a function', got });
}

/** What a completed run gives. */
export function toResult<T>(
  saved: T,
  tokens: readonly GeneratedToken[],
  outcome: Slot<RunReport>['outcome'],
): GenerationResult<T> {
  return { saved, ...generatedTokens(tokens, outcome, 0) };
}

/** What a completed run from so many prompts gives. */
export function toBatchResult<T>(
  saved: T,
  tokens: readonly GeneratedToken[],
  outcome: Slot<RunReport>['outcome'],
  invokes: number,
): BatchGenerationResult<T> {
  const all = Array.from({ length: invokes }, (_, invoke) => generatedTokens(tokens, outcome, invoke));
  return { saved, invokes: all };
}

function generatedTokens(
  tokens: readonly GeneratedToken[],
  outcome: Slot<RunReport>['outcome'],
  invoke: number,
): GeneratedTokens {
  const report = outcome && 'value' in outcome ? outcome.value : undefined;
  const { end, steps } = report?.generated?.[invoke] ?? {};
  if (end === undefined || end === 'cut')
    throw violation('a generation completed, and its report has no end');
  const own = tokens.filter((token) => (token.invoke ?? 0) === invoke);
  const { seed } = report ?? {};
  return {
    tokens: own.map(({ id }) => id),
    text: own.map(({ text }) => text).join(''),
    end,
    steps: steps ?? report?.steps ?? own.length,
    seed: seed === undefined ? undefined : seedOf(seed, invoke),
  };
}

/** As the protocol's numbers go: the sum of two such may not be exact. */
function seedOf(seed: number, invoke: number): number {
  return Number((BigInt(seed) + BigInt(invoke)) % 2n ** 53n);
}

/** What `generate` is given: a prompt and options, or options and the function that adds prompts. */
export interface Generating<T> {
  readonly prompts: { readonly input: StartInput } | 'invokes';
  readonly options: GenerateOptions;
  readonly fn: (m: StepTrace & GenerationBatch) => T;
}

/** Sorts out what `generate` is given, from the first on. Throws `misuse` and `bad_input`. */
export function toGenerating<T>([first, second, third]: readonly unknown[]): Generating<T> {
  // Feeds, which look like options, are no prompt of a generation.
  const isBatch = typeof first === 'function' || (typeof second === 'function' && isPlainObject(first));
  const withOptions = typeof first === 'function' ? [{}, first] : [first, second];
  const [options = {}, fn] = isBatch ? withOptions : [second, third];
  return {
    prompts: isBatch ? 'invokes' : { input: toInput(first as TraceInput) },
    options: options as GenerateOptions,
    fn: checkedFunction(fn as Generating<T>['fn'] | undefined),
  };
}

/** A generation from several prompts. */
export type BatchGeneration<T> = Generation<T, BatchGenerationResult<T>>;

/** Awaiting it gives the result; `for await` its tokens as they come. */
export class Generation<T, R = GenerationResult<T>> implements PromiseLike<R>, AsyncIterable<GeneratedToken> {
  readonly #tokens: readonly GeneratedToken[];
  readonly #done: Promise<R>;
  readonly #waiting: Set<() => void>;

  /** `start` is given what takes a token, and resolves to the result; `tokens` are what has come. */
  constructor(
    start: (take: (token: GeneratedToken) => void, tokens: readonly GeneratedToken[]) => Promise<R>,
  ) {
    const tokens: GeneratedToken[] = [];
    const waiting = new Set<() => void>();
    this.#tokens = tokens;
    this.#waiting = waiting;
    const wake = (): void => {
      for (const next of waiting) next();
      waiting.clear();
    };
    this.#done = start((token) => {
      tokens.push(token);
      wake();
    }, tokens).finally(wake);
  }

  // biome-ignore lint/suspicious/noThenProperty: it is awaited like a trace.
  then<A = R, B = never>(
    fulfilled?: ((result: R) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#done.then(fulfilled, rejected);
  }

  /** From the first token on, whenever it begins. Throws what the promise would reject with. */
  async *[Symbol.asyncIterator](): AsyncGenerator<GeneratedToken> {
    let over = false;
    // Whoever loops gets the error there.
    const end = this.#done.then(
      () => {
        over = true;
      },
      () => {
        over = true;
      },
    );
    for (let index = 0; ; ) {
      const token = this.#tokens[index];
      if (token) {
        index += 1;
        yield token;
      } else if (over) break;
      else await Promise.race([end, new Promise<void>((resolve) => this.#waiting.add(resolve))]);
    }
    await this.#done;
  }
}
