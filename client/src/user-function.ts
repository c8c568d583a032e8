/** A user's function: a small ONNX model, called in traces as a function of values. What is in it is read by function-reading.ts. */
import type { PortDescription, ReadFunction } from '@tracewire/protocol';
import { READER } from '#function-reader';
import { type LocatedError, localError, TraceError } from './errors.ts';
import { CallSite } from './location.ts';
import { Operand, RECORDER } from './operand.ts';
import type { OperandLike } from './operands.ts';
import { describe } from './options.ts';
import { Saved } from './saved.ts';
import type { WhereOptions } from './tokenizer.ts';
import type { TracedValue } from './traced.ts';

/** What a function takes and gives, in the model's order. */
export interface FunctionDescription {
  readonly inputs: readonly PortDescription[];
  readonly outputs: readonly PortDescription[];
}

/**
 * Called in a trace with a value for each input; gives the model's output, or the tuple of its outputs. Numbers and arrays take
 * the input's dtype.
 */
export interface UserFunction extends FunctionDescription {
  (...operands: readonly OperandLike[]): TracedValue;
  /** Of the file; the function's name on the wire. */
  readonly sha256: string;
  /** Sends the file, if the server doesn't have it, and asks what it makes of it. Rejects with what is wrong. */
  describe(options?: WhereOptions): Promise<FunctionDescription>;
}

/** What reads a function on the spot, where that is at hand. */
export interface FunctionReader {
  read(bytes: Uint8Array): ReadFunction;
  sha256(bytes: Uint8Array): string;
}

/** A function's file, and what is known of it so far. */
export class FunctionFile {
  readonly bytes: Uint8Array;
  /** The line that called `fn`. */
  readonly site = new CallSite();
  read: ReadFunction | undefined;
  sha256: string | undefined;

  /** Throws `bad_input`; in Node also a `TraceError` with all that is wrong with the file. */
  constructor(given: unknown) {
    if (!(given instanceof Uint8Array) && !(given instanceof ArrayBuffer)) {
      const message = `A function is the bytes of an ONNX model, not ${describe(given)}: model.fn(await readFile('encoder.onnx')).`;
      throw localError('bad_input', message);
    }
    // A copy: a view of something that is changed later would have another hash.
    this.bytes = new Uint8Array(given instanceof ArrayBuffer ? given.slice() : given);
    this.read = READER?.read(this.bytes);
    const [first, ...rest] = faultsOf(this);
    if (first) throw new TraceError([first, ...rest]);
  }
}

/** All that is wrong with a file that was read, at the line that made the function. */
export function faultsOf({ site, read }: FunctionFile): LocatedError[] {
  return (read?.errors ?? []).map((body) => ({ body, location: site.location }));
}

/** `ask`: what a server makes of the function. */
export function userFunction(
  file: FunctionFile,
  ask: (options: WhereOptions) => Promise<FunctionDescription>,
): UserFunction {
  const call = (...operands: readonly OperandLike[]): TracedValue => callIn(file, operands);
  return Object.defineProperties(call, {
    inputs: { get: () => (file.read?.body ?? refuseEarly('inputs')).inputs },
    outputs: { get: () => (file.read?.body ?? refuseEarly('outputs')).outputs },
    sha256: { get: () => hashOf(file) },
    describe: { value: (options: WhereOptions = {}) => ask(options) },
  }) as UserFunction;
}

function hashOf(file: FunctionFile): string {
  file.sha256 ??= READER?.sha256(file.bytes) ?? refuseEarly('sha256');
  return file.sha256;
}

function callIn(file: FunctionFile, operands: readonly OperandLike[]): TracedValue {
  const operand = operands.find((value) => value instanceof Operand);
  if (operand instanceof Operand) return operand[RECORDER].call(file, operands);
  const saved = operands.some((value) => value instanceof Saved);
  const advice = saved ? 'Give it the value itself, not its saved handle.' : 'Make one with m.constant(…).';
  throw localError('misuse', `A function needs at least one value of the trace. ${advice}`);
}

function refuseEarly(what: string): never {
  const message = `In a page a function’s ${what} can be read once a trace has called it. \`await f.describe()\` asks the server what it takes and gives.`;
  throw localError('misuse', message);
}
