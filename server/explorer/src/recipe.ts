/**
 * What a recipe is: a small program on the public client that a view runs, and shows. A recipe's file is imported twice,
 * as a module that runs and as its own text (`?raw`), so that what is shown is what ran (`program.ts`).
 */
import type {
  Batch,
  GenerateOptions,
  GenerationResult,
  ModelDescription,
  ModuleList,
  Trace,
  TraceInput,
} from '@tracewire/client';

/** The model in a trace, where a path is a variable's value and may be a list of blocks. */
export type Root = Omit<Trace, 'get'> & { get(path: string): ModuleList };
/** Several prompts in one pass. */
export type Prompts = Omit<Batch, 'invoke'> & { invoke<T>(prompt: TraceInput, fn: (m: Root) => T): T };

/** The part of `LanguageModel` that recipes use. */
export interface Model {
  trace<T>(prompt: TraceInput, fn: (m: Root) => T): Promise<T>;
  trace<T>(fn: (t: Prompts) => T): Promise<T>;
  generate(
    prompt: TraceInput,
    options: Pick<GenerateOptions, 'maxNewTokens'>,
  ): PromiseLike<GenerationResult<undefined>>;
  describe(): Promise<ModelDescription>;
}
