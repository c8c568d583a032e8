/** What the table says of an operator, and short ways to say it. */
import type { ShapeRule } from '../shapes/call.ts';
import { broadcast, same } from '../shapes/elementwise.ts';
import { DTYPE_NAMES, DTYPES, type Dtype } from '../tensor.ts';

/** Dtypes that a type variable may stand for: what the operators' ONNX type constraints say. */
export const KINDS = {
  any: DTYPE_NAMES,
  number: DTYPE_NAMES.filter((dtype) => dtype !== 'bool'),
  signed: DTYPE_NAMES.filter((dtype) => DTYPES[dtype].kind === 'int' || DTYPES[dtype].kind === 'float'),
  integer: DTYPE_NAMES.filter((dtype) => DTYPES[dtype].kind === 'int' || DTYPES[dtype].kind === 'uint'),
  unsigned: DTYPE_NAMES.filter((dtype) => DTYPES[dtype].kind === 'uint'),
  float: DTYPE_NAMES.filter((dtype) => DTYPES[dtype].kind === 'float'),
  single: ['float32'],
  index: ['int32', 'int64'],
  wide: ['int32', 'uint32', 'int64', 'uint64', 'float16', 'float32', 'float64'],
  power: ['int32', 'int64', 'float16', 'float32', 'float64'],
  counted: ['int16', 'int32', 'int64', 'float32', 'float64'],
  ordered: ['bool', 'int8', 'uint8', 'int32', 'uint32', 'int64', 'uint64', 'float16', 'float32', 'float64'],
} as const satisfies Record<string, readonly Dtype[]>;

export type Kind = keyof typeof KINDS;

/** A list of strings is a choice of one of them. */
export type AttributeType = 'int' | 'float' | 'ints' | 'string' | readonly string[];

/** What an operator takes and gives, as the table of PROTOCOL.md, section 3.3, has it. */
export interface OperatorFacts {
  /** What the type variable `T` may be. */
  readonly T: Kind;
  /** Each input's dtype: the variable `T`, any other dtype `U`, `index`, or a fixed one. The last repeats where `variadic`. */
  readonly inputs: readonly ('T' | 'U' | 'index' | Dtype)[];
  /** Fewest inputs; the rest may be left off at the end. All are needed where it is absent. */
  readonly needs?: number;
  readonly variadic?: true;
  /** Each output's dtype; `made` is what `made` says. */
  readonly outputs: readonly ('T' | 'U' | 'made' | Dtype)[];
  /** The attribute that says how many outputs of the one kind there are. */
  readonly outputCount?: string;
  /** An output's dtype by an attribute: ONNX's number of one of a kind; without the attribute `T`, or the fallback. */
  readonly made?: {
    readonly attribute: 'to' | 'dtype';
    readonly kind: Kind;
    readonly fallback?: Dtype;
  };
  readonly attributes?: Readonly<Record<string, AttributeType>>;
  readonly required?: readonly string[];
  /** Of integers, an input that must have no zeros. */
  readonly divisor?: number;
  /** Drawn by the host with the generator of section 3.5, not by the runtime. */
  readonly random?: true;
  /** The dims of the outputs, from those of the inputs. */
  readonly shape: ShapeRule;
  /** One line on what it is for. */
  readonly about: string;
}

export const unary = (T: Kind, about: string, attributes?: OperatorFacts['attributes']): OperatorFacts => ({
  T,
  inputs: ['T'],
  outputs: ['T'],
  shape: same,
  about,
  ...(attributes ? { attributes } : {}),
});

export const binary = (T: Kind, about: string): OperatorFacts => ({
  T,
  inputs: ['T', 'T'],
  outputs: ['T'],
  shape: broadcast,
  about,
});

export const variadic = (T: Kind, about: string): OperatorFacts => ({
  T,
  inputs: ['T'],
  variadic: true,
  outputs: ['T'],
  shape: broadcast,
  about,
});
