/**
 * What a model's own types are made of. `tracewire types MODEL` writes them: a declaration file that adds the model to
 * `ModelTypes` by its name, so that `new LanguageModel('gpt2')` knows its tree. Without one any name is allowed.
 */
import type { Batch, GenerationBatch } from './batch.ts';
import type { TraceInput } from './input.ts';
import type { Module, ModulePlaces } from './module-types.ts';
import type { StepApi } from './step-api.ts';
import type { SavedValue } from './tensor.ts';
import type { TraceApi, TraceMembers } from './trace-context.ts';
import type { TracedValue } from './traced.ts';

/** Models whose trees are known, by name; declaration files add to it. */
// biome-ignore lint/suspicious/noEmptyInterface: it is filled by declaration merging.
export interface ModelTypes {}

/** A model of any name or type; what `LanguageModel` alone means, so that each model can be given for it. */
// biome-ignore lint/suspicious/noExplicitAny: no other type argument is compatible with all others.
export type AnyModel = any;

/** A module of a known model; its children, and what it takes and gives, are written for each. */
export interface TypedModule<V extends SavedValue> extends ModulePlaces<V> {
  /** A module by its path from here, of any name. */
  get(path: string): Module;
  /** A parameter by its name from here. */
  parameter(name: string): TracedValue;
}

/** The root of a known model: `Paths` are its modules, `Parameters` the names of its parameters. */
export interface TypedRoot<V extends SavedValue, Paths, Parameters extends string> extends ModulePlaces<V> {
  /** A module by its path: `m.get('transformer.h.0')`. */
  get<P extends keyof Paths>(path: P): Paths[P];
  /** A parameter by its name: `m.parameter('lm_head.weight')`. */
  parameter(name: Parameters): TracedValue;
}

type Digit = '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9';
type Index = Digit | `${Exclude<Digit, '0'>}${Digit}`;

/** A list of modules, `Members` by number. One beyond its end is `never`, so that its use is an error. */
export type TypedList<Members> = Readonly<Members> & {
  readonly [index in Exclude<Index, keyof Members>]: never;
} & TypedMembers<Members[keyof Members]>;

interface TypedMembers<M> extends Iterable<M> {
  readonly [index: number]: M;
  readonly length: number;
  /** A member of the list; negative indices count from the end. */
  at(index: number): M;
}

/** The root of a model's modules: its own type by name, or given; else one that allows any name. */
type RootOf<M> =
  // Of `AnyModel` and of nothing else.
  unknown extends M ? Module : M extends keyof ModelTypes ? ModelTypes[M] : M extends string ? Module : M;

/** What a trace's function gets. */
export type TraceOf<M> = RootOf<M> & TraceMembers;

/** What an edit's function gets. */
export type EditTraceOf<M> = RootOf<M> & Omit<TraceApi, 'report'>;

/** What the function of a trace without a prompt of its own gets. */
export interface BatchOf<M> extends Omit<Batch, 'invoke'> {
  /** As `Batch`'s. */
  invoke<T>(prompt: TraceInput, fn: (m: TraceOf<M>) => T): T;
}

/** What the function of a generation without a prompt of its own gets. */
export interface GenerationBatchOf<M> extends Omit<GenerationBatch, 'invoke'> {
  /** As `GenerationBatch`'s. */
  invoke<T = undefined>(prompt: TraceInput, fn?: (m: StepTraceOf<M>) => T): T;
}

/** What the function of a generation gets: `iter`, `all` and `next` give the same of other steps. */
export type StepTraceOf<M> = TraceOf<M> & {
  [K in keyof StepApi]: (...steps: Parameters<StepApi[K]>) => StepTraceOf<M>;
};
