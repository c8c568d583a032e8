/** What a trace's function gets: the model's root module, and what concerns the trace as a whole. */
import type { AttributeValue, Dtype, ErrorBody, Report, Steps } from '@tracewire/protocol';
import { type CacheApi, cacheOf } from './cache.ts';
import { isLiteral, type Literal } from './literal.ts';
import { CallSite, type SourceLocation } from './location.ts';
import { createModule } from './module.ts';
import type { Module } from './module-types.ts';
import { literalNode, type OperandLike, resolveOperand } from './operands.ts';
import { describe } from './options.ts';
import type { Recorder } from './recorder.ts';
import { Saved, type Slot } from './saved.ts';
import type { TracedValue } from './traced.ts';
import type { ModelTree } from './tree.ts';

/** How a run went. Milliseconds are the server's, from the start of the pass to its end. */
export interface RunReport extends Report {
  /** Hooks that could not fire because a stop came first, with the lines that wrote them. */
  readonly warnings: readonly RunWarning[];
}

/** A hook that could not fire, and the line that wrote it. */
export interface RunWarning extends ErrorBody {
  readonly location: SourceLocation | undefined;
}

/** Members of the root alone. */
export interface TraceApi {
  /** A handle that is filled with the run's report: modules run of how many, where the pass stopped, how long. */
  report(): Saved<RunReport>;
  /** Any operator of the protocol by its ONNX name. Numbers and arrays take the dtype of the other inputs. */
  op(
    operator: string,
    inputs: readonly OperandLike[],
    attributes?: Readonly<Record<string, AttributeValue>>,
  ): TracedValue;
  /** Data as a value of the trace; the dtype is for numbers and nested arrays. */
  constant(literal: Literal, dtype?: Dtype): TracedValue;
  /** Prints a text, with a value when that has come to be, alone when the run begins: to `onLog`, else to the console. */
  log(text: string, value?: OperandLike): void;
}

/** What a trace's root has beside a module's members. */
export type TraceMembers = TraceApi & CacheApi;
/** What a trace's function gets: the model's root module, and what concerns the trace as a whole. */
export type Trace = Module & TraceMembers;

/** The slot of the report is the runner's to fill. */
export function traceApi(recorder: Recorder, report: Slot<RunReport>): TraceApi {
  return {
    report: () => new Saved(report, 'The report', new CallSite()),
    op: (operator, inputs, attributes) => operation(recorder, operator, inputs, attributes),
    constant: (literal, dtype = 'float32') => constant(recorder, literal, dtype),
    log: (text, value) => logValue(recorder, text, value),
  };
}

/** The model as the prompt of that number goes through it, in these steps; `own` are the root's members. */
export function createTrace(
  recorder: Recorder,
  tree: ModelTree,
  own: object,
  invoke = 0,
  steps?: Steps,
): Trace {
  const cache = cacheOf(recorder, tree, { invoke, steps });
  return createModule({ recorder, tree, path: '', invoke, steps }, { cache, ...own }) as Trace;
}

function operation(
  recorder: Recorder,
  operator: string,
  inputs: readonly OperandLike[],
  attributes: Readonly<Record<string, AttributeValue>> | undefined,
): TracedValue {
  if (Array.isArray(inputs)) return recorder.operator(String(operator), inputs, attributes);
  recorder.report(
    'misuse',
    `The inputs of an operator are a list: m.op('Add', [a, b]), not ${describe(inputs)}.`,
  );
  return recorder.inert();
}

function constant(recorder: Recorder, literal: Literal, dtype: Dtype): TracedValue {
  if (isLiteral(literal)) return recorder.value(literalNode(recorder, literal, dtype));
  recorder.report('misuse', `A constant is a number, an array or a Tensor, not ${describe(literal)}.`);
  return recorder.inert();
}

function logValue(recorder: Recorder, text: string, value: OperandLike | undefined): void {
  if (value === undefined) return recorder.log(text);
  const resolved = resolveOperand(recorder, value);
  recorder.log(
    text,
    typeof resolved === 'number' ? resolved : literalNode(recorder, resolved.literal, 'float32'),
  );
}
