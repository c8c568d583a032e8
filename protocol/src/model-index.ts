/** A model's description with the look-ups that checking, planning and recording need. */
import type { ModelDescription, ModuleDescription } from './description.ts';
import type { Place } from './graph.ts';
import { nearest } from './nearest.ts';
import type { Dtype } from './tensor.ts';

/** Build it once a model. */
export class ModelIndex {
  readonly description: ModelDescription;
  readonly modules: ReadonlyMap<string, ModuleDescription>;
  readonly parameters: ReadonlyMap<string, { readonly dtype: Dtype; readonly dims: readonly number[] }>;
  readonly #containers = new Set<string>();

  constructor(description: ModelDescription) {
    this.description = description;
    this.modules = new Map(description.modules.map((module) => [module.path, module]));
    this.parameters = new Map(description.parameters.map((parameter) => [parameter.name, parameter]));
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

  nearestModule(path: string): string | undefined {
    return nearest(path, [...this.modules.keys(), ...this.#containers]);
  }

  /** Whether the server's runtime has no kernel of an operator for a dtype that the table allows. */
  lacks(operator: string, dtype: Dtype): boolean {
    const { unsupported } = this.description;
    return (
      (unsupported && Object.hasOwn(unsupported, operator) && unsupported[operator]?.includes(dtype)) || false
    );
  }

  /** A place's number in the total order of hook points; undefined where there is no hook point. */
  rank(place: Place): number | undefined {
    return this.modules.get(place.module)?.order[place.port];
  }
}
