/** All that a module takes, `m.….inputs`: by number, the one that flows in first, or by the ONNX value's name. */
import { nearest } from '@tracewire/protocol';
import { type ModuleScope, scopeOf } from './module-scope.ts';
import { Place } from './place.ts';
import { ANY_MEMBERS } from './placeholder.ts';
import type { Recorder } from './recorder.ts';
import type { Tensor } from './tensor.ts';

/** What a module takes, each a place. */
export class ModuleInputs {
  readonly #recorder: Recorder;
  /** Undefined for a module that does not exist, which has been reported. */
  readonly #module: string | undefined;
  readonly #scope: ModuleScope;

  private constructor(recorder: Recorder, module: string | undefined, scope: ModuleScope) {
    this.#recorder = recorder;
    this.#module = module;
    this.#scope = scope;
  }

  /** For module proxies: `inputs[1]` and `inputs.NAME` are places. */
  static create(recorder: Recorder, module: string | undefined, scope: ModuleScope): InputsOf {
    const inputs = new ModuleInputs(recorder, module, scope);
    return new Proxy(inputs, {
      get: (target, key) => {
        if (typeof key === 'string' && /^\d+$/.test(key)) return target.at(Number(key));
        if (typeof key === 'string' && key !== 'then' && !(key in target)) return target.get(key);
        const found: unknown = Reflect.get(target, key, target);
        return typeof found === 'function' && key !== 'constructor' ? found.bind(target) : found;
      },
    }) as unknown as InputsOf;
  }

  /** Their ONNX names, in order. */
  get names(): readonly string[] {
    const module = this.#module === undefined ? undefined : this.#recorder.index.modules.get(this.#module);
    return (module?.inputs ?? []).map(({ name }) => name);
  }

  get length(): number {
    return this.names.length;
  }

  /** One of them; negative indices count from the end. */
  at(index: number): Place<Tensor> {
    const member = index < 0 ? index + this.length : index;
    return this.#place(member);
  }

  /** The one of that name. */
  get(name: string): Place<Tensor> {
    const member = this.names.indexOf(name);
    if (member >= 0 || this.#module === undefined) return this.#place(member);
    const near = nearest(name, this.names);
    const hint =
      near === undefined ? ` It takes ${this.names.join(', ') || 'nothing'}.` : ` Did you mean ${near}?`;
    const message = `${this.#module || 'The model'} takes no ${JSON.stringify(name)}.${hint}`;
    this.#recorder.report('not_a_tuple', message, { path: this.#module, got: name, nearest: near });
    return Place.create(this.#recorder, undefined);
  }

  *[Symbol.iterator](): Generator<Place<Tensor>> {
    const count = this.#module === undefined ? ANY_MEMBERS : this.length;
    for (let index = 0; index < count; index++) yield this.at(index);
  }

  #place(member: number): Place<Tensor> {
    const module = this.#module;
    if (module === undefined) return Place.create(this.#recorder, undefined);
    return Place.create(this.#recorder, { module, port: 'input', member, ...scopeOf(this.#scope) });
  }
}

/** The same as users write it: `block.inputs[1]`, `block.inputs['past_key_values.0.key']`. */
export type InputsOf = ModuleInputs & { readonly [index: number]: Place<Tensor> } & {
  readonly [name: string]: Place<Tensor>;
};
