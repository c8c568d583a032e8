/** What every view of one model and prompt has. */
import type { ModelDescription } from '@tracewire/client';
import type { Anatomy } from './anatomy.ts';
import type { OpenModel } from './models.ts';
import { type ProgramOptions, programOf } from './program.ts';
import type { Runs } from './runs.ts';
import type { Server } from './server.ts';
import { visible } from './token-texts.ts';

/** A prompt that was run, cut into tokens. */
export interface Prompt {
  readonly text: string;
  readonly ids: readonly number[];
  /** Each token's text. */
  readonly tokens: readonly string[];
}

/** The positions that a view shows, from `first` up to but not `end`. */
export interface Span {
  readonly first: number;
  readonly end: number;
}

export interface Context {
  readonly server: Server;
  readonly runs: Runs;
  readonly model: OpenModel;
  readonly description: ModelDescription;
  readonly anatomy: Anatomy;
  readonly prompt: Prompt;
  readonly span: Span;
}

/** Names what a run depends on besides its own arguments. */
export function keyOf(
  { description, prompt }: Pick<Context, 'description' | 'prompt'>,
  ...more: readonly unknown[]
): string {
  return JSON.stringify([description.id, description.name, prompt.text, ...more]);
}

/** The program of a recipe with these arguments, on this server. */
export function programIn(
  { server, description }: Pick<Context, 'server' | 'description'>,
  recipe: Pick<ProgramOptions, 'source' | 'at' | 'paths'>,
): string {
  return programOf({ ...recipe, model: description.name, url: server.url, keyed: server.key !== undefined });
}

/** A share for people: `43%`, `2.1%`, `0.04%`. */
export const percent = (share: number): string => {
  if (share >= 0.9995) return '100%';
  return share >= 0.1 ? `${(share * 100).toFixed(0)}%` : `${(share * 100).toFixed(share >= 0.01 ? 1 : 2)}%`;
};

/** The tokens in the span, as a table's columns. */
export function columnsOf({ prompt, span }: Pick<Context, 'prompt' | 'span'>): string[] {
  return prompt.tokens.slice(span.first, span.end).map(visible);
}
