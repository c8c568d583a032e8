/** A model's description with the look-ups that checking, planning and recording need. */
import type {
  ModelDescription,
  ModuleDescription,
  PortDescription,
  SourceDescription,
} from './description.ts';
import type { Place } from './graph.ts';
import { nearest } from './nearest.ts';
import type { Dtype } from './tensor.ts';

/** Build it once a model. */
export class ModelIndex {
  readonly description: ModelDescription;
  readonly modules: ReadonlyMap<string, ModuleDescription>;
  readonly parameters: ReadonlyMap<string, { readonly dtype: Dtype; readonly dims: readonly number[] }>;
  readonly #containers = new Set<string>();
  /** A model makes no two values of one name. */
  readonly #sources: ReadonlyMap<string, { readonly module: string; readonly source: SourceDescription }>;

  constructor(description: ModelDescription) {
    this.description = description;
    this.modules = new Map(description.modules.map((module) => [module.path, module]));
    this.parameters = new Map(description.parameters.map((parameter) => [parameter.name, parameter]));
    this.#sources = new Map(
      description.modules.flatMap(({ path: module, sources = [] }) =>
        sources.map((source) => [source.name, { module, source }] as const),
      ),
    );
    for (const path of [...this.modules.keys(), ...this.parameters.keys()]) {
      for (let dot = path.lastIndexOf('.'); dot > 0; dot = path.lastIndexOf('.', dot - 1)) {
        this.#containers.add(path.slice(0, dot));
      }
    }
  }

  /** Whether a path holds modules without being one itself, such as a list of blocks. */
  isContainer(path: string): boolean {
    return this.#containers.has(path) && !this.modules.has(path);
  }

  /** The first that stands directly in a list of modules. */
  firstInside(path: string): string | undefined {
    for (const module of this.modules.keys()) {
      const [, name] = module.startsWith(`${path}.`) ? module.slice(path.length).split('.') : [];
      if (name !== undefined) return `${path}.${name}`;
    }
    return undefined;
  }

  nearestModule(path: string): string | undefined {
    return nearest(path, [...this.modules.keys(), ...this.#containers]);
  }

  /** What to tell who asks for a module that isn't there; of dropout no name is near. */
  noModule(
    path: string,
    near: string | undefined,
  ): { readonly message: string; readonly nearest: string | undefined } {
    const message = `${this.description.name} has no module ${JSON.stringify(path)}.`;
    const last = path.slice(path.lastIndexOf('.') + 1);
    if (/drop/i.test(last)) {
      const why =
        'Exporters leave dropout out, which outside of training gives on what it takes: use what comes before it.';
      return { message: `${message} ${why}`, nearest: undefined };
    }
    const hint = near === undefined ? 'model.print() shows those that there are.' : `Did you mean ${near}?`;
    return { message: `${message} ${hint}`, nearest: near };
  }

  /** Whether the server's runtime has no kernel of an operator for a dtype that the table allows. */
  lacks(operator: string, dtype: Dtype): boolean {
    const { unsupported } = this.description;
    return (
      (unsupported && Object.hasOwn(unsupported, operator) && unsupported[operator]?.includes(dtype)) || false
    );
  }

  /** What is at a place: one port, or a tuple's; none where there is no hook point, or no such member or source. */
  portsAt({ module: path, port, member, source }: Place): readonly PortDescription[] {
    const module = this.modules.get(path);
    if (!module) return [];
    // An input without a member is the one that flows in; an output is all that the module gives.
    if (port === 'input') return module.inputs.slice(member ?? 0, (member ?? 0) + 1);
    const found = port === 'source' ? this.#sources.get(source ?? '') : undefined;
    const all = port === 'output' ? module.outputs : found?.module === path ? [found.source] : [];
    return member === undefined ? all : all.slice(member, member + 1);
  }

  /** A place's number in the total order of hook points; undefined where there is no hook point. */
  rank({ module, port, source }: Place): number | undefined {
    if (port !== 'source') return this.modules.get(module)?.order[port];
    const found = this.#sources.get(source ?? '');
    return found?.module === module ? found.source.order : undefined;
  }

  /** The module that makes a value of this name itself. */
  makerOf(source: string): string | undefined {
    return this.#sources.get(source)?.module;
  }
}
