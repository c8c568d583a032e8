/**
 * What modules look like to TypeScript where the model's own types aren't there (model-types.ts): any name is allowed,
 * and the names of common architectures are listed, for completion and for `noUncheckedIndexedAccess`.
 */
import type { InputsOf } from './module-inputs.ts';
import type { ModuleSource } from './module-source.ts';
import type { OperandLike } from './operands.ts';
import type { Place } from './place.ts';
import type { SavedValue, Tensor } from './tensor.ts';
import type { TracedValue } from './traced.ts';

/** What every module has of itself. */
export interface ModulePlaces<V extends SavedValue> {
  /** Runs the module on a value instead of its input; its own hooks stay silent. */
  (input: OperandLike): TracedValue;
  /** What the module gives: a tensor, or a tuple whose first member flows on. */
  readonly output: Place<V>;
  /** The first floating-point activation that the module takes. */
  readonly input: Place<Tensor>;
  /** All activations that it takes, by number or by ONNX name; the first is `input`. */
  readonly inputs: InputsOf;
  /** The values that it makes on its way: attention probabilities, queries, what an activation function gives. */
  readonly source: ModuleSource;
  /**
   * The module doesn't run: `value` stands for what it gives, `block.skip(block.input)`. Of several outputs a tensor is
   * the first, and the others have no value; a tuple is all of them. Hooks inside are not reached.
   */
  skip(value: OperandLike): void;
}

/** Our names on every module; a module of the model with the same name is reached by `get`. */
export interface ModuleApi<V extends SavedValue> extends ModulePlaces<V> {
  /** A module by its path from here: `m.get('transformer.h.0')`. */
  get(path: string): Module;
  /** A member of a list of modules; negative indices count from the end. */
  at(index: number): Module;
  /** A parameter by its name from here: `m.parameter('lm_head.weight')`. */
  parameter(name: string): TracedValue;
  readonly weight: TracedValue;
  readonly bias: TracedValue;
}

/** A module whose children are reached by their names in the checkpoint. */
export type Module<V extends SavedValue = SavedValue> = ModuleApi<V> & KnownModules & OtherModules;

/** Any other name. An interface, for an object type written out in `Module` itself is lost where TypeScript meets it again. */
interface OtherModules {
  readonly [segment: string]: Module;
}

/** A list of blocks: by number, by `at(-1)`, or in a loop. */
export type ModuleList = Module &
  Iterable<Module> & { readonly length: number } & {
    readonly [index in Digit | `${Exclude<Digit, '0'>}${Digit}`]: Module;
  };

type Digit = '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9';

/** A module that gives one tensor. */
export type TensorModule = Module<Tensor>;

/** Names of common architectures. A model's own types take their place: see model-types.ts. */
export interface KnownModules {
  // GPT-2
  readonly transformer: Module;
  readonly h: ModuleList;
  readonly wte: TensorModule;
  readonly wpe: TensorModule;
  readonly ln_1: TensorModule;
  readonly attn: Module;
  readonly c_attn: TensorModule;
  readonly c_proj: TensorModule;
  readonly ln_2: TensorModule;
  readonly mlp: TensorModule;
  readonly c_fc: TensorModule;
  readonly act: TensorModule;
  readonly ln_f: TensorModule;
  readonly lm_head: TensorModule;
  // Llama, Qwen, Mistral
  readonly model: Module;
  readonly embed_tokens: TensorModule;
  readonly layers: ModuleList;
  readonly input_layernorm: TensorModule;
  readonly self_attn: Module;
  readonly q_proj: TensorModule;
  readonly k_proj: TensorModule;
  readonly v_proj: TensorModule;
  readonly o_proj: TensorModule;
  readonly post_attention_layernorm: TensorModule;
  readonly gate_proj: TensorModule;
  readonly up_proj: TensorModule;
  readonly down_proj: TensorModule;
  readonly act_fn: TensorModule;
  readonly norm: TensorModule;
}
