/** `@tracewire/client`: write a trace, run it on a server or in this process, read what was saved. */
export type { ModelDescription } from '@tracewire/protocol';
export { type Dtype, type ErrorBody, type ErrorCode, TracewireError } from '@tracewire/protocol/core';
export { arriving } from './arriving.ts';
export type { Batch, GenerationBatch } from './batch.ts';
export type { Cache, CachedModule, CacheOptions, ModulePattern } from './cache.ts';
export type { DetachedGeneration, DetachedRun } from './detached.ts';
export type { Edit, EditTrace } from './edit.ts';
export type { EditsData } from './edit-json.ts';
export { type LocatedError, TraceError, ValueNotSetError } from './errors.ts';
export type { ExplainedSave, Explanation } from './explain.ts';
export type { LogEvent, RunStatus } from './filler.ts';
export { concat, einsum, stack, where } from './functions.ts';
export type {
  BatchGeneration,
  BatchGenerationResult,
  GeneratedTokens,
  Generation,
  GenerationOptions,
  GenerationResult,
} from './generation.ts';
export type { Heads } from './heads.ts';
export type { TraceFeeds, TraceInput } from './input.ts';
export type { Literal } from './literal.ts';
export type { SourceLocation } from './location.ts';
export type { Items, Mapped } from './map.ts';
export { LanguageModel } from './model.ts';
export type {
  AttachOptions,
  GenerateOptions,
  LanguageModelOptions,
  MapOptions,
  PrintOptions,
  SessionOptions,
  TraceOptions,
  ValidateOptions,
} from './model-options.ts';
export type { AnyModel, ModelTypes, TypedList, TypedModule, TypedRoot } from './model-types.ts';
export type { InputsOf, ModuleInputs } from './module-inputs.ts';
export type { ModuleSource } from './module-source.ts';
export type { KnownModules, Module, ModuleList, ModulePlaces, TensorModule } from './module-types.ts';
export type { Nested } from './nested.ts';
export { fromNpy, toNpy } from './npy.ts';
export type { OperandLike } from './operands.ts';
export type { Place } from './place.ts';
export type { PlaceMask } from './place-mask.ts';
export type { PlaceSlice } from './place-slice.ts';
export { type ProgressLine, type ProgressStream, progressLine } from './progress-line.ts';
export type { ConnectionEvent } from './reconnect.ts';
export type { Axes } from './reduction.ts';
export type { GeneratedToken, RunProgress } from './run.ts';
export { toSafetensors } from './safetensors.ts';
export type { Saved } from './saved.ts';
export type { Scalar } from './scalar.ts';
export type { Scan, ScannedModule, ScannedValue } from './scan.ts';
export type { Selector } from './selection.ts';
export type { Session, SessionGeneration } from './session.ts';
export type { Reduce } from './shape.ts';
export type { StepApi, StepTrace } from './step-api.ts';
export { type SavedValue, Tensor, type Tuple } from './tensor.ts';
export type { Tokenizer, WhereOptions } from './tokenizer.ts';
export type { RunReport, RunWarning, Trace, TraceApi } from './trace-context.ts';
export type { TracedValue } from './traced.ts';
export type { FunctionDescription, UserFunction } from './user-function.ts';
export type { Validation } from './validate.ts';
