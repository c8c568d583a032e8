/** A user's function: a small ONNX model, read and checked here, called in traces as a function of values. */
import { type PortDescription, type ReadFunction, readFunction, sha256Hex } from '@tracewire/protocol';
import { digest } from './digest.ts';
import { localError, TraceError } from './errors.ts';
import { CallSite } from './location.ts';
import { Operand, RECORDER } from './operand.ts';
import { literalNode, type OperandLike, resolveOperand } from './operands.ts';
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

/** Nodes of a function; a server may take fewer, and says so. */
const MAX_NODES = 100_000;

/** A function's file. */
export class FunctionFile {
  readonly bytes: Uint8Array;
  readonly read: ReadFunction & { readonly body: object };
  #sha256: string | undefined;

  /** Throws a `TraceError` with all that is wrong with the file. */
  constructor(given: unknown) {
    if (!(given instanceof Uint8Array) && !(given instanceof ArrayBuffer)) {
      const message = `A function is the bytes of an ONNX model, not ${describe(given)}: model.fn(await readFile('encoder.onnx')).`;
      throw localError('bad_input', message);
    }
    // A copy: a view of something that is changed later would have another hash.
    this.bytes = new Uint8Array(given instanceof ArrayBuffer ? given.slice() : given);
    const read = readFunction(this.bytes, { nodes: MAX_NODES });
    if (!read.body) {
      const { location } = new CallSite();
      const [first, ...rest] = read.errors.map((body) => ({ body, location }));
      if (first) throw new TraceError([first, ...rest]);
    }
    this.read = read as ReadFunction & { readonly body: object };
  }

  /** Computed on the spot, unless `hash` has done it. */
  get sha256(): string {
    this.#sha256 ??= sha256Hex(this.bytes);
    return this.#sha256;
  }

  async hash(): Promise<void> {
    this.#sha256 ??= await digest(this.bytes);
  }
}

/** `ask`: what a server makes of the function. */
export function userFunction(
  file: FunctionFile,
  ask: (options: WhereOptions) => Promise<FunctionDescription>,
): UserFunction {
  const { inputs = [], outputs = [] } = file.read.body as FunctionDescription;
  const call = (...operands: readonly OperandLike[]): TracedValue => callIn(file, inputs, operands);
  return Object.defineProperties(call, {
    inputs: { value: inputs },
    outputs: { value: outputs },
    sha256: { get: () => file.sha256 },
    describe: { value: (options: WhereOptions = {}) => ask(options) },
  }) as UserFunction;
}

function callIn(
  file: FunctionFile,
  inputs: readonly PortDescription[],
  operands: readonly OperandLike[],
): TracedValue {
  const operand = operands.find((value) => value instanceof Operand);
  if (!(operand instanceof Operand)) {
    const saved = operands.some((value) => value instanceof Saved);
    const advice = saved ? 'Give it the value itself, not its saved handle.' : 'Make one with m.constant(…).';
    throw localError('misuse', `A function needs at least one value of the trace. ${advice}`);
  }
  const recorder = operand[RECORDER];
  const ids = operands.map((value, index) => {
    const resolved = resolveOperand(recorder, value);
    if (typeof resolved === 'number') return resolved;
    return literalNode(recorder, resolved.literal, inputs[index]?.dtype ?? 'float32');
  });
  return recorder.call(file, ids);
}
