/** The values that a module makes on its way, `m.….source`: each is a place to read, to write or to stop at. */
import { attentionProbabilities, describeTensor, nearest, type SourceDescription } from '@tracewire/protocol';
import { type ModuleScope, scopeOf } from './module-scope.ts';
import { Place } from './place.ts';
import type { Recorder } from './recorder.ts';
import { INSPECT, type Tensor } from './tensor.ts';

/** What a module makes on its way, each a place by the ONNX value's name. */
export class ModuleSource {
  readonly #recorder: Recorder;
  /** Undefined for a module that does not exist, which has been reported. */
  readonly #module: string | undefined;
  readonly #scope: ModuleScope;

  constructor(recorder: Recorder, module: string | undefined, scope: ModuleScope) {
    recorder.assertOpen();
    this.#recorder = recorder;
    this.#module = module;
    this.#scope = scope;
  }

  /** What there is, in the order in which it is made: the ONNX name, the operator that makes it, dtype and dims. */
  get list(): readonly SourceDescription[] {
    return (
      (this.#module === undefined ? undefined : this.#recorder.index.modules.get(this.#module)?.sources) ?? []
    );
  }

  get length(): number {
    return this.list.length;
  }

  /** The value of that ONNX name. */
  get(name: string): Place<Tensor> {
    const module = this.#module;
    if (module === undefined) return Place.create(this.#recorder, undefined);
    const source = String(name);
    return Place.create(this.#recorder, {
      module,
      port: 'source',
      source,
      ...scopeOf(this.#scope),
    });
  }

  /** The `nth` value, from 0, that an operator of that name makes: `find('Softmax')`, `find('MatMul', 1)`. */
  find(operator: string, nth = 0): Place<Tensor> {
    const found = this.list.filter((source) => source.operator === operator);
    const source = found[nth < 0 ? nth + found.length : nth];
    if (source || this.#module === undefined) return this.get(source?.name ?? '');
    const operators = [...new Set(this.list.map((source) => source.operator))];
    const near = found.length > 0 ? undefined : nearest(operator, operators);
    const hint = near === undefined ? '' : ` Did you mean ${near}?`;
    const has =
      found.length > 0
        ? `${found.length} of ${operator}, so no ${nth}`
        : `none of ${JSON.stringify(operator)}`;
    const why =
      operators.length > 0
        ? ` There are ${operators.join(', ')}.`
        : ' It makes none: look at the modules inside it.';
    const message = `Of the values that ${this.#module || 'the model'} itself makes, ${has}.${hint || why}`;
    this.#recorder.report('unknown_source', message, { path: this.#module, got: operator, nearest: near });
    return Place.create(this.#recorder, undefined);
  }

  /** All values that operators of that name make. */
  findAll(operator: string): readonly Place<Tensor>[] {
    return this.list.filter((source) => source.operator === operator).map(({ name }) => this.get(name));
  }

  /** What each position attends to, `[batch, heads, sequence, …]`; an error, `unavailable: fused`, where the export has none. */
  get attentionProbabilities(): Place<Tensor> {
    const path = this.#module;
    const { description, modules } = this.#recorder.index;
    const module = path === undefined ? undefined : modules.get(path);
    if (!module) return Place.create(this.#recorder, undefined);
    const found = attentionProbabilities(module, description);
    if ('source' in found) return this.get(found.source.name);
    const message = `${path || 'The model'}.source.attentionProbabilities: ${found.unavailable}.`;
    this.#recorder.report('no_hook', message, { path, nearest: found.nearest });
    return Place.create(this.#recorder, undefined);
  }

  *[Symbol.iterator](): Generator<Place<Tensor>> {
    for (const { name } of this.list) yield this.get(name);
  }

  [INSPECT](): string {
    const lines = this.list.map((source) => `  ${source.operator} ${source.name}: ${describeTensor(source)}`);
    return [`Source of ${this.#module ?? 'an unknown module'}: ${this.length} values`, ...lines].join('\n');
  }
}
